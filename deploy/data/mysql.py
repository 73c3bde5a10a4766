"""MariaDB and MySQL in a container, on any machine: their facts, their dumps, and new databases beside the old one.

The container's own programs are used, so that versions always fit; nothing needs to be installed or reachable outside.
MySQL's differ from MariaDB's in names and options only, which `in-mysql.sh` knows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.data.mysql_text import Column, counting, literal, qualified
from deploy.data.store import Snapshot
from deploy.model.backup import Content
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.base import lines_of
from deploy.shell.packaged import packaged

NO_LOCK = 75
"""The status of a dump that may not begin, since its snapshot could not be taken."""
LOCK_TIMEOUT_S = 10
"""How long to wait for a lock that somebody else holds on a table."""
SERVERS_OWN = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
END = "windlass end"

# Texts of rows must be the same on every server, whatever its own settings are.
_SESSION = "SET SESSION time_zone = '+00:00', sql_mode = '', lock_wait_timeout = {lock_timeout_s};\n"
# those that a restore has kept or was making
_MADE = re.compile(r"_(before|restore)_\d{14}$")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "\\": "\\"}


@dataclass(frozen=True)
class DatabaseFacts:
    """What the server says about a database."""

    server_version: str
    charset: str
    collation: str
    size_bytes: int


@dataclass(frozen=True)
class Objects:
    """What a database has, by name."""

    tables: tuple[str, ...] = ()
    """Sequences, too: all that can be moved to another database."""
    views: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    """Ids of those who work on it now."""
    databases: tuple[str, ...] = ()
    """What else the server has, and the database itself where it exists."""

    @property
    def counts(self) -> Mapping[str, str]:
        """How many there are of what is restored along with tables, as facts of a backup."""
        return {
            "views": str(len(self.views)),
            "triggers": str(len(self.triggers)),
            "routines": str(len(self.procedures) + len(self.functions)),
        }

    def drops(self, database: str) -> Iterator[str]:
        """Statements that remove what cannot be moved, but for the triggers."""
        kinds = (
            ("VIEW", self.views),
            ("PROCEDURE", self.procedures),
            ("FUNCTION", self.functions),
            ("EVENT", self.events),
        )
        for kind, names in kinds:
            for name in names:
                yield f"DROP {kind} IF EXISTS {qualified(database, name)}"


class Mysql:
    """The database server in one container."""

    def __init__(self, shell: Shell, container: str) -> None:
        self.shell = shell
        self.container = container

    def program(self, verb: str, *words: str | int) -> Command:
        """One of the things that `in-mysql.sh` does in the container."""
        return packaged("data", "in-mysql.sh", self.container, verb, *words)

    def query(self, sql: str, database: str | None = None, *, lock_timeout_s: int = LOCK_TIMEOUT_S) -> list[list[str]]:
        """Rows as lists of texts. `sql` goes over standard input: nothing of it shows in a process list."""
        words = ("--batch", "--skip-column-names", "--skip-reconnect", "--loose-skip-print-query-on-error")
        command = self.program("client", *words, *([f"--database={database}"] if database else []))
        done = self.shell.run(command, stdin=f"{_SESSION.format(lock_timeout_s=lock_timeout_s)}{sql}".encode())
        return [fields_of(line) for line in done.stdout.split("\n") if line]

    def names(self) -> tuple[str, ...]:
        """Every database, the server's own, too."""
        return tuple(row[0] for row in self.query("SHOW DATABASES"))

    def databases(self) -> Mapping[str, DatabaseFacts]:
        """Every database but the server's own, and those that a restore has kept or was making."""
        found = {row[0]: DatabaseFacts(row[1], row[2], row[3], int(row[4])) for row in self.query(_DATABASES)}
        # a folder in the server's own that is none of its databases is listed as #mysql50#...
        return {
            name: facts
            for name, facts in found.items()
            if name.lower() not in SERVERS_OWN and not _MADE.search(name) and not name.startswith("#mysql50#")
        }

    def tools(self) -> tuple[str, str]:
        """The client's name, and what the dump tool says of itself."""
        client, _, tool = self.shell.run(self.program("version")).stdout.partition("\n")
        return client, tool.strip()

    def objects(self, database: str) -> Objects:
        found: dict[str, list[str]] = {name: [] for name in Objects.__dataclass_fields__}
        for kind, name in self.query(_OBJECTS.format(schema=literal(database))):
            found[f"{kind.lower()}s"].append(name)
        return Objects(**{kind: tuple(names) for kind, names in found.items()})

    def tables(
        self, database: str, *, checksums: bool = False, lock_timeout_s: int = LOCK_TIMEOUT_S
    ) -> dict[str, Content]:
        """Rows of every table, and checksums. Raises CommandError when a table stays locked for `lock_timeout_s`."""
        sql = f"START TRANSACTION READ ONLY;\n{self._counting(database, checksums=checksums)}"
        return dict(map(_content, self.query(sql, lock_timeout_s=lock_timeout_s)))

    @contextlib.contextmanager
    def snapshot(self, database: str) -> Iterator[Snapshot]:
        """A snapshot for a dump, counted while the dump runs; it begins when the dump does.

        Raises DeployError when the lock that both begin under is not to be had.
        """
        counting = f"{_SESSION.format(lock_timeout_s=30)}{self._counting(database, checksums=True)}SELECT '{END}';\n"
        with self.shell.start(self.program("snapshot")) as session:
            session.write(counting.encode())
            session.close_stdin()

            def failed() -> DeployError:
                said = session.read_stderr(1 << 16).decode(errors="replace")
                return DeployError(f"{self.shell.name}: the tables of {database} cannot be counted", details=said)

            answers = lines_of(session.read)
            folder = next(answers, "")
            if not folder:
                raise failed()
            try:
                yield Snapshot(folder, map(_content, _until_end(answers, failed)))
            except CommandError as error:
                if error.exit_code != NO_LOCK:
                    raise
                said = session.read_stderr(1 << 16).decode(errors="replace").strip()
                raise DeployError(
                    f"{database} was left alone: {said or 'its snapshot ended before the dump began'}",
                    "try again when that has ended; nothing was left behind",
                ) from error

    def dump(self, database: str, snapshot: Snapshot) -> Command:
        """The dump tool's SQL to standard output: tables, triggers, routines, views, and events at the end."""
        return self.program("dump", snapshot.id, database)

    def definitions(self, database: str, views: Sequence[str], *, broken: bool = False) -> str:
        """SQL that makes triggers, routines and views anew in any database that has the tables.

        Raises CommandError for what is broken, such as a view of a table that is gone, unless that may be left out.
        """
        done = self.shell.run(self.program("code", *(["--force"] if broken else []), database, *views))
        return done.stdout if broken else whole_text(done.stdout, f"triggers, routines and views of {database}")

    def change(self, sql: str) -> None:
        """Statements that change something, those of the dump tool among them. Raises CommandError for the first that
        fails; a lock that somebody holds is waited for as long as a query does.
        """
        command = self.program("client", "--binary-mode", "--skip-reconnect", "--loose-skip-print-query-on-error")
        self.shell.run(command, stdin=f"SET SESSION lock_wait_timeout = {LOCK_TIMEOUT_S};\n{sql}".encode())

    def attempt(self, database: str, sql: str) -> None:
        """Statements of which some may fail."""
        self.shell.run(self.program("client", "--force", f"--database={database}"), stdin=sql.encode(), check=False)

    def end(self, sessions: Iterable[str]) -> None:
        """End sessions; some may have ended by themselves meanwhile."""
        kills = "".join(f"KILL {session};\n" for session in sessions)
        if kills:
            self.shell.run(self.program("client", "--force"), stdin=kills.encode(), check=False)

    def _counting(self, database: str, *, checksums: bool) -> str:
        """A statement for each table, as they are now."""
        found = [Column(*row) for row in self.query(_COLUMNS.format(schema=literal(database)))]
        return counting(database, found, checksums=checksums)


_DATABASES = """
    SELECT SCHEMA_NAME, VERSION(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME,
      (SELECT COALESCE(SUM(DATA_LENGTH), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = SCHEMA_NAME)
    FROM information_schema.SCHEMATA ORDER BY 1
"""
# what a server calls SYSTEM VERSIONED is a table, too; a sequence has no rows of its own
_COLUMNS = """
    SELECT c.TABLE_NAME, c.COLUMN_NAME, LOWER(c.DATA_TYPE)
    FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
    WHERE c.TABLE_SCHEMA = {schema} AND t.TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'TEMPORARY', 'SEQUENCE')
      AND COALESCE(c.GENERATION_EXPRESSION, '') = ''
    ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
# statements of their own: the names' collations differ, and MySQL makes no union of those
_OBJECTS = """
    SELECT 'table', TABLE_NAME FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = {schema} AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW', 'TEMPORARY') ORDER BY 2;
    SELECT 'view', TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {schema};
    SELECT 'trigger', TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {schema};
    SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES
      WHERE ROUTINE_SCHEMA = {schema} AND ROUTINE_TYPE IN ('PROCEDURE', 'FUNCTION');
    SELECT 'event', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {schema};
    SELECT 'session', ID FROM information_schema.PROCESSLIST WHERE DB = {schema} AND ID <> CONNECTION_ID();
    SELECT 'database', SCHEMA_NAME FROM information_schema.SCHEMATA;
"""


def _until_end(answers: Iterator[str], failed: Callable[[], DeployError]) -> Iterator[list[str]]:
    """Rows until the last, which is ours. Raises DeployError when it does not come."""
    for line in answers:
        if line == END:
            return
        yield fields_of(line)
    raise failed()


def _content(row: Sequence[str]) -> tuple[str, Content]:
    return row[0], Content(int(row[1]), row[2])


def fields_of(line: str) -> list[str]:
    r"""A line as `--batch` prints it, as its fields: in these, `\t`, `\n`, `\0` and `\\` stand for what they say."""
    return [re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), field) for field in line.split("\t")]


def whole_text(text: str, what: str) -> str:
    """A definition that was read as UTF-8. Raises DeployError for one that is not: it would come back as another."""
    if "\N{REPLACEMENT CHARACTER}" in text:
        raise DeployError(f"{what} are not UTF-8", "restore by hand, as the manifest says")
    return text
