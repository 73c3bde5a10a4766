"""Which backups are kept: a pure function of what there is, and of how many are wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from deploy.model.backup import Label

AUTOMATIC = frozenset(
    {
        Label.PRE_MIGRATE,
        Label.PRE_RESTORE,
        Label.PRE_UPGRADE,
        Label.TAKE_OVER,
        Label.PRE_MOVE,
        Label.REHEARSAL,
        Label.PULLED,
        Label.POINT_IN_TIME,
    }
)
"""Taken by ourselves, before something dangerous mostly: a class of its own, of which only the newest count."""


@dataclass(frozen=True)
class Retention:
    """How many backups to keep."""

    last: int = 3
    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    automatic: int = 10
    """Of each label that we take a backup under by ourselves."""


class RecoveryPoint(Protocol):
    """What is asked of a backup, wherever it is."""

    @property
    def id(self) -> str: ...

    @property
    def label(self) -> Label: ...

    @property
    def started_at(self) -> datetime: ...

    @property
    def services(self) -> frozenset[str]: ...


def retained(
    manifests: Iterable[RecoveryPoint], proved: Iterable[str], retention: Retention
) -> Mapping[str, tuple[str, ...]]:
    """Ids of the backups to keep, each with the reasons why.

    `proved` are ids of those that a drill has found good. The newest and the newest proved are always kept, of every
    set of services. Days, weeks and months are UTC's; a backup from the future is kept, as a clock may have gone back.
    """
    why: defaultdict[str, list[str]] = defaultdict(list)
    newest_first = sorted(manifests, key=lambda one: (one.started_at, one.id), reverse=True)
    known = set(proved)
    for label in AUTOMATIC:
        own = [one for one in newest_first if one.label == label]
        _keep(why, own[: retention.automatic], f"one of the last {retention.automatic} taken {label}")
    regular = [one for one in newest_first if one.label not in AUTOMATIC]
    for group in _by_services(regular):
        _keep(why, group[: retention.last], f"one of the last {retention.last}")
        for number, name, unit in (
            (retention.daily, "day", "%Y-%m-%d"),
            (retention.weekly, "week", "%G-%V"),
            (retention.monthly, "month", "%Y-%m"),
        ):
            _keep(why, _first_of_each(group, unit)[:number], f"the last of its {name}")
    for group in _by_services(newest_first):
        _keep(why, group[:1], "the newest")
        _keep(why, [one for one in group if one.id in known][:1], "the newest that is proved")
    return {name: tuple(dict.fromkeys(reasons)) for name, reasons in why.items()}


def _keep(why: defaultdict[str, list[str]], kept: Iterable[RecoveryPoint], reason: str) -> None:
    for one in kept:
        why[one.id].append(reason)


def _by_services(manifests: Sequence[RecoveryPoint]) -> Iterable[list[RecoveryPoint]]:
    """A backup of one database does not stand in for one of everything."""
    groups: defaultdict[frozenset[str], list[RecoveryPoint]] = defaultdict(list)
    for one in manifests:
        groups[one.services].append(one)
    return groups.values()


def _first_of_each(newest_first: Iterable[RecoveryPoint], unit: str) -> list[RecoveryPoint]:
    """The newest of each day, week or month."""
    found: dict[str, RecoveryPoint] = {}
    for one in newest_first:
        found.setdefault(_period(one.started_at, unit), one)
    return list(found.values())


def _period(moment: datetime, unit: str) -> str:
    return f"{moment.astimezone(UTC):{unit}}"
