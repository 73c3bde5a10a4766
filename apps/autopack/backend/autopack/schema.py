"""The guard before the database: what does not have the schema of this version is not served from.

    python -m autopack.schema check      exit status 0 when this version can serve from the database
    python -m autopack.schema pending    exit status 0 when no migration is pending, else their names and 1
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect

from autopack.database import connect
from autopack.models import Base
from autopack.settings import Settings

CONFIG = Path(__file__).resolve().parent.parent / "alembic.ini"
REMEDY = "run: alembic upgrade head"
log = logging.getLogger(__name__)


class SchemaError(Exception):
    """The database does not have what this version needs. The text says what is missing and what to run."""


def init_db(engine: Engine, *, bootstrap: bool) -> None:
    """See that the database has the schema of this version. Raises SchemaError, without having changed anything.

    With `bootstrap` a database that has no table at all is given the schema; one that has any is never touched here.
    """
    with engine.connect() as connection:
        if not inspect(connection).get_table_names():
            if not bootstrap:
                raise SchemaError(f"the database has no schema; {REMEDY} (development only: AUTOPACK_DB_BOOTSTRAP=1)")
            log.warning("The database is empty, and AUTOPACK_DB_BOOTSTRAP is 1: giving it the schema.")
            connection.rollback()
            config = Config(CONFIG)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        if names := pending(connection):
            raise SchemaError(f"the database lacks the migrations {', '.join(names)}; {REMEDY}")
        if lacking := missing(connection):
            raise SchemaError(f"the database lacks {', '.join(lacking)}, though its migrations have run; {REMEDY}")


def pending(connection: Connection) -> Sequence[str]:
    """Migrations of this version that have not run, in their order.

    None when the database is at a revision that this version does not know: a later version has migrated it, and this
    one serves again after a rollback. Whether it can is for :func:`missing` to say.
    """
    script = ScriptDirectory.from_config(Config(CONFIG))
    current = MigrationContext.configure(connection).get_current_revision()
    try:
        script.get_revisions(current or "base")
    except CommandError:
        log.warning("The database is at revision %s, which a later version has made.", current)
        return ()
    later = [*script.iterate_revisions("head", current or "base")]
    return [f"{one.revision} {one.doc}" for one in reversed(later)]


def missing(connection: Connection) -> Sequence[str]:
    """Tables and columns that the models have and the database has not."""
    found = inspect(connection)
    tables = set(found.get_table_names())
    lacking = []
    for table in Base.metadata.sorted_tables:
        if table.name not in tables:
            lacking.append(f"table {table.name}")
            continue
        columns = {column["name"] for column in found.get_columns(table.name)}
        lacking += [f"column {table.name}.{column.name}" for column in table.columns if column.name not in columns]
    return lacking


def main(words: Sequence[str]) -> int:
    """The command line. The exit status."""
    engine = connect(Settings.read().database_url)
    if [*words] == ["pending"]:
        with engine.connect() as connection:
            names = pending(connection)
        print(*names, sep="\n")
        return 1 if names else 0
    if [*words] == ["check"]:
        try:
            init_db(engine, bootstrap=False)
        except SchemaError as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
