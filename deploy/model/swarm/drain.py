"""What becomes of the services of a cluster when one of its nodes is to rest, and when it is back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from deploy.model.errors import UsageError
from deploy.model.swarm.found import Cluster, Node, SwarmService
from deploy.model.swarm.placement import may_run_on
from deploy.model.swarm.registry import STACK as REGISTRY_STACK

MOVED = "windlass.moved-off"
"""Label of a service that is kept off a node until its containers have left that one: the node's id."""


def found_node(cluster: Cluster, words: Iterable[str]) -> Node | None:
    """The only node with one of these ids, hostnames or addresses; None where there is none, or several."""
    wanted = {*words} - {""}
    found = [one for one in cluster.nodes if wanted & {one.id, one.hostname, one.address}]
    return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Leaving:
    """What runs on a node that is to rest."""

    node: Node
    moves: tuple[SwarmService, ...]
    """With containers there, and another node that may have them."""
    stops: tuple[SwarmService, ...]
    """With containers there that no other node may have: they wait until the node is back."""
    ends: tuple[SwarmService, ...]
    """On every node: the one there ends."""
    keeps: tuple[str, ...]
    """What lasts on its disk: projects' data, the registry."""


def leaving(cluster: Cluster, node: Node) -> Leaving:
    """From a look at all services of a cluster."""
    there = [one for one in cluster.services if runs_on(cluster, one, node.id)]
    others = [one for one in cluster.nodes if one.works and one.id != node.id]
    own = [one for one in there if one.wanted is not None]
    moves = tuple(one for one in own if any(may_run_on(one, other) for other in others))
    return Leaving(
        node,
        moves,
        tuple(one for one in own if one not in moves),
        tuple(one for one in there if one.wanted is None),
        tuple(_kept(cluster, node)),
    )


def _kept(cluster: Cluster, node: Node) -> Iterable[str]:
    prefix = "windlass.data."
    yield from (f"the data of {key.removeprefix(prefix)}" for key, on in node.labels.items() if key.startswith(prefix))
    registry = cluster.service(REGISTRY_STACK, "registry")
    if registry and may_run_on(registry, node):
        yield "the cluster's registry"


def require_leavable(cluster: Cluster, node: Node) -> None:
    """Raises UsageError for a manager without which the cluster would take no changes."""
    if node.role != "manager":
        return
    others = [one for one in cluster.nodes if one.role == "manager" and one.id != node.id]
    if not others:
        raise UsageError(
            f"{node.hostname} is the cluster's only manager",
            "make another one first: inv host.setup --swarm --managers 3 --host … with all its hosts",
        )
    alive = sum(one.state == "ready" for one in others)
    if 2 * alive <= len(others):
        raise UsageError(
            f"{node.hostname} is needed: of the {len(others)} managers that would be left {alive} can be reached, "
            "which is no majority",
            "bring the others back first, or let those leave that are lost",
        )


def runs_on(cluster: Cluster, service: SwarmService, node_id: str) -> bool:
    """Whether a node runs a container of a service."""
    return any(one.running and one.node == node_id for one in cluster.tasks_of(service))


def lacking_on(cluster: Cluster, node: Node) -> tuple[str, ...]:
    """What is to run on every node and does not on this one."""
    everywhere = (one for one in cluster.services if one.wanted is None and may_run_on(one, node))
    return tuple(one.full_name for one in everywhere if not runs_on(cluster, one, node.id))


@dataclass(frozen=True)
class Share:
    """A service of which a node is to get a container."""

    service: SwarmService
    off: str
    """Id of the node whose only container of it moves; empty where that one has several, and all are rolled over."""


def to_spread(cluster: Cluster, node: Node) -> tuple[Share, ...]:
    """What is to move so that a node that is back gets its share of the containers.

    No service that stops before it starts: it would be away for a moment. The cluster itself moves nothing by itself.
    """
    if not node.works:
        return ()
    working = {one.id for one in cluster.nodes if one.works}
    total = Counter(one.node for one in cluster.tasks if one.running and one.node in working)
    chosen: list[Share] = []
    for service in cluster.services:
        if not service.wanted or service.stops_first or not may_run_on(service, node):
            continue
        share = Counter(one.node for one in cluster.tasks_of(service) if one.running and one.node in working)
        fullest = max(share, key=lambda one: (share[one], total[one]), default="")
        if not fullest or fullest == node.id:
            continue
        doubled = share[fullest] - share[node.id] > 1
        lighter = not share[node.id] and total[fullest] - total[node.id] > 1
        if doubled or lighter:
            chosen.append(Share(service, "" if share[fullest] > 1 else fullest))
            total[fullest] -= 1
            total[node.id] += 1
    return tuple(chosen)
