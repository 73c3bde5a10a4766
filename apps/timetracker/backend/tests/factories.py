"""Rows that several tests start from."""

from datetime import datetime
from zoneinfo import ZoneInfo

from tracker.models import Project, Task, TimeEntry

WARSAW = ZoneInfo("Europe/Warsaw")
DAY = "2025-03-15"


def at(time: str, day: str = DAY) -> datetime:
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=WARSAW)


def make_task(project: str = "Windmill", name: str = "Design") -> Task:
    return Task.objects.get_or_create(project=Project.objects.get_or_create(name=project)[0], name=name)[0]


def make_entry(start: str = "09:00", end: str | None = "10:30", day: str = DAY, task: Task | None = None) -> TimeEntry:
    return TimeEntry.objects.create(
        task=task or make_task(), started_at=at(start, day), ended_at=at(end, day) if end else None
    )
