"""The environment's settings, written down in the database for every process of every release to read."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from .machine import Kind
from .models import Integration, Sensor

SENSORS = "front-door:Front door:door,kitchen:Kitchen window:window,hallway:Hallway:motion,stairs:Stairs:smoke"
EXIT_DELAY_S = 30
ENTRY_DELAY_S = 20
LONGEST_DELAY_S = 600


class Invalid(Exception):
    """A setting that cannot be; the text names its variable."""


@dataclass(frozen=True)
class SensorSettings:
    key: str
    name: str
    kind: Kind


@dataclass(frozen=True)
class Settings:
    exit_delay_s: int
    entry_delay_s: int
    sensors: tuple[SensorSettings, ...]
    webhook_url: str


def read(environment: Mapping[str, str]) -> Settings:
    """Settings of an environment; an empty variable counts as unset. Raises Invalid."""
    webhook_url = environment.get("WEBHOOK_URL", "")
    if webhook_url and not webhook_url.startswith(("http://", "https://")):
        raise Invalid("WEBHOOK_URL is no http:// or https:// address.")
    return Settings(
        _delay("EXIT_DELAY_S", environment, EXIT_DELAY_S),
        _delay("ENTRY_DELAY_S", environment, ENTRY_DELAY_S),
        _sensors(environment.get("SENSORS") or SENSORS),
        webhook_url,
    )


def apply(settings: Settings) -> list[str]:
    """Make the database say so; what had to change, in words. Applying the same again changes nothing."""
    changes = []
    with transaction.atomic():
        delays = {"exit_delay_s": settings.exit_delay_s, "entry_delay_s": settings.entry_delay_s}
        for name, enabled, values in (
            ("panel", True, delays),
            ("webhook", bool(settings.webhook_url), {"url": settings.webhook_url}),
        ):
            if _differs(Integration.objects.filter(name=name).first(), enabled=enabled, settings=values):
                Integration.objects.update_or_create(name=name, defaults={"enabled": enabled, "settings": values})
                changes.append(name)
        for position, one in enumerate(settings.sensors):
            wanted = {"name": one.name, "kind": one.kind, "position": position, "enabled": True}
            if _differs(Sensor.objects.filter(key=one.key).first(), **wanted):
                Sensor.objects.update_or_create(key=one.key, defaults=wanted)
                changes.append(f"sensor {one.key}")
        gone = Sensor.objects.filter(enabled=True).exclude(key__in=[one.key for one in settings.sensors])
        changes += [f"sensor {key} disabled" for key in gone.values_list("key", flat=True)]
        gone.update(enabled=False, active=False)
    return changes


def _differs(row: Integration | Sensor | None, **wanted: object) -> bool:
    return row is None or any(getattr(row, name) != value for name, value in wanted.items())


def _delay(name: str, environment: Mapping[str, str], default: int) -> int:
    value = environment.get(name) or str(default)
    if not value.isdecimal() or int(value) > LONGEST_DELAY_S:
        raise Invalid(f"{name} is {value!r}; write 0 to {LONGEST_DELAY_S} seconds.")
    return int(value)


def _sensors(text: str) -> tuple[SensorSettings, ...]:
    """`key:Name:kind,…`"""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            key, name, kind = (word.strip() for word in part.split(":"))
            found.append(SensorSettings(key, name, Kind(kind)))
        except ValueError as error:
            kinds = ", ".join(Kind)
            raise Invalid(f"SENSORS has {part!r}; write key:Name:kind with one of {kinds}.") from error
    return tuple(found)
