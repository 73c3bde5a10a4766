"""The API. A list of entries or totals is always one day's: `?day=YYYY-MM-DD`, or else today."""

import logging
from datetime import date

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework import mixins, viewsets
from rest_framework.request import Request

from config.version import APP_VERSION

from . import days
from .models import DailyTotal, Project, Task, TimeEntry
from .serializers import DailyTotalSerializer, DayQuery, ProjectSerializer, TaskSerializer, TimeEntrySerializer

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Whether this process can serve: 200, or 503 when the database gives no answer; only the log says why."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("database unavailable: %s", str(error).strip())
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok", "version": APP_VERSION})


@never_cache
@require_safe
def version(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"version": APP_VERSION})


class ProjectViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Project.objects.all()
    serializer_class = ProjectSerializer


class TaskViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    queryset = Task.objects.all()
    serializer_class = TaskSerializer


class TimeEntryViewSet(viewsets.ModelViewSet):
    queryset = TimeEntry.objects.select_related("task__project")
    serializer_class = TimeEntrySerializer

    def get_queryset(self) -> QuerySet[TimeEntry]:
        entries = super().get_queryset()
        if self.action != "list":
            return entries
        first, after = days.bounds(_day_of(self.request))
        return entries.filter(started_at__gte=first, started_at__lt=after)


class DailyTotalViewSet(mixins.ListModelMixin, viewsets.GenericViewSet):
    queryset = DailyTotal.objects.select_related("project")
    serializer_class = DailyTotalSerializer

    def get_queryset(self) -> QuerySet[DailyTotal]:
        return super().get_queryset().filter(date=_day_of(self.request))


def _day_of(request: Request) -> date:
    query = DayQuery(data=request.query_params)
    query.is_valid(raise_exception=True)
    return query.validated_data.get("day") or timezone.localdate()
