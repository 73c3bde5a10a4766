"""What a plan says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deploy.model.edge import Tls
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord


class Action(StrEnum):
    """What happens to a service."""

    CREATE = "create"
    """Nothing of it runs now."""
    REPLACE = "replace"
    KEEP = "keep"
    REMOVE = "remove"


class EdgeAction(StrEnum):
    """What happens to the edge beyond being pointed at the new release."""

    NONE = "none"
    """There is no public port."""
    START = "start"
    SWITCH = "switch"
    RELOAD = "reload"
    """Its configuration changes; it goes on answering."""
    RECREATE = "recreate"
    """Its image, its published ports or its definition change: it is replaced, with a gap."""


@dataclass(frozen=True)
class ValueChange:
    """A value of a compose definition that differs. Empty texts stand for values that are not there."""

    path: str
    """Where it stands: `healthcheck.interval`."""
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"{self.path}: added {self.after}".rstrip()
        if not self.after:
            return f"{self.path}: removed {self.before}".rstrip()
        return f"{self.path}: {self.before} → {self.after}"


@dataclass(frozen=True)
class FileDiff:
    """A shipped file that differs."""

    path: str
    lines: tuple[str, ...]
    """A unified diff without its two heading lines, or one sentence where there is nothing to show."""


@dataclass(frozen=True)
class ServicePlan:
    """What happens to one service, and why."""

    name: str
    kind: Kind
    action: Action
    reasons: tuple[str, ...] = ()
    """Names of the parts of its definition that differ, or a sentence."""
    changes: tuple[ValueChange, ...] = ()
    """What differs in these parts, where the host still has the definition before. Secrets are masked."""
    files: tuple[FileDiff, ...] = ()
    gap_s: float | None = None
    """For a data service that is replaced: how long that took the last time, if it was ever seen."""


@dataclass(frozen=True)
class Plan:
    """What a deploy will do to one host."""

    host: str
    project: str
    release: str
    """Id of the release to be made."""
    previous: str
    """Id of the release that serves now; empty on a first deploy."""
    services: tuple[ServicePlan, ...]
    data: tuple[ServicePlan, ...]
    edge: EdgeAction
    ports: tuple[str, ...]
    """Public ports after the deploy."""
    ports_before: tuple[str, ...]
    build: tuple[str, ...]
    """Services whose image has to be built."""
    push: tuple[str, ...]
    """Images that the host lacks."""
    push_bytes: int
    """About how many bytes of layers it lacks, before compression, of those of them that this machine has already."""
    migrate: tuple[str, ...]
    """Services whose migrations are looked at, and run when some are pending."""
    migrations: Mapping[str, tuple[str, ...]]
    """Of these services the migrations that the live release does not have, for those where they can be told."""
    found: tuple[str, ...]
    """How those migrate of which nobody said it, and why that is thought, in sentences."""
    by_hand: tuple[str, ...]
    """Services that somebody runs on the host without us, and that the release takes over from."""
    leftovers: tuple[str, ...]
    """What an earlier change that was killed has left running, in sentences."""
    gaps: tuple[str, ...]
    """What users may notice, in sentences."""
    warnings: tuple[str, ...]
    moves: str = ""
    """That the project leaves the other engine with it, and what stays, in a sentence; empty for any other deploy."""
    unproved: str = ""
    """Why it goes on although no backup has been proved lately, where that was said (`--no-proof`)."""
    scans: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What a scanner has found in the images that were built, by service: how many of each severity."""

    @property
    def changes(self) -> bool:
        """Whether a new release is needed."""
        edge = self.edge not in {EdgeAction.NONE, EdgeAction.SWITCH}
        return (
            edge or bool(self.moves) or any(service.action != Action.KEEP for service in (*self.services, *self.data))
        )

    @property
    def noop(self) -> bool:
        """Whether the host already is as it should be."""
        return not self.changes and not self.leftovers

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"noop": self.noop}


@dataclass(frozen=True)
class Wanted:
    """What should run on the host."""

    record: ReleaseRecord
    """The release to be made. Its images are not pinned yet."""
    built_here: frozenset[str]
    """Images that this machine has."""
    lacked_bytes: int
    """About how many bytes of layers of these the host lacks."""
    migrating: tuple[str, ...]
    """Services that declare how to migrate."""
    tls: Tls | None = None
    """What the edge is to do about TLS."""
    found: tuple[str, ...] = ()
    """How services migrate that do not declare it, in sentences."""
    warnings: tuple[str, ...] = ()
