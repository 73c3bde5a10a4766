"""The alarm's states and what changes them. Pure: no database, no clock of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    DISARMED = "disarmed"
    ARMING = "arming"
    """Armed when the deadline has passed: time to leave."""
    ARMED = "armed"
    PENDING = "pending"
    """Triggered when the deadline has passed: time to type the code."""
    TRIGGERED = "triggered"


class Mode(StrEnum):
    HOME = "home"
    """Motion inside is not an alarm."""
    AWAY = "away"


class Kind(StrEnum):
    """What a sensor watches."""

    DOOR = "door"
    """The way in: there is time to type the code."""
    WINDOW = "window"
    MOTION = "motion"
    SMOKE = "smoke"
    """An alarm in every state."""


@dataclass(frozen=True)
class Delays:
    """In seconds."""

    exit_s: int
    entry_s: int


@dataclass(frozen=True)
class Status:
    """`mode` is None unless it is, or was when it triggered, armed; `deadline` is set while arming and pending."""

    state: State = State.DISARMED
    mode: Mode | None = None
    deadline: datetime | None = None


class NotNow(Exception):
    """A command that the present state does not allow."""


def arm(status: Status, mode: Mode, delays: Delays, now: datetime) -> Status:
    if status.state is not State.DISARMED:
        raise NotNow(f"It is {status.state}: disarm it first.")
    if not delays.exit_s:
        return Status(State.ARMED, mode)
    return Status(State.ARMING, mode, now + timedelta(seconds=delays.exit_s))


def disarm(_: Status) -> Status:
    return Status()


def sense(status: Status, kind: Kind, delays: Delays, now: datetime) -> Status:
    """What a sensor that has become active makes of it."""
    if kind is Kind.SMOKE:
        return Status(State.TRIGGERED, status.mode)
    if status.state is not State.ARMED or (kind is Kind.MOTION and status.mode is Mode.HOME):
        return status
    if kind is Kind.DOOR and delays.entry_s:
        return Status(State.PENDING, status.mode, now + timedelta(seconds=delays.entry_s))
    return Status(State.TRIGGERED, status.mode)


def advance(status: Status, now: datetime) -> Status:
    """What time makes of it."""
    if status.deadline is None or now < status.deadline:
        return status
    return Status(State.ARMED if status.state is State.ARMING else State.TRIGGERED, status.mode)
