"""A plan: everything a deploy will do to a host and why, as a value computed from what is wanted and what was found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.model.edge import IMAGE as EDGE_IMAGE
from deploy.model.edge import EdgeState, Listener, listeners_of, render_compose
from deploy.model.facts import Container, Facts
from deploy.model.fingerprint import changed_parts
from deploy.model.journal import interrupted
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord, ServiceRecord


class Action(StrEnum):
    """What happens to a service."""

    CREATE = "create"
    REPLACE = "replace"
    KEEP = "keep"
    REMOVE = "remove"


class EdgeAction(StrEnum):
    """What happens to the edge beyond being pointed at the new release."""

    NONE = "none"
    """There is no public port."""
    START = "start"
    SWITCH = "switch"
    RELOAD = "reload"
    """Its configuration changes; it goes on answering."""
    RECREATE = "recreate"
    """Its published ports change: it is replaced, with a gap."""


@dataclass(frozen=True)
class ServicePlan:
    """What happens to one service, and why."""

    name: str
    kind: Kind
    action: Action
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What a deploy will do to one host."""

    host: str
    project: str
    release: str
    """Id of the release to be made."""
    previous: str
    """Id of the release that serves now; empty on a first deploy."""
    services: tuple[ServicePlan, ...]
    data: tuple[ServicePlan, ...]
    edge: EdgeAction
    ports: tuple[str, ...]
    """Public ports after the deploy."""
    build: tuple[str, ...]
    """Services whose image has to be built."""
    push: tuple[str, ...]
    """Images that the host lacks."""
    push_bytes: int
    """About how many bytes of layers it lacks, before compression, of those of them that this machine has already."""
    migrate: tuple[str, ...]
    """Services whose migrations are looked at, and run when some are pending."""
    leftovers: tuple[str, ...]
    """What an earlier change that was killed has left running, in sentences."""
    gaps: tuple[str, ...]
    """What users may notice, in sentences."""
    warnings: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether a new release is needed."""
        return any(service.action != Action.KEEP for service in (*self.services, *self.data))

    @property
    def noop(self) -> bool:
        """Whether the host already is as it should be."""
        return not self.changes and not self.leftovers

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"noop": self.noop}


@dataclass(frozen=True)
class Wanted:
    """What should run on the host."""

    record: ReleaseRecord
    """The release to be made. Its images are not pinned yet."""
    built_here: frozenset[str]
    """Images that this machine has."""
    lacked_bytes: int
    """About how many bytes of layers of these the host lacks."""
    migrating: tuple[str, ...]
    """Services that declare how to migrate."""
    warnings: tuple[str, ...] = ()


def make_plan(wanted: Wanted, facts: Facts, layout: HostLayout) -> Plan:
    """The plan that turns a host as found into what is wanted."""
    live = facts.live
    listeners = listeners_of(wanted.record)
    data = _data(wanted.record, facts, layout)
    edge = _edge(listeners, facts, layout)
    moves = any(one.action != Action.KEEP for one in data) or edge not in {EdgeAction.NONE, EdgeAction.SWITCH}
    services = _services(wanted.record, live, facts, layout, moves=moves)
    changing = any(plan.action != Action.KEEP for plan in services)
    images = [service.image for service in wanted.record.services.values()] + ([EDGE_IMAGE] if listeners else [])
    push = tuple(image for image in dict.fromkeys(images) if image not in facts.images)
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
        ports=tuple(str(listener.port) for listener in listeners),
        build=build,
        push=push,
        push_bytes=wanted.lacked_bytes,
        migrate=wanted.migrating if changing else (),
        leftovers=tuple(_leftovers(facts, layout)),
        gaps=tuple(_gaps(data, edge, wanted.record, live)),
        warnings=wanted.warnings,
    )


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
            plans.append(ServicePlan(name, service.kind, Action.REPLACE, reasons[name] or ("moves with the release",)))
    plans += [ServicePlan(name, live.services[name].kind, Action.REMOVE, ("no longer in the stack",)) for name in gone]
    return tuple(plans)


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
    running = [container for container in own if container.running]
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
            plans.append(ServicePlan(name, service.kind, Action.REPLACE, parts))
        elif not any(container.service == name and container.running for container in containers):
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


def _edge(listeners: tuple[Listener, ...], facts: Facts, layout: HostLayout) -> EdgeAction:
    if not listeners:
        return EdgeAction.NONE
    state = facts.edge
    running = any(container.running for container in facts.of_project(layout.edge_project))
    if state is None or not running:
        return EdgeAction.START
    if _published(state, layout) != _published(state.listening(listeners), layout):
        return EdgeAction.RECREATE
    return EdgeAction.SWITCH if state.listeners == listeners else EdgeAction.RELOAD


def _published(state: EdgeState, layout: HostLayout) -> dict[str, Any]:
    return render_compose(state, layout)


def _gaps(
    data: Iterable[ServicePlan], edge: EdgeAction, record: ReleaseRecord, live: ReleaseRecord | None
) -> Iterable[str]:
    for plan in data:
        if plan.action == Action.REPLACE:
            yield f"{plan.name} is replaced: requests that need it fail until it is healthy again"
        if plan.action == Action.REMOVE:
            yield f"{plan.name} is removed: requests that need it fail"
    if edge == EdgeAction.RECREATE:
        yield "the edge is replaced because its public ports change: about a second of refused connections"
    if live:
        for name in record.app(exclusive=True):
            yield f"{name} stops before its new version starts: {record.services[name].exclusive}"


def _leftovers(facts: Facts, layout: HostLayout) -> Iterable[str]:
    live = facts.live
    if broken := interrupted(facts.journal):
        yield f"{broken.by} began {broken.release} and never ended"
    for release_id in facts.releases:
        running = any(container.running for container in facts.release_containers(layout, release_id))
        if running and (live is None or release_id != live.id):
            yield f"{release_id} still runs"
