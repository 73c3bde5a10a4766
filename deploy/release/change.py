"""The context that the steps of one change on one host share."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.model.edge import EMPTY, EdgeState
from deploy.model.facts import Facts
from deploy.model.journal import Probes
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
    backup: str = ""
    stands: bool = False
    """Set when the release serves and nothing will take that back any more."""
    watch: Watch | None = None
    probes: Probes | None = None
    """What was seen from outside, once the watch has ended."""
    notes: list[str] = field(default_factory=list)
    """Shown at the end."""

    def __post_init__(self) -> None:
        if self.facts.edge:
            self.edge = self.facts.edge

    def stop_watching(self) -> None:
        """End the watch, if one goes on, and keep what it saw."""
        if self.watch:
            self.probes = self.watch.stop()
            self.watch = None

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

    def running(self, record: ReleaseRecord) -> tuple[str, ...]:
        """Services of a release that ran when the change began."""
        containers = self.facts.release_containers(self.site.layout, record.id)
        return tuple(dict.fromkeys(container.service for container in containers if container.running))

    @property
    def data(self) -> tuple[str, ...]:
        return tuple(name for name, service in self.record.services.items() if service.kind == Kind.DATA)

    @property
    def jobs(self) -> tuple[str, ...]:
        return tuple(name for name, service in self.record.services.items() if service.kind == Kind.JOB)
