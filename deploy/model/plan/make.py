"""From what is wanted and what was found to a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from deploy.model.edge import IMAGE as EDGE_IMAGE
from deploy.model.edge import Listener, Tls, definition, images, listeners_of
from deploy.model.facts import Container, Facts
from deploy.model.fingerprint import changed_parts
from deploy.model.journal import interrupted, replacing_s
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan.values import Action, EdgeAction, Plan, ServicePlan, Wanted
from deploy.model.release import ReleaseRecord, ServiceRecord


def make_plan(wanted: Wanted, facts: Facts, layout: HostLayout) -> Plan:
    """The plan that turns a host as found into what is wanted."""
    live = facts.live
    listeners = listeners_of(wanted.record)
    data = _data(wanted.record, facts, layout)
    edge = _edge(listeners, wanted.tls, facts, layout)
    moves = any(one.action != Action.KEEP for one in data) or edge not in {EdgeAction.NONE, EdgeAction.SWITCH}
    services = _services(wanted.record, live, facts, layout, moves=moves)
    changing = any(plan.action != Action.KEEP for plan in services)
    needed = [service.image for service in wanted.record.services.values()]
    needed += images(wanted.tls) if listeners else ()
    push = tuple(image for image in dict.fromkeys(needed) if image not in facts.images)
    build = tuple(
        name
        for name, service in wanted.record.services.items()
        if service.source.startswith("build:") and service.image in push and service.image not in wanted.built_here
    )
    return Plan(
        host=facts.host,
        project=layout.project,
        release=wanted.record.id,
        previous=live.id if live else "",
        services=services,
        data=data,
        edge=edge,
        ports=(*(str(listener.port) for listener in listeners), *(("443",) if wanted.tls else ())),
        ports_before=_ports_before(facts),
        build=build,
        push=push,
        push_bytes=wanted.lacked_bytes,
        migrate=wanted.migrating if changing else (),
        migrations=dict(new_migrations(wanted, live)) if changing else {},
        found=wanted.found if changing else (),
        by_hand=tuple(sorted({one.service for one in facts.by_hand(layout)})),
        leftovers=tuple(_leftovers(facts, layout)),
        gaps=(
            *_gaps(data, edge, wanted.record, live, _why_anew(listeners, wanted.tls, facts)),
            *_taking_over(facts.by_hand(layout), wanted.record, listeners),
        ),
        warnings=wanted.warnings,
    )


def new_migrations(wanted: Wanted, live: ReleaseRecord | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in wanted.migrating:
        names = wanted.record.services[name].migrations
        before = live.services[name].migrations if live and name in live.services else ()
        if names is not None and before is not None:
            yield name, tuple(one for one in names if one not in before)


def _services(
    record: ReleaseRecord, live: ReleaseRecord | None, facts: Facts, layout: HostLayout, *, moves: bool
) -> tuple[ServicePlan, ...]:
    """`moves` says that something else asks for a new release, which every app service then is part of."""
    app = {name: service for name, service in record.services.items() if service.kind != Kind.DATA}
    if live is None:
        return tuple(
            ServicePlan(name, service.kind, Action.CREATE, ("first release",)) for name, service in app.items()
        )
    containers = facts.release_containers(layout, live.id)
    reasons = {name: _reasons(name, service, live.services.get(name), containers) for name, service in app.items()}
    gone = [name for name, service in live.services.items() if service.kind != Kind.DATA and name not in app]
    changing = moves or gone or any(reasons.values())
    plans = []
    for name, service in app.items():
        if name not in live.services:
            plans.append(ServicePlan(name, service.kind, Action.CREATE, ("new service",)))
        elif not changing:
            plans.append(ServicePlan(name, service.kind, Action.KEEP))
        else:
            action = Action.REPLACE if _runs(name, service, containers) else Action.CREATE
            plans.append(ServicePlan(name, service.kind, action, reasons[name] or ("moves with the release",)))
    plans += [ServicePlan(name, live.services[name].kind, Action.REMOVE, ("no longer in the stack",)) for name in gone]
    return tuple(plans)


def _runs(name: str, service: ServiceRecord, containers: Iterable[Container]) -> bool:
    """Whether the live release has something of a service to be replaced; a job that has ended counts."""
    return any(
        one.service == name and (one.running or service.kind == Kind.JOB or (service.may_end and one.ended_well))
        for one in containers
    )


def _reasons(
    name: str, service: ServiceRecord, before: ServiceRecord | None, containers: Iterable[Container]
) -> tuple[str, ...]:
    """Why a service of the live release cannot stay as it is; empty when it can."""
    if before is None:
        return ("new service",)
    own = [container for container in containers if container.service == name]
    parts = changed_parts(before.parts, service.parts)
    if parts:
        return parts
    if service.kind == Kind.JOB:
        return ()
    running = [container for container in own if container.running or (service.may_end and container.ended_well)]
    if len(running) < service.replicas:
        states = ", ".join(container.state for container in own if not container.running) or "missing"
        return (f"not running: {states}",)
    if any(container.health == "unhealthy" for container in running):
        return ("unhealthy",)
    return ()


def _data(record: ReleaseRecord, facts: Facts, layout: HostLayout) -> tuple[ServicePlan, ...]:
    containers = facts.of_project(layout.data_project)
    plans = []
    for name, service in record.services.items():
        if service.kind != Kind.DATA:
            continue
        known: Mapping[str, str] | None = facts.data.get(name)
        if known is None:
            plans.append(ServicePlan(name, service.kind, Action.CREATE, ("first release",)))
        elif parts := changed_parts(known, service.parts):
            action = Action.REPLACE if _runs(name, service, containers) else Action.CREATE
            plans.append(ServicePlan(name, service.kind, action, parts, gap_s=replacing_s(facts.journal, name)))
        elif not _runs(name, service, containers):
            plans.append(ServicePlan(name, service.kind, Action.CREATE, ("not running",)))
        else:
            plans.append(ServicePlan(name, service.kind, Action.KEEP))
    wanted = {plan.name for plan in plans}
    plans += [
        ServicePlan(name, Kind.DATA, Action.REMOVE, ("no longer in the stack; its volumes stay",))
        for name in facts.data
        if name not in wanted
    ]
    return tuple(plans)


def _edge(listeners: tuple[Listener, ...], tls: Tls | None, facts: Facts, layout: HostLayout) -> EdgeAction:
    if not listeners:
        return EdgeAction.NONE
    state = facts.edge
    running = any(
        container.running and container.service == "edge" for container in facts.of_project(layout.edge_project)
    )
    if state is None or not running:
        return EdgeAction.START
    wanted = state.listening(listeners, tls)
    if facts.edge_runs != (facts.images.get(EDGE_IMAGE), definition(wanted)):
        return EdgeAction.RECREATE
    return EdgeAction.SWITCH if state == wanted else EdgeAction.RELOAD


def _ports_before(facts: Facts) -> tuple[str, ...]:
    if facts.edge is None:
        return ()
    return (*(str(listener.port) for listener in facts.edge.listeners), *(("443",) if facts.edge.tls else ()))


def _why_anew(listeners: tuple[Listener, ...], tls: Tls | None, facts: Facts) -> str:
    """What an edge that is replaced is replaced for."""
    state = facts.edge
    before = {listener.port.published for listener in state.listeners} if state else set()
    if before != {listener.port.published for listener in listeners} or bool(tls) != bool(state and state.tls):
        return "its public ports change"
    return "its image is newer" if facts.edge_runs[0] != facts.images.get(EDGE_IMAGE) else "its definition changes"


def _gaps(
    data: Iterable[ServicePlan], edge: EdgeAction, record: ReleaseRecord, live: ReleaseRecord | None, why_anew: str
) -> Iterable[str]:
    yield from data_gaps(data)
    if edge == EdgeAction.RECREATE:
        yield (
            f"the edge is replaced because {why_anew}: one to three seconds of refused connections, "
            "and what is in flight has one second to end"
        )
    if live:
        for name in record.app(exclusive=True):
            yield f"{name} stops before its new version starts: {record.services[name].exclusive}"


def data_gaps(data: Iterable[ServicePlan]) -> Iterable[str]:
    """What users notice of services that live on and are changed themselves."""
    for plan in data:
        if plan.action == Action.REPLACE:
            last = f", which took {plan.gap_s:.0f} s the last time" if plan.gap_s else ""
            yield f"{plan.name} is replaced: requests that need it fail until it is healthy again{last}"
        if plan.action == Action.REMOVE:
            yield f"{plan.name} is removed: requests that need it fail"


def _taking_over(by_hand: Iterable[Container], record: ReleaseRecord, listeners: Iterable[Listener]) -> Iterable[str]:
    """What users notice while a stack that was started by hand is taken over."""
    by_hand = tuple(by_hand)
    kinds = {name: one.kind for name, one in record.services.items()}
    for name in sorted({one.service for one in by_hand if kinds.get(one.service) == Kind.DATA}):
        yield f"{name} is stopped and started as a service of ours on its volume: requests that need it fail meanwhile"
    for port in sorted({one.port.published for one in listeners}):
        holder = next((one.service for one in by_hand if one.publishes(port)), "")
        if holder:
            yield (
                f"port {port} goes over from {holder} to the edge: refused connections for as long as {holder} takes "
                "to stop, and about two seconds more"
            )


def _leftovers(facts: Facts, layout: HostLayout) -> Iterable[str]:
    live = facts.live
    if live and facts.by_hand(layout):
        names = ", ".join(sorted({one.service for one in facts.by_hand(layout)}))
        yield f"{names} of the compose project {layout.project}, started by hand, run beside it"
    if broken := interrupted(facts.journal):
        yield f"{broken.by} began {broken.release} and never ended"
    for release_id in facts.releases:
        running = any(container.running for container in facts.release_containers(layout, release_id))
        if running and not facts.is_warm(release_id) and (live is None or release_id != live.id):
            yield f"{release_id} still runs"
