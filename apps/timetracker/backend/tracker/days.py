"""Days as this project counts them: from midnight to midnight in settings.TIME_ZONE, 23 to 25 hours long."""

from datetime import date, datetime, time, timedelta

from django.utils import timezone


def bounds(day: date) -> tuple[datetime, datetime]:
    """First moment of the day and first moment of the next one, for `started_at >= first, started_at < second`."""
    return _midnight(day), _midnight(day + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
