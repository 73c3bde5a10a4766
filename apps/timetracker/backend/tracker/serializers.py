"""The API's representations. Times without an offset are taken as Europe/Warsaw and always come back with one."""

from typing import Any

from rest_framework import serializers

from .models import DailyTotal, Project, Task, TimeEntry


class ProjectSerializer(serializers.ModelSerializer):
    class Meta:
        model = Project
        fields = ("id", "name", "archived")


class TaskSerializer(serializers.ModelSerializer):
    class Meta:
        model = Task
        fields = ("id", "project", "name")


class TimeEntrySerializer(serializers.ModelSerializer):
    task_name = serializers.CharField(source="task.name", read_only=True)
    project = serializers.IntegerField(source="task.project_id", read_only=True)
    project_name = serializers.CharField(source="task.project.name", read_only=True)

    class Meta:
        model = TimeEntry
        fields = (
            "id",
            "project",
            "project_name",
            "task",
            "task_name",
            "started_at",
            "ended_at",
            "note",
            "attachment",
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        started_at = attrs.get("started_at", getattr(self.instance, "started_at", None))
        ended_at = attrs.get("ended_at", getattr(self.instance, "ended_at", None))
        if ended_at is not None and ended_at <= started_at:
            raise serializers.ValidationError({"ended_at": "An entry must end after it starts."})
        return attrs


class DailyTotalSerializer(serializers.ModelSerializer):
    project_name = serializers.CharField(source="project.name", read_only=True)

    class Meta:
        model = DailyTotal
        fields = ("date", "project", "project_name", "seconds")


class DayQuery(serializers.Serializer):
    """The `?day=YYYY-MM-DD` of a list."""

    day = serializers.DateField(required=False)
