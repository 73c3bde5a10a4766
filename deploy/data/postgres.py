"""PostgreSQL in a container, on any machine: its facts, its dumps, and new databases beside the old one.

The container's own programs are used, so that versions always fit; nothing needs to be installed or reachable outside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.model.backup import major_version
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell import Shell
from deploy.shell.base import lines_of
from deploy.shell.packaged import packaged

LOCK_TIMEOUT = "30s"
"""How long to wait for a lock that somebody else holds on a table."""
DDL_TIMEOUT_MS = 60_000
SEPARATOR = "\x1f"

# Ordinary tables with rows of their own: partitions count, their parents do not, and extensions look after theirs.
_TABLES = """
    SELECT format('SELECT %L, count(*) FROM %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1 \\gexec
"""
_ABOUT = """
    SELECT current_setting('server_version'), pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype,
           pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_database_size(oid), datname
    FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
"""


@dataclass(frozen=True)
class DatabaseFacts:
    """What the server says about a database."""

    server_version: str
    encoding: str
    collate: str
    ctype: str
    owner: str
    size_bytes: int
    name: str


@dataclass(frozen=True)
class Snapshot:
    """A consistent view of a database, held open, and the rows of every table in it."""

    id: str
    tables: Mapping[str, int]


class Postgres:
    """The database server in one container. `database` is the image's own unless another is named."""

    def __init__(self, shell: Shell, container: str, database: str = "@DATABASE") -> None:
        self.shell = shell
        self.container = container
        self.database = database

    def program(self, *words: str | int) -> Command:
        """A PostgreSQL program in the container, as its superuser."""
        return packaged("data", "in-database.sh", self.container, *words)

    def about(self) -> DatabaseFacts:
        """Raises DeployError when the server does not answer or has no such database."""
        version, encoding, collate, ctype, owner, size, name = self.query(_ABOUT)[0]
        return DatabaseFacts(version, encoding, collate, ctype, owner, int(size), name)

    def query(self, sql: str, database: str | None = None) -> list[list[str]]:
        """Rows as lists of texts. `sql` goes over standard input: nothing of it shows in a process list."""
        done = self.shell.run(self._psql(database or self.database), stdin=sql.encode())
        return [line.split(SEPARATOR) for line in done.stdout.splitlines() if line]

    def execute(self, sql: str, database: str = "postgres") -> None:
        """Statements that change something, each bounded in time: a lock held elsewhere must not stop us for ever."""
        self.query(f"SET statement_timeout = {DDL_TIMEOUT_MS};\n{sql}", database)

    def rows(self, database: str | None = None, *, lock_timeout: str = LOCK_TIMEOUT) -> dict[str, int]:
        """Exact row counts of every table. Raises CommandError when a table stays locked for `lock_timeout`."""
        return {
            table: int(count) for table, count in self.query(f"SET lock_timeout = '{lock_timeout}';{_TABLES}", database)
        }

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """A snapshot that a dump can use while the block runs."""
        with self.shell.start(self._psql(self.database)) as session:
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n"
            session.write(f"SET lock_timeout = '{LOCK_TIMEOUT}';\n{begin}".encode())
            answers = lines_of(session.read)
            snapshot_id = next(answers, "")
            if not snapshot_id:
                raise DeployError(
                    f"{self.shell.name}: {self.container} gave no snapshot",
                    details=session.read_stderr(1 << 16).decode(),
                )
            session.write(f"{_TABLES};\n\\echo {SEPARATOR}end\n".encode())
            tables = {}
            complete = False
            for line in answers:
                if complete := line == f"{SEPARATOR}end":
                    break
                table, _, count = line.partition(SEPARATOR)
                tables[table] = int(count)
            if not complete:
                raise DeployError(
                    f"{self.shell.name}: the tables of {self.container} cannot be counted",
                    details=session.read_stderr(1 << 16).decode(),
                )
            yield Snapshot(snapshot_id, tables)
            session.write(b"COMMIT;\n")
            session.close_stdin()

    def dump(self, snapshot: Snapshot, server_version: str) -> Command:
        """`pg_dump` to standard output in the custom format. zstd where the server has it: a fifth of zlib's time."""
        compression = "--compress=zstd:1" if major_version(server_version) >= 16 else "--compress=1"  # noqa: PLR2004
        options = ("--format=custom", compression, f"--lock-wait-timeout={LOCK_TIMEOUT}", f"--snapshot={snapshot.id}")
        return self.program("pg_dump", "--no-password", *options, "--dbname", self.database)

    def _psql(self, database: str) -> Command:
        options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--field-separator={SEPARATOR}")
        return self.program("psql", *options, "--set=ON_ERROR_STOP=1", "--no-password", "--dbname", database)


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"
