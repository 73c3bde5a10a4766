"""Draining the outbox: claim a batch of events, bring the daily totals they name up to date, mark them done."""

import logging
from collections.abc import Iterable
from datetime import date, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet, Sum
from django.utils import timezone

from . import days
from .models import DailyTotal, OutboxEvent, Project, TimeEntry

logger = logging.getLogger(__name__)

BATCH_SIZE = 50
MAX_ATTEMPTS = 5
FIRST_RETRY_DELAY = timedelta(seconds=10)


def drain(batch_size: int = BATCH_SIZE) -> int:
    """Process one batch in one transaction; returns how many events were claimed, 0 when none is due.

    Any number of workers may run this at once: each skips the events that another one holds. Raises DatabaseError
    when the database went away; the batch is then untouched and comes again.
    """
    with transaction.atomic():
        events = list(_claim(_due(), batch_size))
        _lock_projects(events)
        for event in events:
            _process(event)
    return len(events)


def refresh_total(project_id: int, day: date) -> None:
    """Compute one total from the entries themselves, so that an event may come twice or late and do no harm."""
    if not Project.objects.filter(pk=project_id).exists():
        return
    first, after = days.bounds(day)
    entries = TimeEntry.objects.filter(task__project_id=project_id, started_at__gte=first, started_at__lt=after)
    spent = ExpressionWrapper(F("ended_at") - F("started_at"), DurationField())
    total = entries.filter(ended_at__isnull=False).aggregate(total=Sum(spent))["total"] or timedelta()
    seconds = {"seconds": round(total.total_seconds())}
    DailyTotal.objects.update_or_create(date=day, project_id=project_id, defaults=seconds)


def _due() -> QuerySet[OutboxEvent]:
    return OutboxEvent.objects.filter(
        processed_at__isnull=True, attempts__lt=MAX_ATTEMPTS, next_attempt_at__lte=timezone.now()
    )


def _claim(due: QuerySet[OutboxEvent], batch_size: int) -> QuerySet[OutboxEvent]:
    # SQLite has one writer at a time and no row locks to skip.
    can_skip = connection.features.has_select_for_update_skip_locked
    return due.select_for_update(skip_locked=can_skip)[:batch_size]


def _lock_projects(events: Iterable[OutboxEvent]) -> None:
    """Let only one worker at a time compute a project's totals.

    Otherwise a sum taken before another transaction's entry became visible could be written after, and over, the
    newer one. All the batch's locks are taken here, in order, so that two workers cannot wait for each other.
    """
    ids = {total["project"] for event in events for total in event.payload.get("totals", ())}
    list(Project.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values("pk"))


def _process(event: OutboxEvent) -> None:
    event.attempts += 1
    try:
        with transaction.atomic():
            for total in event.payload["totals"]:
                refresh_total(total["project"], date.fromisoformat(total["date"]))
    except (OperationalError, InterfaceError):
        # The database's failure, not the event's: give up the whole batch and use up no attempt.
        raise
    except Exception as error:
        event.last_error = f"{type(error).__name__}: {error}"
        event.next_attempt_at = timezone.now() + FIRST_RETRY_DELAY * 2 ** (event.attempts - 1)
        logger.exception("%s failed, attempt %d of %d", event, event.attempts, MAX_ATTEMPTS)
    else:
        event.processed_at = timezone.now()
        event.last_error = ""
    event.save()
