"""What the assistant says: how much of the week's goal is left, and how much of that to do today."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

WEEKLY_GOAL_MINUTES = 150
"""The least that the WHO's guidelines of 2020 recommend to adults."""
DAYS_IN_A_ROW = 3
"""After so many days of training comes one of rest."""
STEP_MINUTES = 5
SUNDAY = 6


@dataclass(frozen=True)
class Advice:
    minutes_left: int
    """Until the week's goal."""
    minutes_today: int
    text: str


def advise(minutes_done: int, trained_on: Collection[date], today: date) -> Advice:
    """Advice for a day, from the minutes of its week so far and the days that had a workout."""
    left = max(WEEKLY_GOAL_MINUTES - minutes_done, 0)
    if not left:
        return Advice(0, 0, f"Goal reached: {minutes_done} of {WEEKLY_GOAL_MINUTES} minutes this week.")
    last_day = today.weekday() == SUNDAY
    if not last_day and all(today - timedelta(days) in trained_on for days in range(1, DAYS_IN_A_ROW + 1)):
        return Advice(left, 0, f"Rest today. {left} minutes are left for this week.")
    days = SUNDAY - today.weekday() + 1
    share = -(-left // days)
    minutes = min(-(-share // STEP_MINUTES) * STEP_MINUTES, left)
    return Advice(left, minutes, f"{minutes} minutes today; {left} are left for this week.")


def week_of(day: date) -> tuple[date, date]:
    """Monday and Sunday of a day's week."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=SUNDAY)
