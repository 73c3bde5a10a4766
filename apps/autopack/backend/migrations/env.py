"""How Alembic reaches the database: over a connection that it is given, or by DATABASE_URL."""

from __future__ import annotations

import logging

from alembic import context
from sqlalchemy import Connection, create_engine, pool

from autopack.models import Base
from autopack.settings import Settings


def migrate(connection: Connection) -> None:
    """Run what the command asks for, all of it in one transaction or none."""
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = create_engine(Settings.read().database_url, poolclass=pool.NullPool)
    with engine.connect() as opened:
        migrate(opened)
