"""How Alembic runs migrations: over the application's own engine, each run of them in one transaction."""

from alembic import context
from flask import current_app

database = current_app.extensions["migrate"].db


def print_statements() -> None:
    """`flask db upgrade --sql`."""
    context.configure(url=database.engine.url, target_metadata=database.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    with database.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=database.metadata)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    print_statements()
else:
    run()
