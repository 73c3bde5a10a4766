"""The plan of a deploy to a cluster: the same value as for one host, with what a rolling update means for users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.model.edge import Tls, images
from deploy.model.facts import Facts
from deploy.model.fingerprint import changed_parts
from deploy.model.journal import interrupted, replacing_s
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan import Action, EdgeAction, Plan, ServicePlan, Wanted
from deploy.model.plan.make import data_gaps, new_migrations
from deploy.model.release import ReleaseRecord, ServiceRecord
from deploy.model.swarm import names
from deploy.model.swarm.edge import edge_config, state_of
from deploy.model.swarm.found import Cluster, Node
from deploy.model.swarm.placement import may_run_on


def make_swarm_plan(
    wanted: Wanted, facts: Facts, cluster: Cluster, layout: HostLayout, edge_definition: str = "", node: str = ""
) -> Plan:
    """The plan that turns a cluster as found into what is wanted. What does not change is left alone.

    `edge_definition` is the digest of what the edge's containers are to be made from, `node` the id of the manager that
    is worked through, which the edge's controller is to be on.
    """
    record, live = wanted.record, facts.live
    data = tuple(_data(record, facts, cluster, layout))
    services = tuple(_services(record, live, cluster, layout.project))
    edge = _edge(record, wanted.tls, facts, cluster, layout.project, edge_definition)
    if edge == EdgeAction.NONE and record.public and controller_elsewhere(cluster, layout.project, node):
        edge = EdgeAction.RELOAD
    changing = any(one.action != Action.KEEP for one in (*services, *data)) or edge != EdgeAction.NONE
    needed = [*(one.image for one in record.services.values()), *(images(wanted.tls) if record.public else [])]
    push = tuple(image for image in dict.fromkeys(needed) if image not in facts.images)
    build = tuple(
        name
        for name, one in record.services.items()
        if one.source.startswith("build:") and one.image in push and one.image not in wanted.built_here
    )
    return Plan(
        host=facts.host,
        project=layout.project,
        release=record.id,
        previous=live.id if live else "",
        services=services,
        data=data,
        edge=edge,
        ports=_ports(record, wanted.tls),
        ports_before=_ports(live, facts.edge.tls if facts.edge else None) if live else (),
        build=build,
        push=push,
        push_bytes=wanted.lacked_bytes,
        migrate=wanted.migrating if changing else (),
        migrations=dict(new_migrations(wanted, live)) if changing else {},
        found=wanted.found if changing else (),
        by_hand=(),
        leftovers=tuple(_leftovers(facts, edge)),
        gaps=tuple(_gaps(services, data, edge, record, live)),
        warnings=wanted.warnings,
    )


def _services(
    record: ReleaseRecord, live: ReleaseRecord | None, cluster: Cluster, project: str
) -> Iterator[ServicePlan]:
    for name, service in record.services.items():
        if service.kind != Kind.DATA:
            yield ServicePlan(name, service.kind, *_what_happens(name, service, live, cluster, project))
    for name, before in (live.services if live else {}).items():
        if before.kind != Kind.DATA and name not in record.services:
            yield ServicePlan(name, before.kind, Action.REMOVE, ("no longer in the stack",))


def _what_happens(  # noqa: PLR0911  # a rule a return, in the order in which they count
    name: str, service: ServiceRecord, live: ReleaseRecord | None, cluster: Cluster, project: str
) -> tuple[Action, tuple[str, ...]]:
    """What becomes of a service that a release brings, and why."""
    before = live.services.get(name) if live else None
    there = cluster.service(names.app_stack(project), name)
    if live is None or before is None:
        return Action.CREATE, ("new service" if live else "first release",)
    if parts := changed_parts(before.parts, service.parts):
        return Action.REPLACE if there else Action.CREATE, parts
    if service.kind == Kind.JOB:
        return Action.KEEP, ()
    if there is None:
        return Action.CREATE, ("not in the cluster",)
    if there.release != live.id:
        return Action.REPLACE, (f"left by {there.release or 'somebody'}",)
    if there.update in {"paused", "rollback_paused"}:
        return Action.REPLACE, ("its last update was given up half-way",)
    return Action.KEEP, ()


def _data(record: ReleaseRecord, facts: Facts, cluster: Cluster, layout: HostLayout) -> Iterator[ServicePlan]:
    stack = names.data_stack(layout.project)
    for name, service in record.services.items():
        if service.kind != Kind.DATA:
            continue
        known: Mapping[str, str] | None = facts.data.get(name)
        there = cluster.service(stack, name)
        if known is None:
            yield ServicePlan(name, service.kind, Action.CREATE, ("first release",))
        elif there is None:
            yield ServicePlan(name, service.kind, Action.CREATE, ("not in the cluster",))
        elif there.wanted == 0 and service.replicas:
            yield ServicePlan(name, service.kind, Action.CREATE, ("it was told to have no container",))
        elif parts := changed_parts(known, service.parts):
            gap = replacing_s(facts.journal, name)
            yield ServicePlan(name, service.kind, Action.REPLACE, parts, gap_s=gap)
        else:
            yield ServicePlan(name, service.kind, Action.KEEP)
    for name in facts.data:
        if name not in record.services or record.services[name].kind != Kind.DATA:
            yield ServicePlan(name, Kind.DATA, Action.REMOVE, ("no longer in the stack; its volumes stay",))


def _edge(
    record: ReleaseRecord, tls: Tls | None, facts: Facts, cluster: Cluster, project: str, definition: str
) -> EdgeAction:
    live = facts.live
    there = cluster.service(names.edge_stack(project), "edge")
    if not record.public:
        return EdgeAction.NONE
    if live is None or not live.public or there is None:
        return EdgeAction.START
    if there.definition != definition:
        return EdgeAction.RECREATE
    before = facts.edge.tls if facts.edge else None
    same = facts.edge == state_of(record, tls) and edge_config(record, project, tls) == edge_config(
        live, project, before
    )
    return EdgeAction.NONE if same else EdgeAction.RELOAD


def controller_elsewhere(cluster: Cluster, project: str, node: str) -> Node | None:
    """Where the edge's controller is, when that is another node than one; it was deployed through that one."""
    controller = cluster.service(names.edge_stack(project), "controller")
    own = cluster.node(node)
    if controller is None or own is None or may_run_on(controller, own):
        return None
    return next((one for one in cluster.nodes if may_run_on(controller, one)), None)


def _ports(record: ReleaseRecord, tls: Tls | None) -> tuple[str, ...]:
    state = state_of(record, tls)
    return (*(str(one.port) for one in state.listeners), *(["443"] if tls else []))


def _gaps(
    services: tuple[ServicePlan, ...],
    data: tuple[ServicePlan, ...],
    edge: EdgeAction,
    record: ReleaseRecord,
    live: ReleaseRecord | None,
) -> Iterator[str]:
    yield from data_gaps(data)
    if edge == EdgeAction.RECREATE:
        yield "the edge is replaced, node by node: refused connections at each for a few seconds"
    if edge == EdgeAction.RELOAD:
        yield "the edge of every node loads another configuration; it goes on answering"
    rolling = [one.name for one in services if one.action == Action.REPLACE]
    if live and any(not record.services[name].exclusive for name in rolling):
        yield (
            f"{', '.join(rolling)} roll, container by container: until that has ended, requests are answered by both "
            "versions, which share the data"
        )
    for name in rolling:
        if record.services[name].exclusive:
            yield f"{name} stops before its new version starts: {record.services[name].exclusive}"


def _leftovers(facts: Facts, edge: EdgeAction) -> Iterator[str]:
    if edge == EdgeAction.START and facts.live and facts.live.public:
        yield "the edge is not in the cluster: it is started anew"
    if broken := interrupted(facts.journal):
        yield f"{broken.by} began {broken.release} and never ended: services may be of both versions"
