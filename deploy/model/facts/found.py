"""A host as it was found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.model.edge import Certificate, EdgeState
from deploy.model.facts.machine import Machine
from deploy.model.journal import Entry
from deploy.model.layers import Layers
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord

# `uname -m` to the names that images are built for
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "s390x": "s390x",
    "ppc64le": "ppc64le",
}


@dataclass(frozen=True)
class Container:
    """A container on the host."""

    name: str
    state: str
    """created, running, exited, …"""
    status: str
    """Docker's words, with the health: "Up 3 minutes (healthy)"."""
    project: str
    service: str
    image: str
    ports: str
    id: str = ""

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def ended_well(self) -> bool:
        """Whether it has ended with status 0."""
        return self.state == "exited" and self.status.startswith("Exited (0)")

    def publishes(self, port: int) -> bool:
        """Whether it holds a TCP port of the host."""
        found = re.findall(r":(\d+)(?:-(\d+))?->\S+/tcp", self.ports)
        return any(int(first) <= port <= int(last or first) for first, last in found)

    @property
    def health(self) -> str:
        """healthy, unhealthy, starting, or the state where there is no health check."""
        for word in ("unhealthy", "healthy", "starting"):
            if f"({word})" in self.status or f"health: {word}" in self.status:
                return word
        return self.state


@dataclass(frozen=True)
class Mounted:
    """A volume or a folder of the host in a container that was started by hand."""

    type: str
    """volume, bind"""
    source: str
    """A volume's name, or a path on the host."""
    target: str


@dataclass(frozen=True)
class OnCluster:
    """What a cluster has of the project. Only its managers can tell; all is empty on other machines."""

    services: frozenset[str] = frozenset()
    """By their names there: `shop_web`, `shop-data_db`."""
    data_node: str = ""
    """The node that keeps the project's volumes there."""
    here: bool = False
    """Whether this machine is that node."""


@dataclass(frozen=True)
class Facts:
    """A host as it was found."""

    host: str
    user: str
    architecture: str
    distribution: str
    now: datetime
    root_writable: bool
    sudo: bool
    engine_version: str
    """Empty when no engine answers; `engine_error` then says why."""
    engine_error: str
    compose_version: str
    data_free_bytes: int
    images: Mapping[str, str]
    """Reference to image id."""
    layers: Mapping[str, Layers]
    """Image id to its layers."""
    zstd: bool
    """Whether there is a `zstd` to decompress deltas with."""
    containerd: bool
    """Whether the engine keeps images in containerd's store."""
    memory_bytes: int
    """What can be used without swapping."""
    containers: tuple[Container, ...]
    listening: frozenset[int]
    current: str
    """What the `current` link names; empty before the first release."""
    releases: Mapping[str, ReleaseRecord]
    unreadable: tuple[str, ...]
    """Releases whose record cannot be read, with the reason."""
    edge: EdgeState | None
    edge_serves: str
    """The slot that the running edge sends requests to; empty when it does not run."""
    edge_runs: tuple[str, str]
    """The running edge's image id and the digest of the definition it was made from; empty when none runs."""
    certificates: tuple[Certificate, ...]
    """Those that the running edge has."""
    maintenance: Mapping[str, str]
    """Who put the project into maintenance: `by`, `since`, `message`. Empty when nobody did."""
    data: Mapping[str, Any] = field(repr=False)
    """State of the data project: parts of each service by name."""
    lock: Mapping[str, str]
    """Who holds the project's lock right now: `by`, `purpose`, `since`. Empty when nobody does."""
    frozen: Mapping[str, str]
    """Who asked that nothing be changed: `by`, `since`, `message`. Empty when nobody did."""
    journal: tuple[Entry, ...]
    warm: Mapping[str, datetime] = field(default_factory=dict)
    """Releases that are no longer live and run on to be gone back to at once, with the time when that ends."""
    data_bytes: int = 0
    """The size of the disk that the engine keeps its data on."""
    schedule: Mapping[str, Any] = field(default_factory=dict)
    """The note of the schedule that the host keeps by itself (see `model/scheduled.py`). Empty where there is none."""
    mounted: Mapping[str, tuple[Mounted, ...]] = field(default_factory=dict)
    """What the containers mount that were started by hand, by their id; before the first release only."""
    machine: Machine = field(default_factory=Machine)
    cluster: OnCluster = OnCluster()
    closed_by: str = ""
    """Who has the project's folder, where we cannot look into it: all that is in it is unknown then."""

    @property
    def live(self) -> ReleaseRecord | None:
        """The release that users see. The running edge knows best; without one, the `current` link says."""
        if self.edge and self.edge_serves in self.edge.slots:
            target = self.edge.slots[self.edge_serves]
            if target and target.release in self.releases:
                return self.releases[target.release]
        return self.releases.get(self.current)

    def is_warm(self, release_id: str) -> bool:
        """Whether a release that is no longer live is meant to run."""
        return release_id in self.warm and self.now < self.warm[release_id]

    def of_project(self, project: str) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if container.project == project)

    def by_hand(self, layout: HostLayout) -> tuple[Container, ...]:
        """Containers of this stack that somebody runs without us, by `docker compose up` in a folder of the host."""
        return tuple(one for one in self.of_project(layout.project) if one.running)

    def release_containers(self, layout: HostLayout, release_id: str) -> tuple[Container, ...]:
        return self.of_project(layout.release_project(release_id))
