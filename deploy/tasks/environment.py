"""`prod.*`, `staging.*`, …: one namespace for every remote environment, with the same verbs."""

from __future__ import annotations

from invoke.collection import Collection

from deploy.tasks.check import check_task
from deploy.tasks.drift import drift_task
from deploy.tasks.live import live_tasks
from deploy.tasks.rehearse import rehearse_task
from deploy.tasks.releases import release_tasks


def collection(name: str) -> Collection:
    """The namespace of one environment."""
    return Collection(
        name,
        *live_tasks(name),
        *release_tasks(name),
        check_task(name),
        drift_task(name),
        rehearse_task(name),
    )
