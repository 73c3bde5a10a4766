"""The host's append-only record of what was done there, by whom, with what outcome."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """How a change of what runs on a host ended."""

    STARTED = "started"
    """Not an end: the entry that every change begins with."""
    DEPLOYED = "deployed"
    FAILED = "failed"
    """Nothing users see has changed."""
    ROLLED_BACK = "rolled back"
    """An older release serves again, because somebody asked for it."""


@dataclass(frozen=True)
class Probes:
    """What a steady trickle of requests from outside saw while a change went on."""

    sent: int
    failed: int
    """Without an answer, or with one of 500 and above."""
    slowest_ms: int


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
    backup: str = ""
    """Id of the backup taken before migrating."""
    probes: Probes | None = None
    reason: str = ""
    """Why it failed."""

    def to_line(self) -> str:
        document = dataclasses.asdict(self) | {"at": self.at.isoformat()}
        return json.dumps(document, ensure_ascii=False) + "\n"


def parse_journal(text: str) -> tuple[Entry, ...]:
    """Entries in order. Lines that cannot be read (half-written, or of a later version) are left out."""
    entries = []
    known = {one.name for one in dataclasses.fields(Entry)}
    for line in text.splitlines():
        try:
            raw = json.loads(line)
            raw |= {"at": datetime.fromisoformat(raw["at"]), "outcome": Outcome(raw["outcome"])}
            raw |= {"probes": Probes(**raw["probes"])} if raw.get("probes") else {}
            entries.append(Entry(**{key: value for key, value in raw.items() if key in known}))
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(entries)


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
