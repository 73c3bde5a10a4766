"""Finding a running container of a service somewhere in a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.model.errors import UsageError, nearest
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster, Node


@dataclass(frozen=True)
class Running:
    """A container, and the node it is on."""

    service: str
    container: str
    node: Node


def running_of(cluster: Cluster, project: str, service: str) -> tuple[Running, ...]:
    """The running containers of a service, newest first. Raises UsageError for one that is not there."""
    known = {one.name: one for stack in names.stacks(project) for one in cluster.of(stack)}
    if service not in known:
        raise UsageError(f"there is no service '{service}' in the cluster", nearest(service, [*known]))
    found = []
    for task in reversed(cluster.tasks_of(known[service])):
        node = cluster.node(task.node)
        if task.running and task.container and node:
            found.append(Running(service, task.container, node))
    if not found:
        raise UsageError(f"no container of {service} runs now", "inv ENVIRONMENT.status says why")
    return tuple(found)
