"""A rehearsal on a host: servers with a copy of the data, and the new release's migrations beside them.

The servers are of the images that the backup was made from, on a network of their own that leads nowhere else, under
the names that the release knows them by. The new release's containers are on that network only, and mount nothing that
anybody else does.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from deploy.data.drill import scratch_image, scratch_postgres
from deploy.data.find import look
from deploy.data.postgres import Postgres
from deploy.data.postgres_store import PostgresStore
from deploy.data.repository import Stored
from deploy.data.restore import check_backup
from deploy.data.store import Restoring
from deploy.data.watch import relations, rewritten, watched
from deploy.model.backup import Part, StoreKind
from deploy.model.errors import CommandError, DeployError
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.locks import Held, blocked
from deploy.model.migrations import Schema
from deploy.model.rehearsal import (
    Rehearsed,
    Report,
    Rows,
    Scratch,
    beside,
    changed_rows,
    elsewhere,
    names_of,
    rehearsal_document,
)
from deploy.model.render import render_data, render_release
from deploy.model.settings import Engine
from deploy.model.stack import not_yours
from deploy.model.swarm.names import data_stack, service_name
from deploy.release.change import Change
from deploy.release.migrate import OneOffs, listed, pending
from deploy.release.prepare import Prepared
from deploy.release.site import COMPOSE
from deploy.release.stage import SECRET_MODE, add_folder, add_rendered, add_text, archive_to
from deploy.shell import Shell
from deploy.shell.packaged import packaged

OUTLINE, WHOLE = "outline", "rehearsal"
READY_TIMEOUT_S = 120


@dataclass(frozen=True)
class Copy:
    """One server of the rehearsal, and what of a backup is in it."""

    server: Postgres
    store: PostgresStore
    parts: tuple[Part, ...]
    several: bool
    """Whether tables must be named with their database to be told apart."""

    @property
    def names(self) -> Mapping[str, str]:
        """Each database, with what stands before the names of its tables in a report."""
        return {part.name: f"{part.title} " if self.several else "" for part in self.parts}


class Rehearsal:
    """One rehearsal. Whoever runs it sweeps afterwards, whatever came of it."""

    def __init__(
        self,
        change: Change,
        prepared: Prepared,
        migrating: Sequence[str],
        databases: Collection[str],
        restoring: Restoring,
        found: Collection[str],
    ) -> None:
        """`databases` are the services to restore, `found` those that did not declare how they migrate."""
        self._change = change
        self._prepared = prepared
        self._migrating = migrating
        self._databases = databases
        self._restoring = restoring
        self._found = found
        self.layout = HostLayout(f"windlass-rehearsal-{secrets.token_hex(4)}", change.site.layout.root / "rehearsal")

    def run(self, stored: Stored) -> Report | None:
        """What was found; nothing when nothing is pending. Raises DeployError when the migrations fail."""
        restoring, step = self._restoring, self._restoring.step
        with ExitStack() as servers:
            self._shell.run(packaged("data", "scratch.sh", "network", self._owner, self.layout.project))
            copies = [*self._copies(servers)]
            for copy in copies:
                check_backup(restoring.repository, stored, [(part, copy.store) for part in copy.parts])
            runs = self._release(beside(self._change.record, self._migrating, self._databases))
            outline = Restoring(restoring.repository, restoring.backup, OUTLINE, step)
            for copy in copies:
                for part in copy.parts:
                    copy.store.outline(part, outline).swap(step)
            found = pending(runs, self._migrating, step)
            if not found:
                return None
            for copy in copies:
                for part in copy.parts:
                    copy.store.prepare(part, restoring).swap(step)
            return self._report(runs, copies, found)

    @property
    def _shell(self) -> Shell:
        return self._change.site.shell

    @property
    def _owner(self) -> str:
        return self._change.site.layout.project

    def _names(self, service: str) -> tuple[str, ...]:
        change, layout = self._change, self._change.site.layout
        called = layout.data_container(service)
        if change.environment.engine == Engine.SWARM:
            called = service_name(data_stack(layout.project), service)
        return names_of(service, change.record.services[service], called)

    def _copies(self, servers: ExitStack) -> Iterator[Copy]:
        """A server for each database service, with its roles."""
        restoring = self._restoring
        running = {one.service: one.image for one in look(self._shell, [self._change.site.layout.data_project])}
        for service in self._databases:
            parts = [part for part in restoring.backup.parts if part.service == service]
            own = tuple(part for part in parts if part.kind == StoreKind.POSTGRES)
            image = scratch_image(self._shell, own[0], running)
            names = self._names(service)
            server = servers.enter_context(scratch_postgres(own[0], image, restoring, self.layout.project, names))
            several = len(own) > 1 or len(self._databases) > 1
            yield Copy(server, PostgresStore(server, service, image), own, several)

    def _release(self, others: Sequence[str]) -> OneOffs:
        """The new release beside the servers, with empty ones for the data services that it may ask for."""
        record, step = self._change.record, self._restoring.step
        self._stage(others)
        compose = COMPOSE.then("--file", f"{self.layout.release(record.id)}/compose.yaml")
        if others:
            step.show(f"starting {', '.join(others)}, empty")
            up = compose.then("up", "--detach", "--no-build", "--wait", "--wait-timeout", READY_TIMEOUT_S, *others)
            self._shell.run(up, check=False)  # what does not come up may not be needed: if it is, the migration says so
        return OneOffs(self._shell, record, compose)

    def _stage(self, others: Sequence[str]) -> None:
        """Write the compose document of the rehearsal to the host, and the files that it mounts."""
        prepared, record, layout = self._prepared, self._change.record, self.layout
        images = {name: one.image for name, one in record.services.items()}
        app = render_release(prepared.stack, images, layout, record.id, prepared.places)
        data = render_data(prepared.stack, images, layout, prepared.places)
        scratch = Scratch(layout.project, layout.project, self._owner, (layout.releases, layout.data))
        names = {name: self._names(name) for name in others}
        document = rehearsal_document(app.document, data.document, self._migrating, names, scratch)
        release = f"releases/{record.id}"
        with self._shell.start(self._change.site.bare("rehearsal.sh", "unpack", str(layout.root))) as process:
            with archive_to(process) as archive:
                for folder in ("releases", release, "data"):
                    add_folder(archive, folder)
                add_rendered(archive, release, app)
                add_rendered(archive, "data", data)
                text = json.dumps(document, indent=1, ensure_ascii=False)
                add_text(archive, f"{release}/compose.yaml", text, SECRET_MODE)
            process.close_stdin()
            complaint = process.read_stderr(1 << 16).decode(errors="replace")
            if process.wait():
                raise DeployError(
                    f"{self._shell.name}: the files of the rehearsal could not be written",
                    "see above",
                    details=complaint,
                )

    def _report(self, runs: OneOffs, copies: Sequence[Copy], found: Mapping[str, Schema]) -> Report:
        """Migrate while the servers are watched, and see what became of their tables."""
        before = [relations(copy.server, copy.names) for copy in copies]
        with ExitStack() as watching:
            watches = [watching.enter_context(watched(copy.server)) for copy in copies]
            rehearsed = tuple(self._migrate(runs, name, schema) for name, schema in found.items())
        self._restoring.step.show("looking at what has changed")
        held: list[Held] = []
        anew: list[str] = []
        rows: Rows = {}
        for copy, known, watch in zip(copies, before, watches, strict=True):
            held += watch.held(known)
            anew += rewritten(known, relations(copy.server, copy.names))
            for part in copy.parts:
                rows |= changed_rows(copy.names[part.name], part.contents, copy.server.tables(part.name))
        return Report(self._restoring.backup.id, rehearsed, blocked(held), tuple(anew), rows)

    def _migrate(self, runs: OneOffs, service: str, schema: Schema) -> Rehearsed:
        step, began = self._restoring.step, time.monotonic()
        try:
            runs.migrate(service, step)
        except CommandError as error:
            left = listed(runs, service, step) if schema.pending else None
            at = f", at {left.pending[0]}" if left and left.pending else ""
            raise DeployError(
                f"{self._shell.name}: the migrations of {service} fail on the data of {self._restoring.backup.id}{at}; "
                "nothing of production was touched",
                self._mend(service),
                details=error.stderr,
            ) from error
        return Rehearsed(service, schema.pending, round(time.monotonic() - began, 2))

    def _mend(self, service: str) -> str:
        data = [name for name, one in self._change.record.services.items() if one.kind == Kind.DATA]
        reached = [word for name in data for word in self._names(name)]
        away = elsewhere(self._prepared.stack.services[service].environment, reached)
        mend = not_yours(service, "migrate") if service in self._found else "mend them, then rehearse again"
        return f"{mend}; a rehearsal reaches {', '.join(data)} and not {', '.join(away)}" if away else mend
