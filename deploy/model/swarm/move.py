"""Moving a project between the engines: what stands in the way, and what a plan says of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.edge import listeners_of
from deploy.model.facts import Container, Facts, Mounted
from deploy.model.fingerprint import changed_parts
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan import Action, EdgeAction, Plan, ServicePlan
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine
from deploy.model.stack import Stack
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.render import own_constraints

_NAMELESS = re.compile(r"[0-9a-f]{64}")
_STAYS = "volumes, backups, releases and the journal stay where they are"


def by_compose(facts: Facts, layout: HostLayout) -> tuple[Container, ...]:
    """Containers of ours that compose has made here and no cluster knows of: running ones and stopped ones."""
    releases = {layout.release_project(name) for name, one in facts.releases.items() if one.engine == Engine.COMPOSE}
    ours = {layout.data_project, layout.edge_project, *releases}
    return tuple(one for one in facts.containers if one.project in ours and not names.is_task(one.name, layout.project))


def enters_cluster(facts: Facts, layout: HostLayout) -> bool:
    """Whether a deploy to a cluster moves the project there: compose serves it here, or was left with a part of it."""
    lasting = {layout.data_project, layout.edge_project}
    left = any(one.running and one.project in lasting for one in by_compose(facts, layout))
    return left or (facts.live is not None and facts.live.engine == Engine.COMPOSE)


def leaves_cluster(facts: Facts) -> bool:
    """Whether a deploy to a host takes the project from a cluster, wholly or what a killed move has left there."""
    return bool(facts.cluster.services) or (facts.live is not None and facts.live.engine == Engine.SWARM)


def data_containers(facts: Facts, layout: HostLayout) -> Mapping[str, str]:
    """The running container of each data service here, whichever engine has started it: service to name."""
    return {one.service: one.name for one in facts.of_project(layout.data_project) if one.running}


def with_entering(plan: Plan, record: ReleaseRecord, facts: Facts) -> Plan:
    """The plan of a deploy that moves a project to a cluster."""
    moves = f"from compose on {plan.host} to the cluster: {_STAYS}; engine: compose and a deploy move it back"
    return _moved(plan, record, facts, moves, "moves to the cluster")


def with_leaving(plan: Plan, record: ReleaseRecord, facts: Facts) -> Plan:
    """The plan of a deploy that takes a project back from a cluster."""
    moves = f"from the cluster to compose on {plan.host}, no other node keeps any of it: {_STAYS}"
    edge = EdgeAction.START if record.public and not facts.edge_serves else plan.edge
    return _moved(dataclasses.replace(plan, edge=edge), record, facts, moves, "moves from the cluster")


def _moved(plan: Plan, record: ReleaseRecord, facts: Facts, moves: str, why: str) -> Plan:
    data = Action.REPLACE if facts.data else Action.CREATE
    return dataclasses.replace(
        plan,
        moves=moves,
        services=tuple(_told(one, Action.CREATE, record, facts, why) for one in plan.services),
        data=tuple(_told(one, data, record, facts, why) for one in plan.data),
        gaps=tuple(_gaps(plan, record)),
    )


def _told(one: ServicePlan, action: Action, record: ReleaseRecord, facts: Facts, why: str) -> ServicePlan:
    """What becomes of a service, with what differs of its own besides."""
    if one.action == Action.REMOVE:
        return one
    live = facts.live.services.get(one.name) if facts.live else None
    before = facts.data.get(one.name) if one.kind == Kind.DATA else live.parts if live else None
    parts = changed_parts(before, record.services[one.name].parts) if before else ()
    return dataclasses.replace(one, action=action, reasons=(why, *parts))


def _gaps(plan: Plan, record: ReleaseRecord) -> Iterator[str]:
    for one in plan.data:
        if one.action != Action.REMOVE:
            yield (
                f"{one.name} is stopped, then started on its volume by the other engine: requests that need it fail "
                "meanwhile"
            )
    if ports := ", ".join(str(one.port) for one in listeners_of(record)):
        yield (
            f"port {ports} goes over from one edge to the other: refused connections for some seconds, and what is in "
            "flight has one second to end"
        )
    for name in record.app(exclusive=True):
        yield f"{name} stops before it starts there: {record.services[name].exclusive}"
    yield "until then both versions run, and share the data: migrations must suit both"


def check_entering(
    facts: Facts,
    cluster: Cluster,
    stack: Stack,
    layout: HostLayout,
    node: str,
    mounted: Mapping[str, tuple[Mounted, ...]],
) -> Iterator[Problem]:
    """What keeps a project from moving to a cluster through this host.

    `node` is the host's own id there, `mounted` what the containers of data services have, by service.
    """
    if not enters_cluster(facts, layout):
        return
    kept = cluster.data_node(layout.project)
    if kept and kept.id != node:
        yield Problem(
            f"the volumes of {layout.project} are on this host, and node {kept.hostname} is labelled as having them",
            f"on a manager: docker node update --label-rm {names.data_label(layout.project)} {kept.hostname}",
        )
    here = cluster.node(node)
    if here and not here.works:
        yield Problem(
            f"this host has the volumes and is {here.availability} in the cluster: its data services could not start",
            f"docker node update --availability active {here.hostname}",
        )
    if facts.maintenance:
        yield Problem("users get the maintenance page, which the other edge would not show", "end maintenance first")
    yield from _constrained(stack)
    yield from _new(facts, stack)
    for name, mounts in mounted.items():
        yield from _nameless(name, mounts, stack)


def _nameless(name: str, mounts: tuple[Mounted, ...], stack: Stack) -> Iterator[Problem]:
    service = stack.services.get(name)
    for one in mounts:
        if service and one.type == "volume" and _NAMELESS.fullmatch(one.source):
            yield Problem(
                f"{name}: what it has at {one.target} is in a volume without a name, which stays behind",
                f"mount a volume with a name at {one.target} and bring the data by db.backup and db.restore first",
                fatal=bool(service.store),
                path=("services", name, "volumes"),
            )


def _new(facts: Facts, stack: Stack) -> Iterator[Problem]:
    """Data services that nothing could be lent of while the others move."""
    known = {name for name, one in (facts.live.services if facts.live else {}).items() if one.kind == Kind.DATA}
    for name in sorted({one.name for one in stack.data} - known):
        yield Problem(
            f"{name} is new, and a move brings what is there",
            "add it by a deploy before the move, or by one after it",
            path=("services", name),
            rule="host-cluster",
        )


def _constrained(stack: Stack) -> Iterator[Problem]:
    for service in stack.data:
        if own_constraints(service):
            yield Problem(
                f"{service.name} has constraints of its own, and a move is for data on this host",
                "leave them out for the move",
                path=("services", service.name, "deploy", "placement"),
            )


def check_leaving(facts: Facts, stack: Stack, layout: HostLayout) -> Iterator[Problem]:
    """What keeps a project from being taken back from a cluster to this host."""
    project, found = layout.project, facts.cluster
    tasks = [one for one in facts.containers if one.running and names.is_task(one.name, project)]
    if tasks and not found.services:
        yield Problem(
            f"{project} runs on a cluster that this host is a worker of: {tasks[0].name}",
            "deploy to the manager with its data first, which ends it everywhere; or set engine: swarm",
            rule="host-cluster",
        )
    if found.services and found.data_node and not found.here:
        yield Problem(
            f"{project} runs on the cluster, and its data is on node {found.data_node}, not on this host",
            f"deploy to {found.data_node}; or set engine: swarm",
            rule="host-cluster",
        )
    if leaves_cluster(facts):
        yield from _new(facts, stack)
    here = data_containers(facts, layout)
    for service in stack.data:
        called = names.service_name(names.data_stack(project), service.name)
        if own_constraints(service) and called in found.services and service.name not in here:
            yield Problem(
                f"{service.name} has constraints of its own and does not run on this host: its data is on another node",
                "bring it by db.backup, db.send and db.restore",
                rule="host-cluster",
            )
