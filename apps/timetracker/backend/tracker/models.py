"""Projects, their tasks, the time spent on them, and the outbox that keeps the daily totals current."""

from datetime import date
from typing import Any

from django.db import models, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone


class Project(models.Model):
    name = models.CharField(max_length=100, unique=True)
    archived = models.BooleanField(default=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tasks")
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=("project", "name"), name="task_name_unique_in_project")]

    def __str__(self) -> str:
        return f"{self.project} / {self.name}"


class TimeEntry(models.Model):
    """Time spent on a task. It belongs to the day it started on; without `ended_at` it is still running."""

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="entries")
    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)
    attachment = models.FileField(upload_to="attachments/%Y/%m/", blank=True)

    class Meta:
        ordering = ("started_at", "pk")
        verbose_name_plural = "time entries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(ended_at__gt=models.F("started_at")),
                name="entry_ends_after_it_starts",
                violation_error_message="An entry must end after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.task}, {timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the entry and its outbox event, both or neither."""
        with transaction.atomic():
            before = None if self._state.adding else TimeEntry.objects.select_for_update().filter(pk=self.pk).first()
            super().save(*args, **kwargs)
            OutboxEvent.record(OutboxEvent.Kind.UPDATED if before else OutboxEvent.Kind.CREATED, before, self)

    @property
    def day(self) -> date:
        return timezone.localdate(self.started_at)


@receiver(post_delete, sender=TimeEntry)
def record_deletion(instance: TimeEntry, **kwargs: Any) -> None:
    """A signal and not `TimeEntry.delete`, which bulk deletion never calls; Django sends it inside the transaction."""
    OutboxEvent.record(OutboxEvent.Kind.DELETED, instance)


class OutboxEvent(models.Model):
    """What happened to an entry, written in the entry's own transaction and read by the worker."""

    class Kind(models.TextChoices):
        CREATED = "entry.created"
        UPDATED = "entry.updated"
        DELETED = "entry.deleted"

    kind = models.CharField(max_length=50, choices=Kind)
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("pk",)
        indexes = [
            models.Index(fields=("id",), condition=models.Q(processed_at__isnull=True), name="outbox_unprocessed")
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"

    @classmethod
    def record(cls, kind: Kind, *states: TimeEntry | None) -> None:
        """Write an event for one entry, given its states before and after; the totals of both are out of date."""
        entries = [state for state in states if state is not None]
        stale = sorted({(entry.task.project_id, entry.day.isoformat()) for entry in entries})
        totals = [{"project": project, "date": day} for project, day in stale]
        cls.objects.create(kind=kind, payload={"entry": entries[-1].pk, "totals": totals})


class DailyTotal(models.Model):
    """Seconds of finished entries per project and day. Only the worker writes it, from outbox events."""

    date = models.DateField()
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="daily_totals")
    seconds = models.PositiveBigIntegerField()

    class Meta:
        ordering = ("-date", "project__name")
        constraints = [models.UniqueConstraint(fields=("date", "project"), name="one_total_per_day_and_project")]

    def __str__(self) -> str:
        return f"{self.date} {self.project}: {self.seconds} s"
