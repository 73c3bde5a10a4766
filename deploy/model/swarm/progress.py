"""How far a rolling update is: judged from services and tasks as one look found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.model.swarm.found import Cluster, SwarmService

MOST_FAILURES = 3
"""How many tasks of a new service may fail, once all that it needs is there, before it counts as broken."""
_GIVEN_UP = frozenset({"paused", "rollback_started", "rollback_paused", "rollback_completed"})


class Progress(StrEnum):
    """How one service stands."""

    DONE = "done"
    """All its tasks are what they are to be, and run."""
    ROLLING = "rolling"
    BROKEN = "broken"


@dataclass(frozen=True)
class Judgement:
    """How one service stands, in words for who waits."""

    service: str
    progress: Progress
    words: str


@dataclass
class Watch:
    """Judges looks that follow each other: what failed before a service's own needs were met does not count."""

    stack: str
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Services of the same stack that each one waits for."""
    known: frozenset[str] = frozenset()
    """Ids of tasks that had failed before the update."""
    _excused: dict[str, frozenset[str]] = field(default_factory=dict)

    def judge(self, cluster: Cluster) -> tuple[Judgement, ...]:
        """Every service of the stack."""
        services = cluster.of(self.stack)
        first = {one.name: self._one(one, cluster) for one in services}
        done = {name for name, one in first.items() if one.progress == Progress.DONE}
        for service in services:
            broken = frozenset(task.id for task in cluster.tasks_of(service) if task.broke)
            if not self.needs.get(service.name, frozenset()) & {*first} <= done:
                self._excused[service.name] = broken
        return tuple(first.values())

    def _one(self, service: SwarmService, cluster: Cluster) -> Judgement:
        tasks = cluster.tasks_of(service)
        if service.update in _GIVEN_UP:
            return Judgement(service.name, Progress.BROKEN, service.update_message or service.update)
        # what is shutting down has left the DNS already; it may take its whole grace period, and nobody waits for that
        current = [one for one in tasks if one.running]
        fitting = [one for one in current if service.fits(one)]
        wanted = service.wanted
        if wanted is None:
            wanted = sum(node.works for node in cluster.nodes)
        words = f"{len(fitting)} of {wanted}"
        if len(fitting) >= wanted and len(fitting) == len(current) and service.update in {"", "completed"}:
            return Judgement(service.name, Progress.DONE, words)
        excused = self.known | self._excused.get(service.name, frozenset())
        broke = [one for one in tasks if one.broke and one.id not in excused and service.fits(one)]
        if len(broke) >= MOST_FAILURES and not service.update:
            return Judgement(service.name, Progress.BROKEN, broke[-1].error or broke[-1].state)
        waiting = [one for one in tasks if one.state in {"new", "pending"} and one.desired == "running"]
        why = next((one.error for one in reversed(waiting) if one.error), "")
        return Judgement(service.name, Progress.ROLLING, f"{words} ({why})" if why else words)
