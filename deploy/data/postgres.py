"""PostgreSQL in a container, on any machine: its facts, its dumps, and new databases beside the old one.

The container's own programs are used, so that versions always fit; nothing needs to be installed or reachable outside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from deploy.data.store import Snapshot
from deploy.model.backup import Content, major_version
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Process, Shell
from deploy.shell.base import lines_of
from deploy.shell.packaged import packaged

LOCK_TIMEOUT = "30s"
"""How long to wait for a lock that somebody else holds on a table."""
DDL_TIMEOUT_MS = 60_000
SEPARATOR = "\x1f"
END = f"{SEPARATOR}end"
SERVERS_OWN = "postgres"
"""The database that every server has, for statements that cannot be run in the one they are about."""

SAME_TEXT = """
    SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3;
    SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET lc_monetary = 'C';
    SET search_path = pg_catalog;
"""
"""Texts of rows must be the same on every server, whatever its own settings are."""
CHECKSUM = "coalesce(sum(pg_catalog.hashtextextended((windlass_row.*)::text, 0)::numeric), 0)"
"""Of `windlass_row`, a table: the same for the same rows in any order."""
# Ordinary tables with rows of their own: partitions count, their parents do not, and extensions look after theirs.
_TABLES = """
    SELECT format('SELECT %L, count(*), {checksum} FROM %I.%I AS windlass_row',
                  n.nspname || '.' || c.relname, n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e'){named}
    ORDER BY 1 \\gexec
"""
_UNSUMMED = "''''"
_SUMMED = _TABLES.format(checksum=CHECKSUM, named="")
# without those that a restore has kept or was making
_DATABASES = """
    SELECT datname FROM pg_catalog.pg_database
    WHERE datallowconn AND NOT datistemplate AND datname !~ '_(before|restore)_[0-9]{14}$'
    ORDER BY datname
"""
SUMMED = f"{SAME_TEXT}{_SUMMED}"
"""Gives name, rows and checksum of every table of a database, the same on every server."""
_USED = """
    SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg_toast%' LIMIT 1
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


class Postgres:
    """The database server in one container. `database` is the image's own unless another is named."""

    def __init__(self, shell: Shell, container: str, database: str = "@DATABASE") -> None:
        self.shell = shell
        self.container = container
        self.database = database

    def program(self, *words: str | int) -> Command:
        """A PostgreSQL program in the container, as its superuser."""
        return packaged("data", "in-database.sh", self.container, *words)

    def about(self, database: str | None = None) -> DatabaseFacts:
        """Raises CommandError when the server does not answer or has no such database."""
        version, encoding, collate, ctype, owner, size, name = self.query(_ABOUT, database)[0]
        return DatabaseFacts(version, encoding, collate, ctype, owner, int(size), name)

    def query(self, sql: str, database: str | None = None) -> list[list[str]]:
        """Rows as lists of texts. `sql` goes over standard input: nothing of it shows in a process list."""
        return _rows(self.shell.run(self._psql(database or self.database), stdin=sql.encode()).stdout)

    @contextlib.contextmanager
    def asking(self, sql: str, database: str) -> Iterator[Callable[[], list[list[str]]]]:
        """A query that is answered while the block does something else; what it is called for waits for the rows.

        That raises CommandError when the query fails.
        """
        with self.shell.start(self._psql(database)) as session:
            session.write(sql.encode())
            session.close_stdin()

            def rows() -> list[list[str]]:
                answer = session.read_all()
                said = session.read_stderr(1 << 16).decode(errors="replace")
                if status := session.wait():
                    raise CommandError(f"{database} could not be asked", exit_code=status, stderr=said)
                return _rows(answer)

            yield rows

    def execute(self, sql: str, database: str = SERVERS_OWN) -> None:
        """Statements that change something, each bounded in time: a lock held elsewhere must not stop us for ever."""
        self.query(f"SET statement_timeout = {DDL_TIMEOUT_MS};\n{sql}", database)

    def databases(self) -> tuple[str, ...]:
        """Every database but the server's own one while nobody uses it."""
        names = [row[0] for row in self.query(_DATABASES, SERVERS_OWN)]
        return tuple(name for name in names if name != SERVERS_OWN or self.query(_USED, name))

    def tables(
        self,
        database: str | None = None,
        *,
        checksums: bool = False,
        lock_timeout: str = LOCK_TIMEOUT,
        only: Iterable[str] | None = None,
    ) -> dict[str, Content]:
        """Rows of every table, or of those that are named, and checksums.

        Raises CommandError when a table stays locked for `lock_timeout`.
        """
        names = None if only is None else ", ".join(map(literal, only))
        named = "" if names is None else f"\n      AND n.nspname || '.' || c.relname = ANY (ARRAY[{names}]::text[])"
        asked = _TABLES.format(checksum=CHECKSUM if checksums else _UNSUMMED, named=named)
        same_text = SAME_TEXT if checksums else ""
        return contents_of(self.query(f"SET lock_timeout = '{lock_timeout}';{same_text}{asked}", database))

    def session(self, database: str) -> Process:
        """`psql` that reads statements for as long as its caller writes them."""
        return self.shell.start(self._psql(database))

    @contextlib.contextmanager
    def snapshot(self, database: str) -> Iterator[Snapshot]:
        """A snapshot that a dump can use while the block runs."""
        with self.session(database) as session:
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSELECT pg_export_snapshot();\n"
            # one process of the server counts, however many it has: it is there for others
            gently = f"SET lock_timeout = '{LOCK_TIMEOUT}'; SET max_parallel_workers_per_gather = 0;"
            session.write(f"{gently}{SAME_TEXT}{begin}".encode())
            answers = lines_of(session.read)

            def failed() -> DeployError:
                said = session.read_stderr(1 << 16).decode(errors="replace")
                return DeployError(f"{self.shell.name}: the tables of {database} cannot be counted", details=said)

            name = next(answers, "")
            if not name:
                raise failed()
            session.write(f"{_SUMMED};\n\\echo {END}\n".encode())
            yield Snapshot(name, _until_end(answers, failed))
            session.write(b"COMMIT;\n")
            session.close_stdin()

    def dump(self, database: str, snapshot: Snapshot, server_version: str, *, packed: bool = True) -> Command:
        """`pg_dump` to standard output in the custom format; not `packed` for what is packed on its way."""
        options = (
            "--format=custom",
            compression(server_version) if packed else "--compress=0",
            f"--lock-wait-timeout={LOCK_TIMEOUT}",
            f"--snapshot={snapshot.id}",
        )
        return self.program("pg_dump", "--no-password", *options, "--dbname", connection(database))

    def roles(self) -> Command:
        """Roles and tablespaces to standard output, as SQL without passwords."""
        return self.program("pg_dumpall", "--no-password", "--globals-only", "--no-role-passwords")

    def exists(self, database: str) -> bool:
        return bool(self.query(f"SELECT 1 FROM pg_database WHERE datname = {literal(database)}", SERVERS_OWN))

    def _psql(self, database: str) -> Command:
        options = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", f"--field-separator={SEPARATOR}")
        return self.program(
            "psql", *options, "--set=ON_ERROR_STOP=1", "--no-password", "--dbname", connection(database)
        )


def _until_end(answers: Iterator[str], failed: Callable[[], DeployError]) -> Iterator[tuple[str, Content]]:
    for line in answers:
        if line == END:
            return
        yield _content(line.split(SEPARATOR))
    raise failed()


def _rows(text: str) -> list[list[str]]:
    return [line.split(SEPARATOR) for line in text.splitlines() if line]


def contents_of(rows: Iterable[Sequence[str]]) -> dict[str, Content]:
    """By name, from rows of name, number and checksum."""
    return dict(map(_content, rows))


def _content(row: Sequence[str]) -> tuple[str, Content]:
    return row[0], Content(int(row[1]), row[2])


def compression(server_version: str) -> str:
    """`pg_dump`'s quickest good one: zstd where the server's tools have it, a fifth of zlib's time and smaller."""
    return "--compress=zstd:1" if major_version(server_version) >= 16 else "--compress=1"  # noqa: PLR2004


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def connection(database: str) -> str:
    """A database's name as --dbname takes it: one with `=`, or that begins like an address, is none there."""
    if "=" not in database and not database.startswith(("postgres://", "postgresql://")):
        return database
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def pattern(name: str) -> str:
    """A name where a program takes patterns (pg_amcheck): between quotation marks it is itself, capitals too."""
    return identifier(name)


def literal(text: str) -> str:
    """A text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"
