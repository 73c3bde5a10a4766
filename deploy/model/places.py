"""Where what a service mounts is on a host: with each release, kept beside them, or there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploy.model.stack import Stack, unescaped


class Place(StrEnum):
    """The three places."""

    SHIPPED = "shipped"
    """Part of the project: travels with every release."""
    KEPT = "kept"
    """Data: a folder under `shared` that outlives releases."""
    HOST = "host"
    """Outside of the project: taken to be on the host."""


@dataclass(frozen=True)
class Placement:
    """Where one file or folder is."""

    place: Place
    members: tuple[str, ...] | None = None
    """Of a shipped folder: the files that travel, relative to it. None stands for a single file."""


@dataclass(frozen=True)
class Places:
    """Where each source of a bind mount is."""

    root: Path
    """The project's folder on this machine."""
    found: Mapping[str, Placement] = field(default_factory=dict)
    """By the source as the normalized model has it."""

    def of(self, mount: Mapping[str, Any]) -> Placement:
        """For a mount that nobody looked at: read-only ones are shipped, others kept."""
        source = str(mount["source"])
        if source in self.found:
            return self.found[source]
        if not self.inside(source):
            return Placement(Place.HOST)
        return Placement(Place.SHIPPED if mount.get("read_only") else Place.KEPT)

    def has_data(self, source: str) -> bool:
        """Whether there is a folder of data below one of the project's."""
        folder = local_path(source)
        kept = (local_path(other) for other, one in self.found.items() if one.place == Place.KEPT)
        return any(other.is_relative_to(folder) for other in kept)

    def inside(self, path: str) -> bool:
        return local_path(path).is_relative_to(self.root)

    def relative(self, path: str) -> str:
        """A path of the project, relative to its folder."""
        return local_path(path).relative_to(self.root).as_posix()


def local_path(source: str) -> Path:
    """A path of the normalized model on this machine."""
    return Path(unescaped(source))


def bind_mounts(stack: Stack) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every bind mount, with the name of its service."""
    for service in stack.services.values():
        for mount in service.definition.get("volumes") or ():
            if mount.get("type") == "bind":
                yield service.name, mount


def bound_device(volume: Mapping[str, Any]) -> str:
    """The folder behind a named volume that is a bind mount by another name (`o: bind`), else an empty text."""
    options = volume.get("driver_opts") or {}
    binds = "bind" in str(options.get("o", "")).split(",")
    return str(options.get("device", "")) if binds else ""
