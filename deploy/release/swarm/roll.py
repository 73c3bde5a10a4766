"""Deploying a stack and waiting until the cluster has done it: `docker stack deploy` itself waits for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.journal import DATA_STEP
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.progress import Judgement, Progress, Watch
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange, look
from deploy.ui import Step
from deploy.ui.units import count

EVERY_S = 1.0
QUIET_S = 180.0
"""How long nothing may move before a rolling update counts as stuck."""
STUCK_S = 20.0
"""How long nothing may move before we look whether an update waits for a node that was lost."""
SETTLE_S = 5.0
"""How long what was made anew must have been as it should be."""
LOG_LINES = 25


def up(site: Site, release: str, part: str, stack: str, step: Step) -> None:
    """Tell the cluster what a release's stack is to be."""
    up_from(site, site.layout.release(release) / "swarm" / part, stack, step)


def up_from(site: Site, folder: PurePosixPath, stack: str, step: Step) -> None:
    """The same, with the document and its files in a folder of the manager."""
    try:
        site.run("swarm-up.sh", str(folder), stack, on_line=step.show)
    except CommandError as error:
        raise DeployError(
            f"{site.shell.name}: the cluster does not take the stack {stack}",
            "mend what it names, then deploy again",
            details=error.stderr,
        ) from error


def settle(
    site: Site,
    watch: Watch,
    step: Step,
    *,
    quiet_s: float = QUIET_S,
    until: Callable[[Cluster], bool] = lambda _: True,
) -> tuple[Judgement, ...]:
    """Wait until every service of a stack is as it should be, and was so for a moment; `until` says what else is to be.

    Raises DeployError naming those that will not get there, with what their last containers wrote.
    """
    moved, before, since = time.monotonic(), "", 0.0
    nudged: set[str] = set()
    while True:
        cluster = look(site, watch.stack)
        found = watch.judge(cluster)
        told = ", ".join(f"{one.service} {one.words}" for one in found)
        step.show(told)
        now = time.monotonic()
        if told != before:
            moved, before = now, told
        rolling = [one for one in found if one.progress != Progress.DONE]
        broken = [one for one in rolling if one.progress == Progress.BROKEN]
        waiting = bool(rolling) or not until(cluster)
        if broken or (waiting and now - moved > quiet_s):
            raise _failed(site, watch, cluster, broken or rolling or [*found])
        if waiting:
            since = 0.0
            if now - moved > STUCK_S:
                nudged |= _nudge(site, cluster, watch.stack, {one.service for one in rolling} - nudged)
        else:
            since = since or now
            if now - since >= SETTLE_S or all(_updated(cluster, watch.stack, one) for one in found):
                return found
        time.sleep(EVERY_S)


def _nudge(site: Site, cluster: Cluster, stack: str, services: set[str]) -> set[str]:
    """Begin the updates anew that wait for a container on a node that was lost; which they are.

    The engine's own waits for just that container, without end (seen on 26.1), though another has taken its place.
    """
    if all(node.state == "ready" for node in cluster.nodes):
        return set()
    stuck = {one.name for one in cluster.of(stack) if one.name in services and one.update == "updating"}
    for name in stuck:
        force = Command("docker", "service", "update", "--force", "--detach", "--quiet")
        site.shell.run(site.guarded(force.then(names.service_name(stack, name))))
    return stuck


def _updated(cluster: Cluster, stack: str, one: Judgement) -> bool:
    """Whether the cluster has watched it already: it does so at the end of every update."""
    service = cluster.service(stack, one.service)
    return service is not None and service.update == "completed"


def _failed(site: Site, watch: Watch, cluster: Cluster, services: list[Judgement]) -> DeployError:
    logs = []
    for one in services:
        service = cluster.service(watch.stack, one.service)
        tasks = [task for task in cluster.tasks_of(service) if task.id not in watch.known] if service else []
        tasks = [task for task in tasks if task.broke] or [task for task in tasks if not task.running]
        for task in tasks[-1:]:
            where = cluster.hostname(task.node) if task.node else "no node"
            words = Command("docker", "service", "logs", "--raw", "--tail", LOG_LINES, task.id)
            done = site.shell.run(words, check=False, timeout_s=20)
            said = f"{done.stdout}{done.stderr}".rstrip()
            logs.append(f"{one.service} on {where}: {task.error or task.state}\n{said}".rstrip())
    named = ", ".join(f"{one.service} ({one.words})" for one in services)
    return DeployError(
        f"{site.shell.name}: these did not become what they should: {named}",
        "mend it and deploy again",
        details="\n\n".join(logs),
    )


class LastingUp(Action):
    """Brings the data services to what the release has them as. Never undone, as on one host."""

    title = DATA_STEP

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        stack = names.data_stack(site.layout.project)
        stands = site.script("swarm-stands.sh", str(site.layout.root), f"releases/{change.record.id}/swarm/data")
        if not change.data:
            site.run("swarm-down.sh", stack)
            site.shell.run(stands)
            step.result = "none is left"
            return
        up(site, change.record.id, "data", stack, step)
        found = settle(site, watch_for(change.cluster, stack, {}), step)
        site.shell.run(stands)
        step.result = count(len(found), "service")


class Roll(Action):
    """Updates the services in place, those that differ; all of them go back to the release before when one fails."""

    title = "Roll the services over"

    def __init__(self, change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> None:
        self._change = change
        self._needs = needs

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        stack = names.app_stack(site.layout.project)
        change.rolling = True
        up(site, change.record.id, "app", stack, step)
        found = settle(site, watch_for(change.cluster, stack, self._needs), step)
        step.result = ", ".join(f"{one.service} {one.words}" for one in found)

    def undo(self) -> None:
        self._change.before_return()
        return_to(self._change, "app", names.app_stack(self._change.site.layout.project), self._needs)


def watch_for(cluster: Cluster, stack: str, needs: Mapping[str, frozenset[str]]) -> Watch:
    """What failed before does not count."""
    return Watch(stack, needs, frozenset(task.id for task in cluster.tasks if task.broke))


def return_to(change: SwarmChange, part: str, stack: str, needs: Mapping[str, frozenset[str]]) -> None:
    """Make a stack what the release before had it as; nothing of it stays where there was none."""
    site, before = change.site, change.before_here
    if change.previous is None and change.facts.live:
        return  # it is the live release itself that could not be brought back whole
    if before is None:
        site.run("swarm-down.sh", stack)
        change.returned |= part == "app" and change.rolling
        return
    step = Step("Return")
    up(site, before.id, part, stack, step)
    settle(site, watch_for(look(site, stack), stack, needs), step, quiet_s=QUIET_S / 2)
    if part == "app":
        change.returned = True
