"""Who of a cluster has a project's newest records: its releases, which one is current, and the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Stamp:
    """The state of the records that a node has, as a label of it says; a later one has a higher number."""

    number: int = 0
    """How often they were changed; 0 where they never were."""
    release: str = field(default="", compare=False)
    """What the change was about."""

    def next(self, release: str) -> Stamp:
        return Stamp(self.number + 1, release)

    def __str__(self) -> str:
        return f"{self.number} {self.release}".rstrip()


def parse_stamp(text: str) -> Stamp:
    """From a label; of one that somebody has written by hand as of none."""
    number, _, release = text.strip().partition(" ")
    return Stamp(int(number), release) if number.isascii() and number.isdecimal() else Stamp()


@dataclass(frozen=True)
class Holding:
    """What a host has of the records."""

    releases: Mapping[str, str]
    """Release id to the hash of its list of files; a release never changes."""
    current: str
    files: Mapping[str, str]
    """What changes, by its path in the project's folder, to its hash."""

    @property
    def empty(self) -> bool:
        return not (self.releases or self.current or self.files)


def parse_holding(text: str) -> Holding:
    """From what `records-list.sh` prints."""
    told: dict[str, dict[str, str]] = {"release": {}, "file": {}}
    current = ""
    for line in text.splitlines():
        what, _, rest = line.partition(" ")
        if what == "current":
            current = rest
        elif what in told:
            digest, _, name = rest.partition(" ")
            told[what][name] = digest
    return Holding(told["release"], current, told["file"])


@dataclass(frozen=True)
class Lacking:
    """What one host's records need to be another's."""

    releases: tuple[str, ...]
    """Ids of those to be sent."""
    gone: tuple[str, ...]
    """Ids of those that are no longer kept."""
    needed: bool
    """Whether anything differs at all."""


def lacking(there: Holding, wanted: Holding) -> Lacking:
    """What `there` needs to be as is wanted."""
    return Lacking(
        tuple(name for name, digest in wanted.releases.items() if there.releases.get(name) != digest),
        tuple(name for name in there.releases if name not in wanted.releases),
        there != wanted,
    )


def merged(journal: str, other: str) -> str:
    """A journal with the lines that only another copy of it has, in the order of their time.

    Two copies differ where a manager was lost before others had its last lines, and the work went on without it.
    """
    own = journal.splitlines()
    foreign = [line for line in other.splitlines() if line.strip() and line not in {*own}]
    if not foreign:
        return journal
    return "".join(f"{line}\n" for line in sorted((*own, *foreign), key=_at))


def _at(line: str) -> str:
    """When a line was written: all are of the same zone, so that their texts sort as their times do."""
    try:
        return str(json.loads(line).get("at", ""))
    except (ValueError, AttributeError):
        return ""


def newest(stamps: Iterable[Stamp]) -> Stamp:
    return max(stamps, default=Stamp())
