"""How far a rolling update is: judged from services and tasks as one look found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.model.swarm.found import Cluster, SwarmService
from deploy.model.swarm.placement import wanted_of

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
        there = {one.name for one in services}
        ready = {one.name for one in services if _counted(one, cluster).complete}
        for service in services:
            if not self.needs.get(service.name, frozenset()) & there <= ready:
                self._excused[service.name] = frozenset(one.id for one in cluster.tasks_of(service) if one.broke)
        return tuple(self._one(service, cluster) for service in services)

    def _one(self, service: SwarmService, cluster: Cluster) -> Judgement:
        if service.update in _GIVEN_UP:
            return Judgement(service.name, Progress.BROKEN, service.update_message or service.update)
        found = _counted(service, cluster)
        words = f"{found.fitting} of {found.wanted}"
        if found.complete:
            return Judgement(service.name, Progress.DONE, words)
        tasks = cluster.tasks_of(service)
        excused = self.known | self._excused.get(service.name, frozenset())
        broke = [one for one in tasks if one.broke and one.id not in excused and service.fits(one)]
        if len(broke) >= MOST_FAILURES and not service.update:
            return Judgement(service.name, Progress.BROKEN, broke[-1].error or broke[-1].state)
        waiting = [one for one in tasks if one.state in {"new", "pending"} and one.desired == "running"]
        why = next((one.error for one in reversed(waiting) if one.error), "")
        return Judgement(service.name, Progress.ROLLING, f"{words} ({why})" if why else words)


@dataclass(frozen=True)
class _Counted:
    fitting: int
    """Running tasks that are what the service is to have."""
    wanted: int
    complete: bool


def _counted(service: SwarmService, cluster: Cluster) -> _Counted:
    # what is shutting down has left the DNS already; it may take its whole grace period, and nobody waits for that
    tasks = cluster.tasks_of(service)
    ended = [one for one in tasks if one.state == "complete" and service.may_end and service.fits(one)]
    running = [*(one for one in tasks if one.running), *{one.slot: one for one in ended}.values()]
    fitting = sum(service.fits(one) for one in running)
    wanted = wanted_of(service, cluster)
    complete = fitting >= wanted and fitting == len(running) and service.update in {"", "completed"}
    return _Counted(fitting, wanted, complete)
