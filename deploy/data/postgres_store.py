"""PostgreSQL as a store: a dump of every database from a snapshot that is counted, and a restore by swapping names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import cached_property

from deploy.data.postgres import SERVERS_OWN, Postgres, identifier, literal
from deploy.data.postgres_load import load, load_at_once, load_some, named, verify_readable, worth_a_file
from deploy.data.postgres_tables import lacking, replace_rows, require_alike, require_tables, tables_called
from deploy.data.repository import Writing
from deploy.data.store import DatabaseStore, Prepared, Restoring, wrong
from deploy.model.backup import Content, Part, StoreKind, difference, file_name, major_version
from deploy.model.chosen import SomeTables
from deploy.model.errors import CommandError, DeployError
from deploy.ui import Step
from deploy.ui.units import count

EXPECTED_SHARE = 0.6
"""A dump's bytes, as a share of the database's own."""
SPARE_MARK = "_before_"
FEW_ROWS = 10_000
"""A table of migrations has no more."""


class PostgresStore(DatabaseStore):
    """Every database of one server, and its roles."""

    goes_into = "\\c {}"

    def __init__(self, server: Postgres, service: str, image: str) -> None:
        self.server = server
        self.title = service
        self._service = service
        self._image = image

    @cached_property
    def _databases(self) -> tuple[str, ...]:
        return self.server.databases()

    def expected_bytes(self) -> int:
        return sum(int(self.server.about(name).size_bytes * EXPECTED_SHARE) for name in self._databases)

    def back_up(self, writing: Writing) -> Iterator[Part]:
        for name in self._databases:
            yield self._dump(name, writing)
        file = file_name(self._service, "roles", ".sql")
        written = writing.take(file, self.server.roles(), what=f"{self._service} roles", magic="--")
        yield Part(StoreKind.ROLES, self._service, "roles", file, written.size_bytes, written.sha256)

    def _dump(self, name: str, writing: Writing) -> Part:
        server, file = self.server, file_name(self._service, name, ".dump")
        about = server.about(name)
        what = f"{self._service}/{name}"
        with server.snapshot(name) as snapshot:
            # pg_dump's own packing makes all that comes after a changed row another
            command = server.dump(name, snapshot, about.server_version, packed=not writing.alike)
            written = writing.take(
                file, command, what=what, magic="PGDMP", pack=writing.alike, of_bytes=about.size_bytes
            )
            writing.step.show(f"{what}: counting")
            tables = snapshot.tables()
        writing.step.show(f"{what}: reading it back")
        verify_readable(server, lambda command: writing.feed(written.name, command), what, tables)
        return Part(
            StoreKind.POSTGRES,
            self._service,
            name,
            written.name,
            written.size_bytes,
            written.sha256,
            tables,
            {
                "image": self._image,
                "server_version": about.server_version,
                "tool_version": server.shell.run(server.program("pg_dump", "--version")).stdout.strip(),
                "encoding": about.encoding,
                "collate": about.collate,
                "ctype": about.ctype,
                "owner": about.owner,
            },
        )

    def holds(self, part: Part) -> bool:
        return part.kind in {StoreKind.POSTGRES, StoreKind.ROLES} and part.service == self._service

    def check(self, part: Part) -> None:
        if part.kind == StoreKind.ROLES:
            return
        server = self.server.query("SHOW server_version", SERVERS_OWN)[0][0]
        made_by = major_version(part.facts["server_version"])
        if made_by > major_version(server):
            raise DeployError(
                f"{part.title} was made by PostgreSQL {made_by}, the server is {major_version(server)}",
                "restore it into a server of its own version or a newer one",
            )
        owner = part.facts["owner"]
        if not self.server.query(f"SELECT 1 FROM pg_roles WHERE rolname = {literal(owner)}", SERVERS_OWN):
            raise DeployError(
                f"the server has no role '{owner}', who owns {part.title}",
                f"make it, as {self._service}.roles.sql in the backup says, then restore again",
            )

    def contents(self, part: Part) -> Mapping[str, Content]:
        if isinstance(part, SomeTables):
            require_tables(self.server, part)
            return self.server.tables(part.name, lock_timeout="3s", only=part.contents)
        if part.kind == StoreKind.ROLES or not self.server.exists(part.name):
            return {}
        return self.server.tables(part.name, lock_timeout="3s")

    def exists(self, database: str) -> bool:
        return self.server.exists(database)

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        if part.kind == StoreKind.ROLES:
            return _nothing(part)
        fresh = f"{part.name}_restore_{restoring.mark}"
        return (
            self._prepare_rows(fresh, part, restoring)
            if isinstance(part, SomeTables)
            else self.prepare_as(fresh, part, restoring)
        )

    def prepare_as(self, fresh: str, part: Part, restoring: Restoring) -> Prepared:
        server, step = self.server, restoring.step
        spare = f"{part.name}{SPARE_MARK}{restoring.mark}"
        step.show(f"{part.title}: reading the dump")
        verify_readable(server, lambda command: restoring.feed(part, command), part.title, part.contents)
        try:
            step.show(f"{part.title}: restoring beside")
            self._create(part, fresh)
            if isinstance(part, SomeTables):
                load_some(server, part, fresh, restoring)
            else:
                self._load_whole(part, fresh, restoring)
            server.query("ANALYZE", fresh)
            step.show(f"{part.title}: comparing")
            only = part.contents if isinstance(part, SomeTables) else None
            if problems := difference(part.contents, server.tables(fresh, checksums=True, only=only)):
                raise wrong(part, problems)
        except CommandError as error:
            self._drop(fresh)
            raise DeployError(f"{part.title} could not be restored", details=error.stderr) from error
        except BaseException:
            self._drop(fresh)
            raise
        return Prepared(part, lambda _: self._swap(part.name, fresh, spare), lambda: self._drop(fresh))

    def _prepare_rows(self, fresh: str, part: SomeTables, restoring: Restoring) -> Prepared:
        """Some tables in a database beside, of which only rows are taken over: see `replace_rows`."""
        live = require_tables(self.server, part)
        beside = self.prepare_as(fresh, part, restoring)
        try:
            tables = tables_called(self.server, fresh, tuple(part.contents))
            require_alike(part, live, tables)
            made = lacking(self.server, fresh, [table for name, table in tables.items() if name not in live])
        except BaseException:
            beside.discard()
            raise

        def swap(step: Step) -> str:
            step.show(f"{part.title}: {count(part.count, 'row')}")
            replace_rows(self.server, part, fresh, tables, made)
            with contextlib.suppress(CommandError):  # the rows are in place
                beside.discard()
            return ""

        return Prepared(part, swap, beside.discard)

    def outline(self, part: Part, restoring: Restoring) -> Prepared:
        """A database like a part's, in a moment whatever its size: every table, but rows only in those with few.

        Without indexes and constraints. It says as much of the schema, and of which migrations have run, as the whole.
        For a server that is thrown away. Raises DeployError.
        """
        fresh, spare = f"{part.name}_restore_{restoring.mark}", f"{part.name}{SPARE_MARK}{restoring.mark}"
        few = [name for name, content in part.contents.items() if 0 < content.count <= FEW_ROWS]
        rows = [("--data-only", *named(few))] if few else []
        try:
            self._create(part, fresh)
            for words in (("--section=pre-data",), *rows):
                load(self.server, part, fresh, restoring, *words)
        except CommandError as error:
            raise DeployError(f"{part.title} could not be restored", details=error.stderr) from error
        return Prepared(part, lambda _: self._swap(part.name, fresh, spare), lambda: self._drop(fresh))

    def _load_whole(self, part: Part, fresh: str, restoring: Restoring) -> None:
        """By several processes where that helps. Where they fail by one: a constraint may need another table's rows."""
        if worth_a_file(part):
            if load_at_once(self.server, part, fresh, restoring):
                return
            self._drop(fresh)
            self._create(part, fresh)
        load(self.server, part, fresh, restoring)

    def _drop(self, name: str) -> None:
        self.server.execute(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    def _create(self, part: Part, name: str) -> None:
        facts = part.facts
        self.server.execute(
            f"CREATE DATABASE {identifier(name)} TEMPLATE template0 OWNER {identifier(facts['owner'])} "
            f"ENCODING {literal(facts['encoding'])} "
            f"LC_COLLATE {literal(facts['collate'])} LC_CTYPE {literal(facts['ctype'])}"
        )

    def _swap(self, live: str, fresh: str, spare: str) -> str:
        """Rename, with everybody sent away for the instant that takes; connections come back by themselves.

        The copy that an earlier restore has kept is dropped afterwards: one is enough.
        """
        server = self.server
        pattern = literal(_pattern(live))
        older = server.query(f"SELECT datname FROM pg_database WHERE datname LIKE {pattern}", SERVERS_OWN)
        if not server.exists(live):
            server.execute(f"ALTER DATABASE {identifier(fresh)} RENAME TO {identifier(live)}")
            return ""
        try:
            server.execute(
                f"ALTER DATABASE {identifier(live)} ALLOW_CONNECTIONS false;\n"
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(live)};\n"
                "BEGIN;\n"
                f"ALTER DATABASE {identifier(live)} RENAME TO {identifier(spare)};\n"
                f"ALTER DATABASE {identifier(fresh)} RENAME TO {identifier(live)};\n"
                "COMMIT;\n"
                f"ALTER DATABASE {identifier(spare)} ALLOW_CONNECTIONS true;",
                "template1" if live == SERVERS_OWN else SERVERS_OWN,
            )
        except BaseException:
            if not server.exists(spare):
                server.execute(f"ALTER DATABASE {identifier(live)} ALLOW_CONNECTIONS true")
            raise
        for (name,) in older:
            server.execute(f"DROP DATABASE {identifier(name)} WITH (FORCE)")
        return spare


def _nothing(part: Part) -> Prepared:
    """Roles are not restored over those that are there."""
    return Prepared(part, lambda _: "", lambda: None)


def _pattern(live: str) -> str:
    r"""Names of databases that a restore has kept, for LIKE, where `_` stands for any character."""
    return live.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + SPARE_MARK.replace("_", "\\_") + "%"
