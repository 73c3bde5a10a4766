"""The context that the steps of one change on one host share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.model.edge import EMPTY, EdgeState
from deploy.model.errors import DeployError
from deploy.model.facts import Container, Facts
from deploy.model.journal import Deed, Probes, Ran
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.outside import Watch
from deploy.release.site import Site


@dataclass
class Change:
    """A release on its way in, on one host, and what has happened so far."""

    site: Site
    environment: Environment
    facts: Facts
    record: ReleaseRecord
    """The release that is to serve."""
    edge: EdgeState = EMPTY
    """The edge as it is now; steps that change it keep this true."""
    bytes_sent: int = 0
    migrated: bool = False
    rehearsed: str = ""
    """The backup on which the migrations were rehearsed."""
    backup: str = ""
    migrations: tuple[Ran, ...] = ()
    reversed: bool = False
    """Whether migrations were taken back."""
    pushed: tuple[str, ...] = ()
    deeds: tuple[Deed, ...] = ()
    """What became of every service, seen when the change had ended."""
    stands: bool = False
    """Set when the release serves and nothing will take that back any more."""
    returned: bool = False
    """Set when what users had begun to get was taken back."""
    held: set[str] = field(default_factory=set)
    """What a move has taken from the engine that served, and not given back: data, ports, workers."""
    watch: Watch | None = None
    probes: Probes | None = None
    """What was seen from outside, once the watch has ended."""
    notes: list[str] = field(default_factory=list)
    """Shown at the end."""

    def __post_init__(self) -> None:
        if self.facts.edge:
            self.edge = self.facts.edge

    @property
    def data_site(self) -> Site:
        """Where the data is."""
        return self.site

    def site_of(self, service: str) -> Site:  # noqa: ARG002  # on a cluster it depends on what the service keeps
        """Where a container that runs once for a service belongs."""
        return self.site

    def stop_watching(self) -> None:
        """End the watch, if one goes on, and keep what it saw."""
        if self.watch:
            self.probes = self.watch.stop()
            self.watch = None

    def give_back(self, what: str) -> None:
        """Note that the engine that served has something again."""
        self.held.discard(what)
        self.returned = not self.held

    @property
    def previous(self) -> ReleaseRecord | None:
        """The release that serves until the switch."""
        live = self.facts.live
        return None if live is None or live.id == self.record.id else live

    @property
    def others(self) -> tuple[ReleaseRecord, ...]:
        """Releases other than the one on its way in that run: the one before, and what a killed change has left."""
        return tuple(
            record
            for release_id, record in self.facts.releases.items()
            if release_id != self.record.id and self.running(record)
        )

    @property
    def warming(self) -> ReleaseRecord | None:
        """The release before, where it is to run on for a while."""
        return self.previous if self.environment.keep_warm_s and self.previous in self.others else None

    @property
    def ending(self) -> tuple[ReleaseRecord, ...]:
        """Those of the others that end with this change. Where nothing is replaced, what is kept warm stays so."""
        kept = {self.warming.id} if self.warming else set()
        if self.previous is None:
            kept |= {record.id for record in self.others if self.facts.is_warm(record.id)}
        return tuple(record for record in self.others if record.id not in kept)

    @property
    def by_hand(self) -> tuple[Container, ...]:
        """Containers of this stack that ran without us when the change began."""
        return self.facts.by_hand(self.site.layout)

    def kind_of(self, service: str) -> Kind | None:
        """The kind of a service of the release; None where it has none of that name."""
        one = self.record.services.get(service)
        return one.kind if one else None

    def running(self, record: ReleaseRecord) -> tuple[str, ...]:
        """Services of a release that ran when the change began."""
        containers = self.facts.release_containers(self.site.layout, record.id)
        return tuple(dict.fromkeys(container.service for container in containers if container.running))

    def done(self, record: ReleaseRecord) -> tuple[str, ...]:
        """Jobs of a release that had ended well when the change began."""
        containers = self.facts.release_containers(self.site.layout, record.id)
        ended = {container.service for container in containers if container.ended_well}
        return tuple(name for name, one in record.services.items() if one.kind == Kind.JOB and name in ended)

    @property
    def data(self) -> tuple[str, ...]:
        return tuple(name for name, service in self.record.services.items() if service.kind == Kind.DATA)

    @property
    def jobs(self) -> tuple[str, ...]:
        return tuple(name for name, service in self.record.services.items() if service.kind == Kind.JOB)


@contextlib.contextmanager
def told_of_move(change: Change) -> Iterator[None]:
    """Let an error of the block say which engine serves now, where the project was to move between them."""
    try:
        yield
    except DeployError as error:
        live, wanted = change.facts.live, change.environment.engine
        if live is None or live.engine == wanted:
            raise
        now = f"{live.id} serves by {live.engine} as before"
        if change.held:
            what = ", ".join(sorted(change.held))
            now = f"not all of it went back to {live.engine} ({what}): deploy again, by {live.engine} or by {wanted}"
        raise DeployError(f"{error.message}; {now}", error.remedy, details=error.details, code=error.code) from error
