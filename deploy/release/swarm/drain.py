"""Taking a node of a cluster out of work without losing a request, and giving it its share again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.swarm.drain import MOVED, Share, lacking_on, leaving, runs_on, to_spread
from deploy.model.swarm.found import Cluster, Node, SwarmService
from deploy.model.swarm.progress import Watch
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import look_at_all
from deploy.release.swarm.roll import EVERY_S, QUIET_S, settle
from deploy.ui import Step
from deploy.ui.units import count

UPDATE = Command("docker", "service", "update", "--detach", "--quiet")


class MoveOff(Action):
    """Rolls over what a node has, onto the others, each new container healthy before its old one stops.

    The cluster's own drain stops all of a node's containers at once, and starts others in their place only then. A
    constraint that keeps a service off the node is carried out by its rolling update, which leaves alone whatever is
    elsewhere (SwarmKit's IsTaskDirty).
    """

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self._node = node
        self.title = f"Move what runs on {node.hostname}"

    def run(self, step: Step) -> None:
        site, node = self._site, self._node
        set_availability(site, node, "pause")
        moved: dict[str, SwarmService] = {}
        until = time.monotonic() + QUIET_S
        # what another project's deploy puts back at the same time is moved once more
        while moving := leaving(cluster := look_at_all(site), node).moves:
            fresh = [one for one in moving if one.labels.get(MOVED) != node.id]
            if not fresh and time.monotonic() > until:
                raise DeployError(f"{', '.join(one.full_name for one in moving)} did not leave {node.hostname}")
            for one in fresh:
                site.shell.run(site.guarded(_keep_off(node.id).then(one.id)))
                moved[one.id], until = one, time.monotonic() + QUIET_S
            for stack in dict.fromkeys(one.stack for one in moving):
                settle(site, _watch(cluster, stack), step, until=lambda now: not leaving(now, node).moves)
            time.sleep(EVERY_S)
        step.result = ", ".join(sorted(one.full_name for one in moved.values())) or "nothing has to move"

    def undo(self) -> None:
        set_availability(self._site, self._node, self._node.availability)
        allow_again(self._site, look_at_all(self._site))


class Drain(Action):
    """Lets the cluster stop what is on every node, there, and start nothing there any more."""

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self._node = node
        self.title = f"Drain {node.hostname}"

    def run(self, step: Step) -> None:
        site, node = self._site, self._node
        set_availability(site, node, "drain")
        until = time.monotonic() + QUIET_S
        while left := [*_names_on(cluster := look_at_all(site), node)]:
            step.show(f"{', '.join(left)} ends")
            if time.monotonic() > until:
                raise DeployError(
                    f"{node.hostname}: {', '.join(left)} did not end", f"docker ps on {node.hostname} shows it"
                )
            time.sleep(EVERY_S)
        allow_again(site, cluster)
        step.result = "nothing of the cluster runs there"

    def undo(self) -> None:
        set_availability(self._site, self._node, self._node.availability)


class Activate(Action):
    """Lets a node take part again, and waits until what is on every node is there too."""

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self._node = node
        self.title = f"Let {node.hostname} take part"

    def run(self, step: Step) -> None:
        site, node = self._site, self._node
        allow_again(site, look_at_all(site))
        set_availability(site, node, "active")
        until = time.monotonic() + QUIET_S
        while lacking := lacking_on(cluster := look_at_all(site), node):
            step.show(f"{', '.join(lacking)} starts")
            if time.monotonic() > until:
                raise DeployError(
                    f"{node.hostname}: {', '.join(lacking)} did not start",
                    f"docker service ps {lacking[0]} on a manager says why",
                )
            time.sleep(EVERY_S)
        step.result = ", ".join(sorted(_names_on(cluster, node)))


class Spread(Action):
    """Gives a node its share: moves a container off another node, or rolls over a service that has several there.

    Where to a service's new container goes is the cluster's choice: to a node with the fewest of that service. Rolling
    over all of them may therefore leave another node without any; the move of one can not.
    """

    title = "Spread containers anew"

    def __init__(self, site: Site, shares: Sequence[Share]) -> None:
        self._site = site
        self._shares = shares

    def run(self, step: Step) -> None:
        site, shares = self._site, self._shares
        cluster = look_at_all(site)
        for one in shares:
            words = _keep_off(one.off) if one.off else UPDATE.then("--force")
            site.shell.run(site.guarded(words.then(one.service.id)))
        for stack in dict.fromkeys(one.service.stack for one in shares):
            settle(site, _watch(cluster, stack), step, until=self._moved)
        allow_again(site, look_at_all(site))
        step.result = count(len(shares), "service")

    def undo(self) -> None:
        allow_again(self._site, look_at_all(self._site))

    def _moved(self, now: Cluster) -> bool:
        return not any(one.off and runs_on(now, one.service, one.off) for one in self._shares)


def shares_of(site: Site, node: Node) -> tuple[Share, ...]:
    """What is to move to a node that takes part."""
    cluster = look_at_all(site)
    now = cluster.node(node.id)
    return to_spread(cluster, now) if now else ()


def set_availability(site: Site, node: Node, availability: str) -> None:
    """active, pause or drain."""
    site.shell.run(site.guarded(Command("docker", "node", "update", "--availability", availability, node.id)))


def allow_again(site: Site, cluster: Cluster) -> None:
    """Take back that services are kept off a node. Nothing is restarted by it."""
    for one in cluster.services:
        if node := one.labels.get(MOVED):
            words = UPDATE.then("--label-rm", MOVED, "--constraint-rm", _off(node))
            site.shell.run(site.guarded(words.then(one.id)))


def _keep_off(node_id: str) -> Command:
    """What moves a service's containers off a node, and marks that it is to be taken back."""
    return UPDATE.then("--label-add", f"{MOVED}={node_id}", "--constraint-add", _off(node_id))


def _off(node_id: str) -> str:
    return f"node.id!={node_id}"


def _watch(cluster: Cluster, stack: str) -> Watch:
    return Watch(stack, known=frozenset(task.id for task in cluster.tasks if task.broke))


def _names_on(cluster: Cluster, node: Node) -> Iterable[str]:
    for one in cluster.services:
        if any(task.node == node.id and task.state == "running" for task in cluster.tasks_of(one)):
            yield one.full_name
