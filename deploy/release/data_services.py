"""Data services: brought up before the release that needs them, and attached to its networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from deploy.model.command import Command, sequence
from deploy.model.errors import CommandError, DeployError
from deploy.model.journal import DATA_STEP
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step

READY_TIMEOUT_S = 300
T = TypeVar("T")


class DataUp(Action):
    """Brings the data project to the staged state. Never undone: the old release can work with a newer definition, and
    a database is not restarted twice for a release that failed."""

    title = DATA_STEP

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site = self._change.site
        try:
            step.result = with_known_networks(site, self._containers, lambda: self._up(step))
        except CommandError as error:
            logs = site.shell.run(site.compose_data.then("logs", "--tail", 20, "--no-color"), check=False).stdout
            raise DeployError(
                f"{site.shell.name}: the data services are not healthy",
                "nothing users see has changed; mend it and deploy again",
                details=f"{logs}\n{error.stderr}",
            ) from error

    @property
    def _containers(self) -> Sequence[str]:
        return [self._change.site.layout.data_container(name) for name in self._change.data]

    def command(self) -> Command:
        """What is run on the host; its last line says what came of it."""
        site = self._change.site
        project, services = site.layout.data_project, len(self._change.data)
        return site.bare("data-up.sh", str(site.layout.root), READY_TIMEOUT_S, project, services, *self.lent())

    def lent(self) -> tuple[str, ...]:
        """Container, network and aliases in turn: where they are to be from their start on, besides their own."""
        return ()

    def _up(self, step: Step) -> str:
        site = self._change.site
        return site.shell.run(site.guarded(self.command()), on_line=step.show).stdout.strip()


class MakeNetworks(Action):
    """Makes the release's networks and its containers, not started, and puts the data services into these networks."""

    title = "Make the release's networks"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site, record = self._change.site, self._change.record
        apps = any(one.kind != Kind.DATA for one in record.services.values())
        # compose refuses a document without services, which a stack has where all of it lives on
        make = [site.compose(record.id).then("up", "--no-start", "--no-build", "--remove-orphans")] if apps else []
        attach = site.bare("attach.sh", *self.triples())
        site.shell.run(site.guarded(sequence(*make, attach, name="docker compose up --no-start")), on_line=step.show)

    def triples(self) -> tuple[str, ...]:
        """Where the data services belong, for `attach.sh`."""
        return lasting_triples(self._change.site, self._change.record, self._change.data)

    def undo(self) -> None:
        leave_networks(self._change.site, self._change.record)


def lasting_triples(
    site: Site, record: ReleaseRecord, services: Iterable[str], called: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Container, network and aliases in turn: where data services belong into a release's networks, for `attach.sh`.

    `called` are their containers' names, where compose has not started them.
    """
    return tuple(
        word
        for name in services
        if name in record.services
        for network, aliases in record.services[name].networks.items()
        if network in record.networks
        for word in (
            (called or {}).get(name) or site.layout.data_container(name),
            site.layout.release_network(record.id, network),
            ",".join(aliases),
        )
    )


def lasting_pairs(site: Site, record: ReleaseRecord) -> tuple[str, ...]:
    """Container and network in turn: which of the lasting containers, data services and edge, are in a release's."""
    containers = [site.layout.data_container(name) for name, one in record.services.items() if one.kind == Kind.DATA]
    return tuple(
        word
        for container in (*containers, site.layout.edge_container)
        for network in sorted(record.networks)
        for word in (container, site.layout.release_network(record.id, network))
    )


def with_known_networks(site: Site, containers: Sequence[str], start: Callable[[], T]) -> T:
    """What `start` returns; it is tried again when lasting containers could not start for a network that is gone."""
    try:
        return start()
    except CommandError:
        if not site.run("forget.sh", *containers).stdout.strip():
            raise
        return start()


def leave_networks(site: Site, record: ReleaseRecord) -> None:
    """Take the lasting containers out of a release's networks."""
    site.run("detach.sh", *lasting_pairs(site, record))
