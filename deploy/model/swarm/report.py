"""What is said of a project on a cluster: a row for every service, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from deploy.model.facts import Facts
from deploy.model.journal import interrupted
from deploy.model.settings import Engine
from deploy.model.swarm import names
from deploy.model.swarm.drain import to_spread
from deploy.model.swarm.found import Cluster, SwarmService, Task
from deploy.model.swarm.placement import wanted_of
from deploy.model.swarm.records import Stamp, newest, parse_stamp

STATUS_HEADINGS = ("part", "service", "running", "state", "nodes", "image")
NODE_HEADINGS = ("node", "role", "state", "availability", "address", "records", "labels")


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
        elsewhere = f"{', '.join(known)} runs, which this manager knows nothing of: name all managers under hosts:"
        yield elsewhere if known else "no release is live"
        return
    if facts.live.engine == Engine.COMPOSE:
        yield f"{facts.live.id} serves by compose: engine: compose in invoke.yaml looks at it, a deploy moves it here"
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


def status_hints(cluster: Cluster) -> Iterator[str]:
    """What is not wrong, and could be better: nodes that rest, or came back and were given nothing."""
    for node in cluster.nodes:
        if node.state == "ready" and not node.works:
            yield (
                f"node {node.hostname} rests ({node.availability}): inv host.activate --host {node.hostname} lets it "
                "take part again"
            )
            continue
        idle = not any(one.running and one.node == node.id and _rolls(one, cluster) for one in cluster.tasks)
        if idle and (shares := to_spread(cluster, node)):
            yield (
                f"node {node.hostname} has no container of {', '.join(one.service.name for one in shares)}: "
                f"inv host.activate --host {node.hostname} gives it its share"
            )


def _rolls(task: Task, cluster: Cluster) -> bool:
    """Whether a container is of a service whose containers may be anywhere."""
    return any(one.id == task.service and one.wanted is not None for one in cluster.services)


def node_rows(cluster: Cluster, project: str) -> Iterator[Sequence[str]]:
    """A row for every node; of those that keep the project's records whether they have the newest."""
    kept = {node.id: parse_stamp(node.labels.get(names.records_label(project), "")) for node in cluster.nodes}
    last = newest(kept.values())
    for node in sorted(cluster.nodes, key=lambda one: (one.role, one.hostname)):
        role = f"{node.role}, leads" if node.leader else node.role
        has = kept[node.id]
        records = "" if has == Stamp() else "newest" if has == last else f"older, by {last.number - has.number}"
        told = {key: value for key, value in node.labels.items() if not key.startswith(names.RECORDS)}
        labels = ", ".join(f"{key}={value}" for key, value in sorted(told.items()))
        yield (node.hostname, role, node.state, node.availability, node.address, records, labels)
