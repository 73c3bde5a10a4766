"""Workouts, those who may change them, and who signed in from where."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, String
from sqlalchemy.orm import Mapped, mapped_column

from .database import db

ACTIVITY_LENGTH, NOTE_LENGTH, EMAIL_LENGTH = 60, 500, 254
MINUTES_OF_A_DAY = 24 * 60
ADDRESS_LENGTH = 45  # the longest text of an IPv6 address


def now() -> datetime:
    return datetime.now(UTC)


class Workout(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "workouts"
    __table_args__ = (CheckConstraint(f"minutes BETWEEN 1 AND {MINUTES_OF_A_DAY}", name="minutes_of_a_day"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(index=True)
    activity: Mapped[str] = mapped_column(String(ACTIVITY_LENGTH))
    minutes: Mapped[int]
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="")
    photo: Mapped[str] = mapped_column(String(64), default="")
    """Name of a file in the folder of uploads; empty when there is none."""
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "day": self.day.isoformat(),
            "activity": self.activity,
            "minutes": self.minutes,
            "note": self.note,
            "photo": f"/uploads/{self.photo}" if self.photo else None,
        }


class User(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH), unique=True)
    """In small letters."""
    password_hash: Mapped[str] = mapped_column(String(255))
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)


class SignIn(db.Model):  # type: ignore[name-defined,misc]
    """An attempt to sign in, of somebody who may not exist."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL_LENGTH))
    address: Mapped[str] = mapped_column(String(ADDRESS_LENGTH))
    succeeded: Mapped[bool]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, index=True)
