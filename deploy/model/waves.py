"""Which hosts of a run go first, which go on when one fails, and how each of them ended."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from deploy.model.errors import UsageError
from deploy.model.journal import Probes

T = TypeVar("T")
AT_ONCE = 4
"""How many hosts of a wave are worked on at the same time, unless the settings say otherwise."""
MANY = 24
"""Of more hosts than these a person reads how many did what; what each of them does is told of fewer only."""


@dataclass(frozen=True)
class Wave:
    """How many hosts are released together: a count, or a percentage of all hosts of the run."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)

    def of(self, hosts: int) -> int:
        """A percentage is rounded down, and never means nobody."""
        return max(hosts * self.number // 100, 1) if self.percent else self.number


CANARY = (Wave(1), Wave(100, percent=True))
"""One host, then all others."""


class OnFailure(StrEnum):
    """What becomes of a run when a host of a wave fails. Whoever fails undoes its own steps in any case."""

    RETURN = "return"
    """No further wave begins; hosts of the failed one that serve the new release go back to the one before."""
    STOP = "stop"
    """No further wave begins; hosts that serve the new release keep it."""
    CONTINUE = "continue"
    """Every host is tried."""


class HostOutcome(StrEnum):
    """What a run came to on one host."""

    DEPLOYED = "deployed"
    NOTHING_TO_DO = "nothing to do"
    FAILED = "failed"
    """Its own steps were undone."""
    INTERRUPTED = "interrupted"
    RETURNED = "returned to the release before"
    NOT_RETURNED = "deployed, could not be returned"
    NOT_BEGUN = "not begun"
    SKIPPED = "skipped: unreachable"

    @property
    def bad(self) -> bool:
        """Whether the run as a whole has failed because of it. A host is only skipped when somebody asked for that."""
        return self not in {HostOutcome.DEPLOYED, HostOutcome.NOTHING_TO_DO, HostOutcome.SKIPPED}


@dataclass(frozen=True)
class HostResult:
    """A line of the summary."""

    host: str
    outcome: HostOutcome
    serves: str = ""
    """The release that users get there now; empty where none is or where nobody could ask."""
    seconds: float = 0.0
    bytes_sent: int = 0
    probes: Probes | None = None

    def became(self, outcome: HostOutcome, **changes: object) -> HostResult:
        """The same host with another end."""
        return dataclasses.replace(self, outcome=outcome, **changes)  # type: ignore[arg-type]  # the fields of this class


def parse_waves(words: Iterable[str], where: str) -> tuple[Wave, ...]:
    """Waves from texts like `1` and `50%`. Raises UsageError naming `where`."""
    return tuple(_wave(word.strip(), where) for word in words)


def _wave(word: str, where: str) -> Wave:
    match = re.fullmatch(r"(\d+)(%?)", word)
    number, percent = (int(match[1]), bool(match[2])) if match else (0, False)
    if not number or (percent and number > 100):  # noqa: PLR2004
        raise UsageError(
            f"{where}: '{word}' is not a number of hosts",
            "write counts or percentages, for example 1,50%: one, then halves",
        )
    return Wave(number, percent)


def parted(hosts: Sequence[T], waves: Sequence[Wave]) -> Iterator[tuple[T, ...]]:
    """The hosts in order, wave by wave; the last wave is repeated until every host has had its turn."""
    begun = turn = 0
    while begun < len(hosts):
        number = waves[min(turn, len(waves) - 1)].of(len(hosts))
        yield tuple(hosts[begun : begun + number])
        begun, turn = begun + number, turn + 1
