"""What happens to the tables of a server while somebody migrates them: locks, seen from the server's own side."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.data.postgres import SERVERS_OWN, Postgres, literal
from deploy.model.locks import NO_WRITES, Held
from deploy.model.rehearsal import called

WATCHING = "windlass_watch"
"""A database of its own: a session in the one that is watched would keep an index from being built concurrently."""
EVERY_S = 0.05
_MODES = ", ".join(map(literal, sorted(NO_WRITES)))
_SETUP = """
    CREATE TABLE held (
        database oid, relation oid, mode text, holder text, began double precision, ended double precision,
        PRIMARY KEY (database, relation, mode, holder)
    );
    CREATE TABLE ended ();
"""
_LOOK = f"""
    SET synchronous_commit = off;
    \\echo watching
    DO $$ BEGIN
        LOOP
            INSERT INTO held
            SELECT DISTINCT database, relation, mode, virtualtransaction, now.s, now.s
            FROM pg_catalog.pg_locks, (SELECT extract(epoch FROM clock_timestamp())::double precision) AS now (s)
            WHERE locktype = 'relation' AND granted AND mode IN ({_MODES}) AND relation >= 16384
              AND database <> (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
            ON CONFLICT (database, relation, mode, holder) DO UPDATE SET ended = excluded.ended;
            EXIT WHEN EXISTS (SELECT FROM ended);
            COMMIT;
            PERFORM pg_sleep({EVERY_S});
        END LOOP;
    END $$;
"""  # noqa: S608  # only constants of ours
_END = "INSERT INTO ended DEFAULT VALUES"
_HELD = "SELECT database, relation, mode, began, ended FROM held ORDER BY began"
_RELATIONS = """
    SELECT (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()), c.oid,
           n.nspname || '.' || c.relname, c.relfilenode
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
"""


@dataclass(frozen=True)
class Relation:
    """A table, whatever it is called later."""

    name: str
    file: str
    """What its rows are in: another one when all of them were written anew."""


Relations = Mapping[tuple[str, str], Relation]
"""By the ids of their database and their own."""


def relations(server: Postgres, databases: Mapping[str, str]) -> Relations:
    """The tables and materialized views of some databases, each given with what stands before the names of its own."""
    return {
        (database, relation): Relation(f"{before}{called(name)}", file)
        for one, before in databases.items()
        for database, relation, name, file in server.query(_RELATIONS, one)
    }


def rewritten(before: Relations, after: Relations) -> tuple[str, ...]:
    """Names of tables whose every row was written anew."""
    return tuple(one.name for key, one in before.items() if key in after and after[key].file != one.file)


class Watch:
    """Locks that were held on a server while it was watched."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def end(self, server: Postgres) -> None:
        self._rows = server.query(_HELD, WATCHING)

    def held(self, known: Relations) -> tuple[Held, ...]:
        """Those on tables that are known: on one that was made meanwhile nobody else waits."""
        return tuple(
            Held(known[database, relation].name, mode, float(began), float(ended))
            for database, relation, mode, began, ended in self._rows
            if (database, relation) in known
        )


@contextlib.contextmanager
def watched(server: Postgres) -> Iterator[Watch]:
    """Look every 50 ms at the locks that are held while the block runs. A lock shorter than that may go unseen."""
    server.query(f"CREATE DATABASE {WATCHING} TEMPLATE template0", SERVERS_OWN)
    server.query(_SETUP, WATCHING)
    watch = Watch()
    with server.session(WATCHING) as session:
        session.write(_LOOK.encode())
        session.close_stdin()
        session.read_line()
        yield watch
        server.query(_END, WATCHING)
        session.wait()
    watch.end(server)
