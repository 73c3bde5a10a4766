"""Plans as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deploy.model.plan import Action, EdgeAction, Plan, ServicePlan, ValueChange
from deploy.ui.units import count, size, some_of

_SIGNS = {Action.CREATE: "+", Action.REPLACE: "~", Action.KEEP: "=", Action.REMOVE: "-"}
_EDGE = {
    EdgeAction.START: "start on port {ports}, then switch to the new release",
    EdgeAction.SWITCH: "switch to the new release",
    EdgeAction.RELOAD: "load a changed configuration, then switch to the new release",
    EdgeAction.RECREATE: "replace for port {ports}, then switch to the new release",
}
MOST_REASONS = 6
MOST_CHANGES = 12
MOST_LINES = 24


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan for people: what happens to whom, and why."""
    nothing = ", nothing of ours runs there yet" if plan.by_hand else ", nothing runs there yet"
    before = f", now {plan.previous}" if plan.previous else nothing
    yield f"{plan.project} on {plan.host}: release {plan.release}{before}"
    yield ""
    shown: set[str] = set()
    for service in (*plan.data, *plan.services):
        yield _service_line(service)
        yield from _details(service, shown)
    if plan.edge in _EDGE:
        yield f"  ~ edge       {_EDGE[plan.edge].format(ports=', '.join(plan.ports))}"
    yield from _ports(plan)
    yield ""
    if plan.build:
        yield f"  build    {', '.join(plan.build)}"
    if plan.push:
        yield f"  push     {', '.join(plan.push)}{_about(plan)}"
    if plan.migrate:
        names = "; ".join(_migrating(plan, name) for name in plan.migrate)
        yield f"  migrate  {names}; looked at again after the push, backed up before"
    yield from (f"  found    {text}" for text in plan.found)
    if plan.by_hand:
        yield (
            f"  take over  {', '.join(plan.by_hand)}: the compose project {plan.project}, started by hand. Its "
            "databases are backed up first, its volumes stay in use, its containers stay there, stopped"
        )
    if plan.moves:
        yield f"  move     {plan.moves}"
    yield from (f"  note     {text}" for text in (*plan.gaps, *plan.leftovers))
    if plan.unproved:
        yield f"  note     without a backup that was proved lately, because: {plan.unproved}"


def _migrating(plan: Plan, service: str) -> str:
    """What is known of a service's migrations before the database is asked."""
    names = plan.migrations.get(service)
    if names is None:
        return f"{service}, if anything is pending"
    return f"{service}: {some_of(names) or 'none is new'}"


def _details(service: ServicePlan, shown: set[str]) -> Iterator[str]:
    """What exactly differs, as far as there is room; `shown` are files that another service has shown already."""
    changes = [text for change in service.changes if (text := _change(change))]
    yield from (f"      {text}" for text in _at_most(changes, MOST_CHANGES))
    for file in service.files:
        if file.path in shown:
            continue
        shown.add(file.path)
        yield f"      {file.path}"
        yield from (f"        {line}".rstrip() for line in _at_most(file.lines, MOST_LINES))


def _change(change: ValueChange) -> str:
    if change.path.startswith("environment."):
        what = "added" if not change.before else "removed" if not change.after else ""
        return f"{change.path}: {what}" if what else ""
    return str(change)


def _at_most(lines: Sequence[str], most: int) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield f"… {count(len(lines) - most, 'more line')}, all of them with --json"


def _ports(plan: Plan) -> Iterator[str]:
    """Public addresses that come and go."""
    if not plan.ports_before or plan.ports_before == plan.ports:
        return
    gone = [port for port in plan.ports_before if port not in plan.ports]
    new = [port for port in plan.ports if port not in plan.ports_before]
    texts = [f"port {port} no longer answers" for port in gone] + [f"port {port} answers" for port in new]
    if texts:
        yield f"  ~ public     {', '.join(texts)}"


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
