"""What one round trip to a host found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.model.edge import EdgeState
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, parse_journal
from deploy.model.layers import Layers
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord

_KB = 1024
# `uname -m` to the names that images are built for
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "s390x": "s390x", "ppc64le": "ppc64le"}


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

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def health(self) -> str:
        """healthy, unhealthy, starting, or the state where there is no health check."""
        for word in ("unhealthy", "healthy", "starting"):
            if f"({word})" in self.status or f"health: {word}" in self.status:
                return word
        return self.state


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
    data: Mapping[str, Any] = field(repr=False)
    """State of the data project: parts of each service by name."""
    lock: Mapping[str, str]
    """Who holds the project's lock right now: `by`, `purpose`, `since`. Empty when nobody does."""
    frozen: Mapping[str, str]
    """Who asked that nothing be changed: `by`, `since`, `message`. Empty when nobody did."""
    journal: tuple[Entry, ...]

    @property
    def live(self) -> ReleaseRecord | None:
        """The release that users see. The running edge knows best; without one, the `current` link says."""
        if self.edge and self.edge_serves in self.edge.slots:
            target = self.edge.slots[self.edge_serves]
            if target and target.release in self.releases:
                return self.releases[target.release]
        return self.releases.get(self.current)

    def of_project(self, project: str) -> tuple[Container, ...]:
        return tuple(container for container in self.containers if container.project == project)

    def release_containers(self, layout: HostLayout, release_id: str) -> tuple[Container, ...]:
        return self.of_project(layout.release_project(release_id))


def parse_facts(text: str, host: str) -> Facts:
    """Facts from what `facts.sh` printed. Raises DeployError when the text is not whole."""
    sections = dict(_sections(text))
    if "end" not in sections:
        raise DeployError(f"{host}: its facts could not be read", "run the command again", details=text[-2000:])
    about = _pairs(sections["host"]) | _pairs(sections["engine"])
    releases, unreadable = _releases(sections, host)
    return Facts(
        host=host,
        user=about["user"],
        architecture=ARCHITECTURES.get(about["arch"], about["arch"]),
        distribution=about.get("distribution", ""),
        now=datetime.fromtimestamp(int(about["now"]), UTC),
        root_writable="root_writable" in about,
        sudo="sudo" in about,
        engine_version=about.get("version", ""),
        engine_error="" if about.get("version") else sections["engine"].strip(),
        compose_version=about.get("compose", ""),
        data_free_bytes=int(about.get("data_free_kb", about.get("root_free_kb", 0))) * _KB,
        images=dict(_images(sections["images"])),
        layers=dict(_layers(sections["layers"])),
        zstd="zstd" in about,
        memory_bytes=int(about.get("memory_kb", 0)) * _KB,
        containers=tuple(_containers(sections["containers"])),
        listening=frozenset(_ports(sections["listening"])),
        current=sections.get("current", "").strip(),
        releases=releases,
        unreadable=unreadable,
        edge=EdgeState.from_json(sections["edge"]) if "edge" in sections else None,
        edge_serves=_live_slot(sections.get("edge-live", "")),
        data=json.loads(sections.get("data") or "{}"),
        lock=json.loads(sections.get("lock") or "{}"),
        frozen=json.loads(sections.get("frozen") or "{}"),
        journal=parse_journal(sections.get("journal", "")),
    )


def _sections(text: str) -> Iterator[tuple[str, str]]:
    name = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("@@"):
            yield name, "\n".join(lines)
            name, lines = line[2:], []
        else:
            lines.append(line)
    yield name, "\n".join(lines)


def _pairs(text: str) -> dict[str, str]:
    return {
        key: value for key, equals, value in (line.partition("=") for line in text.splitlines()) if equals and value
    }


def _releases(sections: Mapping[str, str], host: str) -> tuple[dict[str, ReleaseRecord], tuple[str, ...]]:
    releases, unreadable = {}, []
    for name, text in sections.items():
        if not name.startswith("release "):
            continue
        release_id = name.removeprefix("release ")
        try:
            releases[release_id] = ReleaseRecord.from_json(text, where=f"{host}: release {release_id}")
        except DeployError as error:
            unreadable.append(error.message)
    return dict(sorted(releases.items())), tuple(unreadable)


def _images(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        image_id, _, reference = line.partition(" ")
        if not reference.endswith(":<none>"):
            yield reference, image_id


def _layers(text: str) -> Iterator[tuple[str, Layers]]:
    for line in text.splitlines():
        image_id, *layers = line.split()
        yield image_id, tuple(layers)


def _containers(text: str) -> Iterator[Container]:
    fields = 7
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == fields:
            yield Container(*parts)


def _ports(text: str) -> Iterator[int]:
    for line in text.splitlines():
        port = line.rpartition(":")[2]
        if port.isdigit():
            yield int(port)


def _live_slot(text: str) -> str:
    """`show map` prints an address, the key and its value."""
    for line in text.splitlines():
        words = line.split()
        if words[-2:-1] == ["live"]:
            return words[-1]
    return ""
