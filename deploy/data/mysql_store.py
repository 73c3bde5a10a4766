"""MariaDB and MySQL as a store: dumps of every database in a snapshot that is counted, restores that move tables."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from deploy.data.mysql import DatabaseFacts, Mysql, Objects, whole_text
from deploy.data.mysql_text import identifier, literal, qualified
from deploy.data.repository import Writing
from deploy.data.store import DatabaseStore, Prepared, Restoring, wrong
from deploy.model.backup import Content, Part, StoreKind, difference, file_name
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell.packaged import packaged

EXPECTED_SHARE = 0.4
"""A packed dump's bytes, as a share of the tables' own."""
LONGEST_NAME = 64
MARKED = len("_restore_20261121013445")
"""How much longer the name is that a database has while it is restored."""
SPARE_MARK = "_before_"


@dataclass(frozen=True)
class DumpText:
    """What a dump has, as somebody told who has read it to its end."""

    tables: frozenset[str]
    longest_line_bytes: int
    events: str
    whole: bool

    @classmethod
    def of(cls, said: str) -> DumpText:
        """What `read-dump.sh` says of it."""
        tables, events, longest, whole = set(), [], 0, False
        for line in said.split("\n"):
            word, _, rest = line.partition(" ")
            if word == "table":
                tables.add(rest)
            elif word == ">":
                events.append(rest)
            elif word == "longest":
                longest = int(rest)
            elif word == "whole":
                whole = True
        return cls(frozenset(tables), longest, "\n".join(events) + "\n" if events else "", whole)


@dataclass(frozen=True)
class Beside:
    """A database that was restored, and is to be swapped in."""

    name: str
    made: Objects
    code: str
    """SQL that makes anew what cannot be moved."""


class MysqlStore(DatabaseStore):
    """Every database of one server, and its accounts."""

    goes_into = "USE {}"

    def __init__(self, server: Mysql, service: str, image: str) -> None:
        self.server = server
        self.title = service
        self._service = service
        self._image = image

    @cached_property
    def _databases(self) -> Mapping[str, DatabaseFacts]:
        return self.server.databases()

    def expected_bytes(self) -> int:
        return sum(int(facts.size_bytes * EXPECTED_SHARE) for facts in self._databases.values())

    def back_up(self, writing: Writing) -> Iterator[Part]:
        client, tool = self.server.tools()
        for name, about in self._databases.items():
            facts = {
                "image": self._image,
                "server_version": about.server_version,
                "tool_version": tool,
                "client": client,
                "charset": about.charset,
                "collation": about.collation,
            }
            yield self._dump(name, facts, writing)
        file = file_name(self._service, "users", ".sql")
        written = writing.take(file, self.server.program("users"), what=f"{self._service} users", magic="--")
        facts = {"client": client}
        yield Part(StoreKind.USERS, self._service, "users", file, written.size_bytes, written.sha256, facts=facts)

    def _dump(self, name: str, facts: Mapping[str, str], writing: Writing) -> Part:
        server, what, file = self.server, f"{self._service}/{name}", file_name(self._service, name, ".sql")
        with server.snapshot(name) as snapshot:
            written = writing.take(file, server.dump(name, snapshot), what=what, pack=True)
            writing.step.show(f"{what}: counting")
            tables = snapshot.tables()
        writing.step.show(f"{what}: reading it back")
        text = self._read(lambda command: writing.feed(written.name, command), what, tables)
        facts = {**facts, "longest_line_bytes": str(text.longest_line_bytes), **server.objects(name).counts}
        return Part(
            StoreKind.MYSQL, self._service, name, written.name, written.size_bytes, written.sha256, tables, facts
        )

    def holds(self, part: Part) -> bool:
        return part.kind in {StoreKind.MYSQL, StoreKind.USERS} and part.service == self._service

    def check(self, part: Part) -> None:
        if part.kind == StoreKind.USERS:
            return
        ((version, limit),) = self.server.query("SELECT VERSION(), @@GLOBAL.max_allowed_packet")
        require_fitting(part, version)
        longest = int(part.facts["longest_line_bytes"])
        if longest >= int(limit):
            raise DeployError(
                f"{part.title} has a row of {longest} bytes, and the server takes no statement of {limit}",
                f"SET GLOBAL max_allowed_packet = {1 << 30}, in inv db.shell, lets it until it is started again",
            )

    def exists(self, database: str) -> bool:
        return database in self.server.names()

    def contents(self, part: Part) -> Mapping[str, Content]:
        if part.kind == StoreKind.USERS or not self.exists(part.name):
            return {}
        return self.server.tables(part.name, lock_timeout_s=3)

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        if part.kind == StoreKind.USERS:  # they are not restored over those that are there
            return Prepared(part, lambda _: "", lambda: None)
        beside = f"restore it beside the live one: --only {part.title} --into NAME"
        if len(part.name) + MARKED > LONGEST_NAME:
            raise DeployError(
                f"{part.title}: a name that long leaves no room for the one it has while it is restored", beside
            )
        for (table,) in self.server.query(_REFERS.format(schema=literal(part.name))):
            raise DeployError(
                f"{table} has a foreign key to a table of {part.name}, and would keep it to the old one", beside
            )
        return self.prepare_as(f"{part.name}_restore_{restoring.mark}", part, restoring)

    def prepare_as(self, fresh: str, part: Part, restoring: Restoring) -> Prepared:
        """But for its events, which would begin to work there; what is swapped in gets them."""
        server, step = self.server, restoring.step
        spare = f"{part.name}{SPARE_MARK}{restoring.mark}"
        step.show(f"{part.title}: reading the dump")
        text = self._read(lambda command: restoring.feed(part, command), part.title, part.contents)

        def drop() -> None:
            server.query(f"DROP DATABASE IF EXISTS {identifier(fresh)}")

        try:
            step.show(f"{part.title}: restoring beside")
            server.query(f"CREATE DATABASE {identifier(fresh)} {_charset(part)}")
            server.shell.run(restoring.feed(part, server.program("load", fresh)))
            step.show(f"{part.title}: comparing")
            problems = difference(part.contents, server.tables(fresh, checksums=True))
            made = server.objects(fresh)
            problems += tuple(_lacking(part, made.counts))
            if problems:
                raise wrong(part, problems)
            code = server.definitions(fresh, made.views) + whole_text(text.events, f"events of {part.title}")
        except CommandError as error:
            drop()
            raise DeployError(f"{part.title} could not be restored", details=error.stderr) from error
        except BaseException:
            drop()
            raise
        return Prepared(part, lambda _: self._swap(part, Beside(fresh, made, code), spare), drop)

    def _swap(self, part: Part, beside: Beside, spare: str) -> str:
        """Move all tables of the live database away and those of the fresh one in, in one statement.

        No server renames databases, and none moves a table that has triggers, or a view, or a routine: these are made
        anew from their definitions, the old ones beside the old tables. Events are not: they would go on to work there.
        An open transaction keeps its tables from being moved: sessions that work on the database are ended.
        """
        server, live = self.server, part.name
        was = server.objects(live)
        there = live in was.databases
        old_code = server.definitions(live, was.views, broken=True) if there else ""
        server.end(was.sessions)
        try:
            server.change(swapping(part, beside, was, spare))
        except BaseException:
            with contextlib.suppress(CommandError):  # what was wrong is told anyway
                if beside.made.tables and server.objects(beside.name).tables:  # nothing was moved
                    server.attempt(live, old_code)
                    server.change(f"DROP DATABASE IF EXISTS {identifier(spare)};\n")
            raise
        if was.tables:
            server.attempt(spare, old_code)
        return spare if was.tables else ""

    def _read(self, fed: Callable[[Command], Command], title: str, tables: Mapping[str, Content]) -> DumpText:
        """Read a dump from end to end, and see that it holds every table. `fed` gives a command the dump as its input.

        Raises DeployError.
        """
        done = self.server.shell.run(fed(packaged("data", "read-dump.sh")), check=False)
        text = DumpText.of(done.stdout)
        if not done.ok or not text.whole:
            raise DeployError(f"{title}: the dump cannot be read to its end", "it is not a backup", details=done.stderr)
        if missing := [name for name in tables if identifier(name) not in text.tables]:
            raise DeployError(f"{title}: the dump lacks {', '.join(missing)}", "it is not a backup")
        if len(text.tables) != len(tables):
            raise DeployError(f"{title}: tables were made or removed while they were copied", "try again")
        return text


def swapping(part: Part, beside: Beside, was: Objects, spare: str) -> str:
    """SQL that puts a database in the place of the live one, and the tables of that one under the name `spare`.

    The copy that an earlier restore has kept is dropped at the end: one is enough.
    """
    live, fresh, charset = part.name, beside.name, _charset(part)
    older = re.compile(re.escape(live + SPARE_MARK) + r"\d{14}")
    gone = [fresh, *filter(older.fullmatch, was.databases), *([] if was.tables else [spare])]
    moves = [f"{qualified(live, table)} TO {qualified(spare, table)}" for table in was.tables]
    moves += [f"{qualified(fresh, table)} TO {qualified(live, table)}" for table in beside.made.tables]
    statements = [
        f"CREATE DATABASE IF NOT EXISTS {identifier(live)} {charset}",
        f"CREATE DATABASE {identifier(spare)} {charset}",
        *(f"DROP TRIGGER {qualified(live, name)}" for name in was.triggers),
        *(f"DROP TRIGGER {qualified(fresh, name)}" for name in beside.made.triggers),
        *([f"RENAME TABLE {', '.join(moves)}"] if moves else []),
        *was.drops(live),
        f"ALTER DATABASE {identifier(live)} {charset}",
        f"USE {identifier(live)}",
    ]
    moved = "".join(f"{statement};\n" for statement in statements)
    drops = "".join(f"DROP DATABASE {identifier(name)};\n" for name in gone)
    return f"{moved}{beside.code}\n{drops}"


_REFERS = """
    SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.KEY_COLUMN_USAGE
    WHERE REFERENCED_TABLE_SCHEMA = {schema} AND TABLE_SCHEMA <> {schema} LIMIT 1
"""


def require_fitting(part: Part, version: str) -> None:
    """Refuse a part that a server of some version cannot take. Raises DeployError."""
    made_by = part.facts["server_version"]
    if _brand(made_by) != _brand(version) or _numbers(made_by) > _numbers(version):
        raise DeployError(
            f"{part.title} was made by {_brand(made_by)} {made_by}, the server is {_brand(version)} {version}",
            "restore it into a server of its own version or a newer one",
        )


def _brand(version: str) -> str:
    return "MariaDB" if "mariadb" in version.lower() else "MySQL"


def _numbers(version: str) -> tuple[int, ...]:
    """A version without its last number, within which servers read each other's dumps: 10, 11 for 10.11.6-MariaDB."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _lacking(part: Part, found: Mapping[str, str]) -> Iterable[str]:
    for kind, count in found.items():
        if part.facts[kind] != count:
            yield f"{kind}: {count} instead of {part.facts[kind]}"


def _charset(part: Part) -> str:
    return f"CHARACTER SET {part.facts['charset']} COLLATE {part.facts['collation']}"
