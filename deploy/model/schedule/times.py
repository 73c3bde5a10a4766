"""Points in time that come again: a cron expression, for cron, for systemd, and to reckon with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploy.model.errors import UsageError

EXAMPLE = "for example '03:15' for every day, or a cron expression of five fields: '15 3 * * 1-5'"
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SUNDAY = 7
"""Cron takes it for 0, too."""
_FAR_DAYS = 366 * 9
"""A 29th of February comes again within this many days, whatever the century."""


@dataclass(frozen=True)
class _Field:
    """One of the five fields: what it may hold."""

    name: str
    least: int
    most: int
    names: Sequence[str] = ()

    def value(self, word: str) -> int | None:
        if word.lower() in self.names:
            return self.names.index(word.lower()) + (1 if self.names is _MONTHS else 0)
        return int(word) if word.isdecimal() and self.least <= int(word) <= self.most else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, _SUNDAY, _DAYS),
)


@dataclass(frozen=True)
class Times:
    """When something happens again and again, in the host's local time. Empty fields mean every one."""

    text: str
    """As it was written."""
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """0 is Sunday."""

    @property
    def cron(self) -> str:
        """The five fields of a crontab."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(",".join(map(str, one)) or "*" for one in fields)

    @property
    def calendar(self) -> str:
        """The same as systemd's OnCalendar= has it (systemd.time(7))."""
        days = ",".join(_DAYS[one].capitalize() for one in self.weekdays)
        date = f"*-{_listed(self.months)}-{_listed(self.days)}"
        return f"{days} {date} {_listed(self.hours)}:{_listed(self.minutes)}:00".lstrip()

    def after(self, moment: datetime) -> datetime:
        """The first time after a moment, in the moment's own time zone."""
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return next(one for one in self._from(start) if one >= start)

    def before(self, moment: datetime) -> datetime:
        """The last time up to a moment."""
        return next(one for one in self._back_from(moment) if one <= moment)

    @property
    def ever(self) -> bool:
        """Whether it comes at all: the 31st of February does not."""
        return next(self._from(datetime(2000, 1, 1)), None) is not None  # noqa: DTZ001  # any day will do

    def _from(self, start: datetime) -> Iterator[datetime]:
        for day in (start + timedelta(days=number) for number in range(_FAR_DAYS)):
            if self._falls_on(day):
                yield from self._on(day)

    def _back_from(self, end: datetime) -> Iterator[datetime]:
        for day in (end - timedelta(days=number) for number in range(_FAR_DAYS)):
            if self._falls_on(day):
                yield from reversed([*self._on(day)])

    def _falls_on(self, day: datetime) -> bool:
        return (
            (not self.days or day.day in self.days)
            and (not self.months or day.month in self.months)
            and (not self.weekdays or day.isoweekday() % 7 in self.weekdays)
        )

    def _on(self, day: datetime) -> Iterator[datetime]:
        for hour in self.hours or range(24):
            for minute in self.minutes or range(60):
                yield day.replace(hour=hour, minute=minute, second=0, microsecond=0)


def parse_times(text: str, where: str) -> Times:
    """From `03:15` or a cron expression. Raises UsageError naming `where` and the field that cannot be."""
    clock = _CLOCK.fullmatch(text.strip())
    words = [str(int(clock[2])), str(int(clock[1])), "*", "*", "*"] if clock else text.split()
    if len(words) != len(_FIELDS):
        raise UsageError(f"{where}: '{text}' is no time that comes again", EXAMPLE)
    values = [_values(word, field, text, where) for word, field in zip(words, _FIELDS, strict=True)]
    weekdays = tuple(sorted({one % _SUNDAY for one in values[4]}))
    if values[2] and weekdays:
        raise UsageError(
            f"{where}: '{text}' has days of the month and of the week",
            "cron takes that for either of them: say one, and '*' for the other",
        )
    times = Times(text.strip(), values[0], values[1], values[2], values[3], weekdays)
    if not times.ever:
        raise UsageError(f"{where}: '{text}' never comes", EXAMPLE)
    return times


def _values(word: str, field: _Field, text: str, where: str) -> tuple[int, ...]:
    """What a field holds; empty for all it may."""
    found: set[int] = set()
    for item in word.split(","):
        match = _ITEM.fullmatch(item)
        first = last = None
        if match and match[1]:
            first, last = field.least, field.most
        elif match:
            first = field.value(match[2])
            last = field.value(match[3]) if match[3] else (field.most if match[4] else first)
        step = int(match[4]) if match and match[4] else 1
        if first is None or last is None or first > last or not step:
            raise UsageError(f"{where}: '{text}': '{item}' is no {field.name}", EXAMPLE)
        found |= set(range(first, last + 1, step))
    whole = {one % _SUNDAY for one in found} == set(range(_SUNDAY)) if field.names is _DAYS else False
    return () if whole or len(found) == field.most - field.least + 1 else tuple(sorted(found))


def _listed(values: Sequence[int]) -> str:
    return ",".join(f"{one:02}" for one in values) or "*"
