"""Plans, releases and states of hosts as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.model.facts import Facts
from deploy.model.journal import Outcome, Probes, interrupted
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan import Action, EdgeAction, Plan, ServicePlan
from deploy.ui.units import age, duration, size

_SIGNS = {Action.CREATE: "+", Action.REPLACE: "~", Action.KEEP: "=", Action.REMOVE: "-"}
_EDGE = {
    EdgeAction.START: "start on port {ports}, then switch to the new release",
    EdgeAction.SWITCH: "switch to the new release",
    EdgeAction.RELOAD: "load a changed configuration, then switch to the new release",
    EdgeAction.RECREATE: "replace for port {ports}, then switch to the new release",
}
MOST_REASONS = 6


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan for people: what happens to whom, and why."""
    before = f", now {plan.previous}" if plan.previous else ", nothing runs there yet"
    yield f"{plan.project} on {plan.host}: release {plan.release}{before}"
    yield ""
    for service in (*plan.data, *plan.services):
        yield _service_line(service)
    if plan.edge in _EDGE:
        yield f"  ~ edge       {_EDGE[plan.edge].format(ports=', '.join(plan.ports))}"
    yield ""
    if plan.build:
        yield f"  build    {', '.join(plan.build)}"
    if plan.push:
        yield f"  push     {', '.join(plan.push)}{_about(plan)}"
    if plan.migrate:
        yield f"  migrate  {', '.join(plan.migrate)}, if the new image finds anything pending; a backup is taken before"
    for text in (*plan.gaps, *plan.leftovers):
        yield f"  note     {text}"


def _about(plan: Plan) -> str:
    """What the host lacks of the images to push, as far as it is known before they are built."""
    if plan.build:
        return f" (about {size(plan.push_bytes)} and what is built)" if plan.push_bytes else ""
    return f" (about {size(plan.push_bytes)} before compression)"


def _service_line(service: ServicePlan) -> str:
    reasons = service.reasons[:MOST_REASONS]
    more = len(service.reasons) - len(reasons)
    why = ", ".join(reasons) + (f" and {more} more" if more else "")
    return f"  {_SIGNS[service.action]} {service.name:<10} {service.action:<8} {service.kind:<7} {why}".rstrip()


def seen(probes: Probes | None) -> str:
    """What a change's last line says about the requests from outside; nothing when there were none."""
    if not probes or not probes.sent:
        return ""
    return f"; {probes.failed} of {probes.sent} probes failed, slowest {probes.slowest_ms} ms"


def release_rows(facts: Facts) -> Iterator[Sequence[str]]:
    """A row for every change of what runs on a host, newest first."""
    live = facts.live
    broken, unended = interrupted(facts.journal), "going on" if facts.lock else "interrupted"
    marked = False
    for entry in reversed(facts.journal):
        if entry.outcome == Outcome.STARTED and entry != broken:
            continue
        serves = not marked and live is not None and entry.release == live.id and entry.outcome != Outcome.FAILED
        marked = marked or serves
        yield (
            "→" if serves else "",
            entry.release,
            unended if entry == broken else str(entry.outcome),
            age(entry.at, facts.now),
            entry.by,
            entry.revision,
            duration(entry.duration_s),
            size(entry.bytes_sent),
            f"{entry.probes.failed} of {entry.probes.sent}" if entry.probes else "",
            "kept" if entry.release in facts.releases else "removed",
        )


RELEASE_HEADINGS = ("", "release", "outcome", "when", "by", "revision", "took", "sent", "probes failed", "on the host")


def status_rows(facts: Facts, layout: HostLayout) -> Iterator[Sequence[str]]:
    """A row for every container of the project that runs or should run."""
    live = facts.live
    projects = {
        layout.edge_project: "edge",
        layout.data_project: "data",
        **({layout.release_project(live.id): "live"} if live else {}),
    }
    for container in facts.containers:
        if container.project in projects:
            yield (projects[container.project], container.service, container.state, container.status, container.image)
    if live:
        present = {container.service for container in facts.release_containers(layout, live.id)}
        for name, service in live.services.items():
            if service.kind != Kind.DATA and name not in present:
                yield ("live", name, "missing", "", service.image)


STATUS_HEADINGS = ("part", "service", "state", "status", "image")


def status_problems(facts: Facts, layout: HostLayout) -> tuple[str, ...]:
    """What is not as it should be, in sentences; empty when all is well."""
    found = []
    live = facts.live
    if not facts.engine_version:
        return (f"no Docker engine answers: {facts.engine_error}",)
    if live is None:
        return ("no release is live",)
    for _, service, state, status, _ in status_rows(facts, layout):
        kind = live.services[service].kind if service in live.services else None
        if state != "running" and kind != Kind.JOB:
            found.append(f"{service} is {state}")
        elif "(unhealthy)" in status:
            found.append(f"{service} is unhealthy")
    if live.public and not facts.edge_serves:
        found.append("the edge does not run: no public port answers")
    if facts.current and facts.current != live.id:
        found.append(f"the edge serves {live.id}, the current link names {facts.current}: deploy or roll back again")
    if not facts.lock and (broken := interrupted(facts.journal)):
        found.append(f"{broken.release} was begun by {broken.by} and never ended: deploy again")
    return tuple(found)


def summary(facts: Facts) -> str:
    """The last change, or the one that is going on, in a sentence."""
    if facts.frozen:
        return f"locked by {facts.frozen.get('by')}: {facts.frozen.get('message')}"
    if facts.lock:
        return f"{facts.lock.get('by', 'somebody')} is {facts.lock.get('purpose', 'at work')}"
    now = facts.now
    last = next((entry for entry in reversed(facts.journal) if entry.outcome != Outcome.STARTED), None)
    return (
        f"last change: {last.release} {last.outcome} {age(last.at, now)} by {last.by}"
        if last
        else "nothing was ever deployed"
    )
