"""What is said of a project on a cluster: a row for every service, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from deploy.model.facts import Facts
from deploy.model.journal import interrupted
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster, SwarmService

STATUS_HEADINGS = ("part", "service", "running", "state", "nodes", "image")
NODE_HEADINGS = ("node", "role", "state", "availability", "address", "labels")


def status_rows(cluster: Cluster, facts: Facts, project: str) -> Iterator[Sequence[str]]:
    """A row for every service of the project's stacks, and for those that are missing."""
    parts = {names.app_stack(project): "app", names.data_stack(project): "data", names.edge_stack(project): "edge"}
    for stack, part in parts.items():
        for service in sorted(cluster.of(stack), key=lambda one: one.name):
            running = [one for one in cluster.tasks_of(service) if one.running]
            nodes = Counter(cluster.hostname(one.node) for one in running)
            yield (
                part,
                service.name,
                f"{len(running)} of {wanted_of(service, cluster)}",
                _state(service, cluster),
                ", ".join(f"{node} x{number}" if number > 1 else node for node, number in sorted(nodes.items())),
                service.image.partition("@")[0],
            )
    for name in _missing(cluster, facts, project):
        yield ("app", name, "0", "missing", "", "")


def wanted_of(service: SwarmService, cluster: Cluster) -> int:
    """How many tasks a service is to have."""
    return sum(node.works for node in cluster.nodes) if service.wanted is None else service.wanted


def _state(service: SwarmService, cluster: Cluster) -> str:
    if service.update not in {"", "completed"}:
        return service.update.replace("_", " ")
    running = [one for one in cluster.tasks_of(service) if one.running]
    if len(running) >= wanted_of(service, cluster):
        return "running"
    waiting = [one for one in cluster.tasks_of(service) if one.desired == "running" and not one.running]
    return waiting[-1].state if waiting else "down"


def _missing(cluster: Cluster, facts: Facts, project: str) -> Iterator[str]:
    live = facts.live
    rolling = (*live.app(exclusive=True), *live.app(exclusive=False)) if live else ()
    for name in rolling:
        if live and name not in [*_jobs(facts)] and cluster.service(names.app_stack(project), name) is None:
            yield name


def _jobs(facts: Facts) -> Iterator[str]:
    for name, one in (facts.live.services if facts.live else {}).items():
        if one.kind == "job":
            yield name


def status_problems(cluster: Cluster, facts: Facts, project: str) -> Iterator[str]:
    """What is wrong, in sentences."""
    if facts.live is None:
        known = sorted({one.release for one in cluster.services if one.release})
        elsewhere = (
            f"{', '.join(known)} runs, which this manager knows nothing of: work through the one that deployed it"
        )
        yield elsewhere if known else "no release is live"
        return
    if (broken := interrupted(facts.journal)) and not facts.lock:
        yield f"{broken.by} began {broken.release} and never ended: a deploy goes on, a rollback takes it back"
    for service in cluster.services:
        yield from _wrong(service, cluster, names.data_stack(project))
        if service.stack == names.app_stack(project) and service.release != facts.live.id and not facts.lock:
            yield f"{service.name} is of {service.release}, not of {facts.live.id}"
    for name in _missing(cluster, facts, project):
        yield f"{name} is not in the cluster"
    yield from _nodes(cluster)


def _wrong(service: SwarmService, cluster: Cluster, data_stack: str) -> Iterator[str]:
    tasks = cluster.tasks_of(service)
    running, wanted = sum(one.running for one in tasks), wanted_of(service, cluster)
    ended = service.may_end and any(one.state == "complete" for one in tasks)
    if running < wanted and not ended:
        why = next((one.error for one in reversed(tasks) if one.error), "")
        yield f"{service.name}: {running} of {wanted} run" + (f" ({why})" if why else "")
    if wanted == 0 and service.stack == data_stack:
        why = "by hand or by a restore that was cut short"
        yield f"{service.name} was told to have no container, {why}: a deploy mends it"
    if service.update in {"paused", "rollback_paused"}:
        yield f"{service.name}: its update was given up half-way: {service.update_message}"


def _nodes(cluster: Cluster) -> Iterator[str]:
    yield from (f"node {node.hostname} is {node.state}" for node in cluster.nodes if node.state != "ready")
    managers = [node for node in cluster.nodes if node.role == "manager"]
    alive = [node for node in managers if node.state == "ready"]
    if len(alive) < len(managers) and len(alive) - 1 <= len(managers) // 2:
        yield f"{len(alive)} of {len(managers)} managers are left: with one less the cluster takes no changes"


def node_rows(cluster: Cluster) -> Iterator[Sequence[str]]:
    """A row for every node."""
    for node in sorted(cluster.nodes, key=lambda one: (one.role, one.hostname)):
        role = f"{node.role}, leads" if node.leader else node.role
        labels = ", ".join(f"{key}={value}" for key, value in sorted(node.labels.items()))
        yield (node.hostname, role, node.state, node.availability, node.address, labels)
