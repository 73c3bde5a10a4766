"""Locks on tables: which of them keep others from reading or writing, and for how long.

What conflicts with what: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

NO_READS = frozenset({"AccessExclusiveLock"})
"""Conflicts with a plain SELECT."""
NO_WRITES = NO_READS | {"ExclusiveLock", "ShareRowExclusiveLock", "ShareLock"}
"""Conflicts with INSERT, UPDATE and DELETE."""


@dataclass(frozen=True)
class Held:
    """A lock on a table, from when it was first seen to when it was last seen."""

    table: str
    mode: str
    """As `pg_locks` has it: AccessExclusiveLock."""
    began_s: float
    ended_s: float


@dataclass(frozen=True)
class Blocked:
    """For how long others could not use a table, in seconds."""

    table: str
    reads_s: float | None
    """Nothing where reading was possible all the time."""
    writes_s: float


def blocked(held: Iterable[Held]) -> tuple[Blocked, ...]:
    """What locks have kept others from, the longest first. Locks that overlap count once."""
    found = [one for one in held if one.mode in NO_WRITES]
    tables = dict.fromkeys(one.table for one in found)
    result = (
        Blocked(
            table,
            _covered(reading) if (reading := [one for one in own if one.mode in NO_READS]) else None,
            _covered(own),
        )
        for table in tables
        if (own := [one for one in found if one.table == table])
    )
    return tuple(sorted(result, key=lambda one: (-one.writes_s, one.table)))


def _covered(held: Iterable[Held]) -> float:
    """How many seconds some locks were held, at least one of them."""
    total, until = 0.0, float("-inf")
    for one in sorted(held, key=lambda one: one.began_s):
        total += max(one.ended_s - max(one.began_s, until), 0)
        until = max(until, one.ended_s)
    return round(total, 2)
