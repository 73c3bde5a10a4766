"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from deploy.model.waves import MANY

_STEP = 1000


def size(count: float) -> str:
    """Bytes in powers of 1000, as `docker images` and `df -H` show them: "108.3 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """ "0.4 s", "41 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02} min" if hours else f"{minutes} min {rest:02} s"


def age(then: datetime, now: datetime) -> str:
    """ "12 s ago", "3 h ago", "5 days ago"."""
    past = max(now - then, timedelta())
    for unit, length in (("day", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if past >= length:
            count = past // length
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return f"{past // timedelta(seconds=1)} s ago"


def rate(count: int, seconds: float) -> str:
    return f"{size(count / seconds)}/s" if seconds > 0 else "-"


def count(number: int, noun: str) -> str:
    """ "1 release", "3 releases"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def names_of(hosts: Sequence[str], most: int = MANY) -> str:
    """Hosts by their names, or the first of very many."""
    return ", ".join(hosts) if len(hosts) <= most else some_of(hosts)


def some_of(names: Sequence[str], most: int = 4) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
