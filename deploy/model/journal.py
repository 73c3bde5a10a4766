"""The host's append-only record of what was done there, by whom, with what outcome."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

DATA_STEP = "Bring up the data services"
"""The step whose seconds say how long a data service was away."""
START_STEP = "Start the release and wait until it is healthy"
"""The step whose seconds say how long the slowest service took."""
REPLACED = "replace"
Built = TypeVar("Built")


class Outcome(StrEnum):
    """How a change of what runs on a host ended."""

    STARTED = "started"
    """Not an end: the entry that every change begins with."""
    DEPLOYED = "deployed"
    FAILED = "failed"
    """Nothing users see has changed."""
    RETURNED = "returned"
    """Its services had begun to be rolled over, and every one went back to what it was."""
    ROLLED_BACK = "rolled back"
    """An older release serves again, because somebody asked for it."""
    UPGRADED = "upgraded"
    """A data service is of another major version; the release stays."""
    HANDED_BACK = "handed back"
    """It runs on as a plain compose project."""


@dataclass(frozen=True)
class Probes:
    """What a steady trickle of requests from outside saw while a change went on."""

    sent: int
    failed: int
    """Without an answer, or with one of 500 and above."""
    slowest_ms: int


class Part(StrEnum):
    """Which of a project's compose projects a service runs in."""

    RELEASE = "release"
    DATA = "data"
    EDGE = "edge"


@dataclass(frozen=True)
class Deed:
    """What became of one service in a change, as it was seen: containers before and after, twelve digits of each id."""

    name: str
    part: str
    """One of Part."""
    action: str
    """create, replace, keep or remove, as in a plan."""
    before: tuple[str, ...]
    after: tuple[str, ...]
    image: str = ""
    """Id of the image that its containers run, twelve digits of it."""


@dataclass(frozen=True)
class Ran:
    """Migrations of one service."""

    service: str
    names: tuple[str, ...] = ()
    """What was pending, as the framework calls it; empty when it could not be asked."""
    before: Mapping[str, str] = field(default_factory=dict)
    """What leads back to the schema before: each target by what it is a target of (see `model/migrations.py`)."""


@dataclass(frozen=True)
class Entry:
    """One line of the journal."""

    at: datetime
    outcome: Outcome
    release: str
    by: str
    """user@host of the machine it was done from."""
    revision: str = ""
    previous: str = ""
    """The release that served before."""
    duration_s: float = 0.0
    steps: Mapping[str, float] = field(default_factory=dict)
    """Step title to seconds."""
    bytes_sent: int = 0
    migrated: bool = False
    rehearsed: str = ""
    """Id of the backup on which the migrations were rehearsed before; empty when they were not."""
    backup: str = ""
    """Id of the backup taken before migrating."""
    migrations: tuple[Ran, ...] = ()
    """What was migrated, by service."""
    reversed: bool = False
    """Whether the migrations since the release were taken back with it."""
    pushed: tuple[str, ...] = ()
    """Images that the host was sent."""
    deeds: tuple[Deed, ...] = ()
    """What became of every service, as it was seen when the change had ended."""
    probes: Probes | None = None
    unproved: str = ""
    """Why it was done without a backup that was proved lately, where one was asked for."""
    rotated: str = ""
    """The variable that got a new value with it, when that was what it was for."""
    scans: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What a scanner found in the images that were built for it, by service: how many of each severity."""
    reason: str = ""
    """Why it failed."""

    def to_line(self) -> str:
        document = dataclasses.asdict(self) | {"at": self.at.isoformat()}
        return json.dumps(document, ensure_ascii=False) + "\n"


def parse_journal(text: str) -> tuple[Entry, ...]:
    """Entries in order. Lines that cannot be read (half-written, or of a later version) are left out."""
    entries = []
    for line in text.splitlines():
        try:
            raw = json.loads(line)
            raw |= {"at": datetime.fromisoformat(raw["at"]), "outcome": Outcome(raw["outcome"])}
            raw |= {"probes": Probes(**raw["probes"])} if raw.get("probes") else {}
            raw |= {"migrations": tuple(_built(Ran, one) for one in raw.get("migrations") or ())}
            raw |= {"deeds": tuple(_built(Deed, one) for one in raw.get("deeds") or ())}
            raw |= {"pushed": tuple(raw.get("pushed") or ())}
            entries.append(_built(Entry, raw))
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(entries)


def _built(kind: type[Built], raw: Mapping[str, Any]) -> Built:
    """A value from its fields, those of a later version left out; lists become tuples."""
    known = {one.name for one in dataclasses.fields(kind)}  # type: ignore[arg-type]  # all of them are dataclasses
    return kind(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in raw.items() if key in known}
    )


def interrupted(entries: tuple[Entry, ...]) -> Entry | None:
    """The last change, when it never came to an end."""
    last = entries[-1] if entries else None
    return last if last and last.outcome == Outcome.STARTED else None


def served(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Releases that users got, oldest first: those that a change ended well with, and those that one began from."""
    releases: list[str] = []
    for entry in entries:
        found = entry.release if entry.outcome in {Outcome.DEPLOYED, Outcome.ROLLED_BACK} else entry.previous
        if found and found not in releases[-1:]:
            releases.append(found)
    return tuple(releases)


def replacing_s(entries: Iterable[Entry], service: str) -> float | None:
    """How long it took the last time that a data service was replaced; None when that was never seen."""
    for entry in reversed(tuple(entries)):
        replaced = any(one.name == service and one.part == Part.DATA and one.action == REPLACED for one in entry.deeds)
        if replaced and DATA_STEP in entry.steps:
            return entry.steps[DATA_STEP]
    return None
