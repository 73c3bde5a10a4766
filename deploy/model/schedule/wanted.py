"""What is wanted of a host's schedule, as `invoke.yaml` says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from deploy.model.schedule.times import Times


class DrillEvery(StrEnum):
    """How often a run of the schedule proves its backup. Days, weeks and months are UTC's."""

    RUN = "always"
    DAY = "daily"
    WEEK = "weekly"
    MONTH = "monthly"
    NEVER = "never"


_PERIODS = {DrillEvery.DAY: "%Y-%m-%d", DrillEvery.WEEK: "%G-%V", DrillEvery.MONTH: "%Y-%m"}


@dataclass(frozen=True)
class Schedule:
    """When a host backs up by itself, and what it does with the backup."""

    at: Times
    drill: DrillEvery = DrillEvery.RUN
    limit_h: float = 6
    """A run that takes longer is ended, and has failed."""


@dataclass(frozen=True)
class Notify:
    """Who hears of a run that failed."""

    command: str = field(default="", repr=False)
    """A line of shell that the host runs, with the message on its standard input."""
    webhook: str = field(default="", repr=False)
    """Gets the journal's line by POST. Its address is a secret."""
    recovery: bool = False
    """Whether the first good run after a failed one is told, too."""

    @property
    def nobody(self) -> bool:
        return not (self.command or self.webhook)


def drill_is_due(every: DrillEvery, proved_at: datetime | None, now: datetime) -> bool:
    """Whether a run has to prove its backup; `proved_at` is when a drill last found one good."""
    if every in {DrillEvery.RUN, DrillEvery.NEVER}:
        return every == DrillEvery.RUN
    period = _PERIODS[every]
    return proved_at is None or f"{proved_at.astimezone(UTC):{period}}" != f"{now.astimezone(UTC):{period}}"
