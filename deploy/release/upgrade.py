"""A release's database whose server becomes another major version: its definition, and what is recorded of it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from deploy.data.find import look
from deploy.data.home import Home
from deploy.engine.health import start
from deploy.engine.images import missing
from deploy.model.command import Command, sequence
from deploy.model.errors import CommandError, DeployError
from deploy.model.fingerprint import changed_parts
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plan import Wanted, make_plan
from deploy.model.receiver import receiver_of
from deploy.model.release import ReleaseRecord
from deploy.model.render import render_data
from deploy.model.stack import Service
from deploy.push.send import push_images
from deploy.release.change import Change
from deploy.release.data_services import READY_TIMEOUT_S, lasting_triples, with_known_networks
from deploy.release.deploy import obtain_and_build
from deploy.release.edge import point_edge
from deploy.release.lock import Hold, locked, require_thawed
from deploy.release.prepare import Prepared, whoami
from deploy.release.push import receiver
from deploy.release.records import keep_journal
from deploy.release.site import Site
from deploy.release.stores import repository_of
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.units import size

MOVES = frozenset({"image", "volumes"})
"""Parts of a definition that may differ in an upgrade: images of another version may keep their data elsewhere."""
SECTIONS = ("networks", "volumes", "configs", "secrets")
"""Of a document, those with what services need beside them."""


@dataclasses.dataclass(frozen=True)
class Definition:
    """What a host has of its data services."""

    document: Mapping[str, Any] = dataclasses.field(repr=False)
    state: Mapping[str, Any] = dataclasses.field(repr=False)
    record: ReleaseRecord


class There(Home):
    """A release on a host."""

    def __init__(
        self,
        site: Site,
        prepared: Prepared,
        live: ReleaseRecord,
        local: LocalShell,
        console: Console,
        paused: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.project = site.layout.project
        self.release = live.id
        self.stack = prepared.stack
        self.local = local
        self.repository = repository_of(site, prepared.environment)
        self.words = f" --env {prepared.environment.name} --host {site.shell.name}"
        self.data_projects = (site.layout.data_project,)
        self.tells_users = site.first_look.edge is not None
        self._site = site
        self._prepared = prepared
        self._live = live
        self._console = console
        self._paused = paused
        self._before: Definition | None = None

    def obtain(self, service: Service) -> str:
        reference = self._prepared.record.services[service.name].image
        plan = make_plan(Wanted(self._prepared.record, frozenset(), 0, ()), self._site.first_look, self._site.layout)
        lacked = missing(self.local, [reference])
        build = (service.name,) if service.build and lacked else ()
        only = dataclasses.replace(plan, build=build, push=() if service.build else (reference,))
        obtain_and_build(self._prepared, only, self.local, self._console)
        return reference

    def bring(self, image: str, step: Step) -> None:
        site = self._site
        absent = missing(site.shell, [image])
        sent = push_images(self.local, receiver(site, site.first_look), absent, step, earlier={})
        step.result = f"{size(sent.sent_bytes)} sent" if absent else "the host has it"

    @contextlib.contextmanager
    def changing(self, purpose: str) -> Iterator[None]:
        site = self._site
        with self._locked(purpose) as hold:
            require_thawed(hold.facts)
            live = hold.facts.live
            if live is None or live.id != self._live.id:
                raise DeployError(
                    f"{site.shell.name}: another release went live in the meantime", "run the command again"
                )
            change = Change(site, self._prepared.environment, hold.facts, live)
            entry = Entry(datetime.now(UTC), Outcome.STARTED, live.id, whoami(), str(live.revision), live.id)
            with keep_journal(hold, entry, change, Outcome.UPGRADED):
                yield

    def _locked(self, purpose: str) -> AbstractContextManager[Hold]:
        return locked(self._site, purpose, datetime.now(UTC), self._console)

    def paused(self) -> AbstractContextManager[None]:
        return self._paused()

    def apps(self) -> tuple[str, ...]:
        projects = [self._site.layout.release_project(name) for name in self._site.first_look.releases]
        return tuple(one.id for one in look(self.shell, projects) if one.running)

    def require_only(self, service: Service) -> None:
        """Raises DeployError where the checkout wants more of a service changed than its version."""
        known: Mapping[str, str] = self._site.first_look.data.get(service.name) or {}
        parts = changed_parts(known, self._prepared.record.services[service.name].parts)
        more = [name for name in parts if name not in MOVES and not name.startswith("volumes.")]
        if more:
            raise DeployError(
                f"{service.name} differs from what runs in more than its image: {', '.join(more)}",
                f"deploy that with the old image first: inv {self._prepared.environment.name}.deploy",
            )

    def start(self, service: Service, step: Step) -> None:
        self._before = before = self._defined()
        known = self._prepared.record.services
        # what receives the server's WAL is of its version, too
        records = {name: known[name] for name in (service.name, receiver_of(service.name)) if name in known}
        parts = {name: one.parts for name, one in records.items()}
        wanted = self._wanted(parts)
        document = {**before.document, "services": {**before.document["services"]}}
        document["services"] |= {name: wanted["services"][name] for name in records}
        for section in SECTIONS:
            if merged := {**(document.get(section) or {}), **(wanted.get(section) or {})}:
                document[section] = merged
        services = {**before.record.services, **records}
        self._bring_up(
            Definition(
                document,
                {**before.state, **parts},
                dataclasses.replace(before.record, services=services),
            ),
            service,
            step,
        )

    def start_before(self, service: Service, image: str, step: Step) -> None:  # noqa: ARG002  # its name is in there
        if self._before:
            self._bring_up(self._before, service, step)

    def start_apps(self, apps: Sequence[str], step: Step) -> None:
        if not apps:
            return
        site, live = self._site, self._live
        project = site.layout.release_project(live.id)
        names = {one.service for one in look(site.shell, [project]) if one.id in apps}
        jobs = [name for name in names if live.services[name].kind == Kind.JOB]
        ends = [name for name in names if live.services[name].may_end]
        begin = site.guarded(Command("docker", "start", *apps))
        start(
            site.shell,
            begin,
            site.compose(live.id),
            project,
            sorted(names),
            jobs=jobs,
            ends=ends,
            what="what uses the database",
            step=step,
        )
        edge = site.facts().edge
        if edge and edge.live_release == live.id:
            step.show("waiting for the edge")
            # pointed where it points: that waits until it has seen every server up at the address that it has now
            point_edge(site, edge, edge.live, fill=None, current=live.id)
        step.result = ", ".join(sorted(names))

    def _wanted(self, parts: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
        """The document of all data services as the checkout has them; `parts` are those of the ones to start."""
        prepared = self._prepared
        images = {name: one.image for name, one in prepared.record.services.items()}
        return render_data(prepared.stack, images, self._site.layout, prepared.places, parts).document

    @property
    def _document_path(self) -> PurePosixPath:
        """Where the document of the data services is on the host."""
        return self._site.layout.data / "compose.yaml"

    def _defined(self) -> Definition:
        site = self._site
        facts = site.facts()
        live = facts.live
        if live is None:
            raise DeployError(f"{site.shell.name}: no release is live there any more")
        text = site.shell.run(Command("cat", str(self._document_path))).stdout
        try:
            document = json.loads(text)
        except ValueError as error:
            raise DeployError(
                f"{site.shell.name}: {self._document_path} was rewritten by hand",
                f"inv {self._prepared.environment.name}.drift says more",
            ) from error
        return Definition(document, facts.data, live)

    def _bring_up(self, definition: Definition, service: Service, step: Step) -> None:
        """In one go on the host: once it has begun, it goes on when we are gone."""
        site, layout = self._site, self._site.layout
        facts = site.facts()
        serving = [one for name, one in facts.releases.items() if name == self._live.id or facts.is_warm(name)]
        networks = [word for one in serving for word in lasting_triples(site, one, [service.name])]
        redefine = site.bare("redefine.sh", str(layout.root), self._live.id)
        count = len(definition.document["services"])
        up = site.bare("data-up.sh", str(layout.root), READY_TIMEOUT_S, layout.data_project, count)
        attach = site.bare("attach.sh", *networks)
        texts = (
            json.dumps(definition.document, indent=1, ensure_ascii=False),
            json.dumps(definition.state, indent=1),
            definition.record.to_json(),
        )
        stdin = b"".join(base64.b64encode(text.encode()) + b"\n" for text in texts)
        command = site.guarded(sequence(redefine, up, attach, name="data-up.sh"))
        containers = [layout.data_container(service.name)]
        try:
            with_known_networks(site, containers, lambda: site.shell.run(command, stdin=stdin, on_line=step.show))
        except CommandError as error:
            logs = site.shell.run(site.compose_data.then("logs", "--tail", 20, "--no-color", service.name), check=False)
            raise DeployError(
                f"{site.shell.name}: {service.name} is not healthy", details=f"{logs.stdout}\n{error.stderr}"
            ) from error
