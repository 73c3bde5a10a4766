"""The panel, its sensors and what happened."""

from typing import Any

from django.db import models
from django.utils import timezone

from .machine import Delays, Kind, Mode, State, Status


def choices(values: Any) -> list[tuple[str, str]]:
    return [(value.value, value.value) for value in values]


class Panel(models.Model):
    """The one panel: its row has the id 1."""

    state = models.CharField(max_length=20, choices=choices(State), default=State.DISARMED)
    mode = models.CharField(max_length=10, choices=choices(Mode), blank=True)
    deadline = models.DateTimeField(null=True, blank=True)

    @classmethod
    def locked(cls) -> "Panel":
        """The panel, to be changed in the transaction that this is called in: others wait."""
        return cls.objects.select_for_update().get_or_create(pk=1)[0]

    @classmethod
    def seen(cls) -> "Panel":
        return cls.objects.filter(pk=1).first() or cls(pk=1)

    @property
    def status(self) -> Status:
        return Status(State(self.state), Mode(self.mode) if self.mode else None, self.deadline)

    @status.setter
    def status(self, status: Status) -> None:
        self.state, self.mode, self.deadline = status.state, status.mode or "", status.deadline


class Sensor(models.Model):
    """A sensor that the gateway reports. One that is no longer configured is disabled; its events stay."""

    key = models.SlugField(primary_key=True)
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=choices(Kind))
    enabled = models.BooleanField(default=True)
    active = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("position", "key")


class Event(models.Model):
    """Something that happened: a state of the panel, `sensor` or `doorbell`."""

    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=20)
    detail = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ("-id",)


class Integration(models.Model):
    """What `apply_integration_settings` has written down of the environment."""

    name = models.SlugField(primary_key=True)
    enabled = models.BooleanField(default=True)
    settings = models.JSONField(default=dict)

    @classmethod
    def delays(cls) -> Delays:
        """No delays when the settings were never applied."""
        found = cls.objects.filter(name="panel").values_list("settings", flat=True).first() or {}
        return Delays(found.get("exit_delay_s", 0), found.get("entry_delay_s", 0))

    @classmethod
    def webhook(cls) -> str:
        """The address that is told of an alarm, or an empty text."""
        found = cls.objects.filter(name="webhook", enabled=True).values_list("settings", flat=True).first() or {}
        return str(found.get("url", ""))
