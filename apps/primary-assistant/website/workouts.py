"""Reading and writing workouts: what the API and the page have in common."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from .assistant import DAYS_IN_A_ROW, Advice, advise, week_of
from .database import db
from .models import ACTIVITY_LENGTH, MINUTES_OF_A_DAY, NOTE_LENGTH, Workout

MOST_SHOWN = 50


class InvalidWorkout(Exception):
    """What is wrong, by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(errors)
        self.errors = errors


def today() -> date:
    return datetime.now(UTC).date()


def of_week(day: date) -> Sequence[Workout]:
    """The newest workouts of a day's week, at most MOST_SHOWN."""
    monday, sunday = week_of(day)
    found = select(Workout).where(Workout.day.between(monday, sunday))
    return db.session.scalars(found.order_by(Workout.day.desc(), Workout.id.desc()).limit(MOST_SHOWN)).all()


def minutes_of_week(day: date) -> int:
    monday, sunday = week_of(day)
    total = select(func.coalesce(func.sum(Workout.minutes), 0)).where(Workout.day.between(monday, sunday))
    return int(db.session.scalar(total) or 0)


def advice_for(day: date) -> Advice:
    recent = Workout.day.between(day - timedelta(days=DAYS_IN_A_ROW), day)
    return advise(minutes_of_week(day), set(db.session.scalars(select(Workout.day).where(recent).distinct())), day)


def add(data: Any) -> Workout:
    """Save a workout from JSON. Raises InvalidWorkout."""
    workout = Workout(**_checked(data))
    db.session.add(workout)
    db.session.commit()
    return workout


def parse_day(text: str) -> date:
    """A day as YYYY-MM-DD. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()


def _checked(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise InvalidWorkout({"": "must be an object"})
    errors: dict[str, str] = {}
    values: dict[str, Any] = {"day": today()}
    for name, length, least in (("activity", ACTIVITY_LENGTH, 1), ("note", NOTE_LENGTH, 0)):
        value = data.get(name, "")
        values[name] = value.strip() if isinstance(value, str) else value
        # Postgres keeps no NUL in a text.
        if not isinstance(value, str) or not least <= len(values[name]) <= length or "\0" in value:
            errors[name] = f"must be a text of {least} to {length} characters"
    minutes = values["minutes"] = data.get("minutes")
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MINUTES_OF_A_DAY:
        errors["minutes"] = f"must be a number from 1 to {MINUTES_OF_A_DAY}"
    if "day" in data:
        try:
            values["day"] = parse_day(data["day"])
        except (TypeError, ValueError):
            errors["day"] = "must be a day, as YYYY-MM-DD"
    if errors:
        raise InvalidWorkout(errors)
    return values
