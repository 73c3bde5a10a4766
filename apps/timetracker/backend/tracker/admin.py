"""The admin site. Outbox events and totals are the worker's: nobody adds or edits them by hand."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from .models import DailyTotal, OutboxEvent, Project, Task, TimeEntry


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):
    list_display = ("name", "archived")
    list_filter = ("archived",)
    search_fields = ("name",)


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):
    list_display = ("name", "project")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__name")


@admin.register(TimeEntry)
class TimeEntryAdmin(admin.ModelAdmin):
    list_display = ("task", "started_at", "ended_at", "note")
    list_filter = ("task__project", "started_at")
    list_select_related = ("task__project",)
    search_fields = ("note", "task__name", "task__project__name")
    date_hierarchy = "started_at"


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "created_at", "processed_at", "attempts", "last_error")
    list_filter = ("kind", ("processed_at", admin.EmptyFieldListFilter), "attempts")
    search_fields = ("kind", "last_error")
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tracker.change_outboxevent")

    @admin.action(description="Retry the selected events", permissions=["retry"])
    def retry(self, request: HttpRequest, events: QuerySet[OutboxEvent]) -> None:
        events.filter(processed_at__isnull=True).update(attempts=0, next_attempt_at=timezone.now())


@admin.register(DailyTotal)
class DailyTotalAdmin(ReadOnlyAdmin):
    list_display = ("date", "project", "seconds")
    list_filter = ("project", "date")
    list_select_related = ("project",)
    search_fields = ("project__name",)
