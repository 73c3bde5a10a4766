"""What can be done with the panel. Every change is one transaction that ends in a notification on CHANNEL."""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from config.version import APP_VERSION

from . import machine, webhook
from .machine import Kind, Mode, State, Status
from .models import Event, Integration, Panel, Sensor

CHANNEL = "alarm_panel"
"""Postgres tells every process that listens, whichever release it belongs to."""
SHOWN_EVENTS = 8
LISTED_EVENTS = 100


def arm(mode: Mode) -> None:
    """Raises machine.NotNow when it is armed already."""
    with transaction.atomic():
        panel = Panel.locked()
        now = timezone.now()
        _move(panel, machine.arm(machine.advance(panel.status, now), mode, Integration.delays(), now))
        _notify()


def disarm() -> None:
    with transaction.atomic():
        panel = Panel.locked()
        _move(panel, machine.disarm(panel.status))
        _notify()


def report(key: str, *, active: bool) -> Event | None:
    """A sensor's state, as the gateway has it; the event, or None when it is no news. Raises Sensor.DoesNotExist."""
    with transaction.atomic():
        panel = Panel.locked()
        sensor = Sensor.objects.select_for_update().get(key=key, enabled=True)
        if sensor.active == active:
            return None
        sensor.active = active
        sensor.save(update_fields=["active"])
        event = Event.objects.create(kind="sensor", detail=f"{sensor.name}: {'active' if active else 'quiet'}")
        if active:
            now = timezone.now()
            status = machine.advance(panel.status, now)
            _move(panel, machine.sense(status, Kind(sensor.kind), Integration.delays(), now), sensor.name)
        _notify()
    return event


def ring(visitor: str) -> Event:
    """Somebody is at the door."""
    with transaction.atomic():
        event = Event.objects.create(kind="doorbell", detail=visitor)
        _notify()
    return event


def advance() -> None:
    """Take the step that is due, if one is. Several processes may try: the row's lock lets one of them."""
    status = Panel.seen().status
    if machine.advance(status, timezone.now()) == status:
        return
    with transaction.atomic():
        panel = Panel.locked()
        _move(panel, machine.advance(panel.status, timezone.now()))
        _notify()


def snapshot() -> dict[str, Any]:
    """All that a page shows, as JSON has it."""
    status, delays = Panel.seen().status, Integration.delays()
    return {
        "version": APP_VERSION,
        "state": status.state,
        "mode": status.mode,
        "deadline": status.deadline and status.deadline.isoformat(),
        "exit_delay_s": delays.exit_s,
        "entry_delay_s": delays.entry_s,
        "sensors": list(Sensor.objects.filter(enabled=True).values("key", "name", "kind", "active")),
        "events": events(SHOWN_EVENTS),
    }


def events(number: int = LISTED_EVENTS) -> list[dict[str, Any]]:
    """The newest first."""
    return [event_as_json(event) for event in Event.objects.all()[:number]]


def event_as_json(event: Event) -> dict[str, Any]:
    return {"id": event.id, "at": event.at.isoformat(), "kind": event.kind, "detail": event.detail}


def _move(panel: Panel, status: Status, cause: str = "") -> None:
    if status == panel.status:
        return
    panel.status = status
    panel.save()
    event = Event.objects.create(kind=status.state, detail=cause or status.mode or "")
    if status.state is State.TRIGGERED and (url := Integration.webhook()):
        transaction.on_commit(lambda: webhook.tell(url, event_as_json(event)))


def _notify() -> None:
    """Sent when the transaction is committed, and not at all when it is not."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")
