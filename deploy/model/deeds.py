"""What a change did, as it was seen: compared with its plan, and kept in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.model.facts import Container, Facts
from deploy.model.journal import Deed, Part
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan.values import Action, EdgeAction, Plan
from deploy.model.release import ReleaseRecord

_SHORT = 12
_EDGE_DEEDS = {
    EdgeAction.NONE: {Action.REMOVE, Action.KEEP},
    EdgeAction.START: {Action.CREATE, Action.REPLACE},
    EdgeAction.SWITCH: {Action.KEEP},
    EdgeAction.RELOAD: {Action.KEEP},
    EdgeAction.RECREATE: {Action.REPLACE},
}


@dataclass(frozen=True)
class Seen:
    """A container of the project at one moment."""

    id: str
    project: str
    service: str
    running: bool
    image: str = ""


def parse_seen(text: str) -> tuple[Seen, ...]:
    """Containers from what `observe.sh` printed."""
    fields = 5
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(
        Seen(row[0], row[1], row[2], row[3] == "true", row[4].removeprefix("sha256:"))
        for row in rows
        if len(row) == fields
    )


def deeds(facts: Facts, record: ReleaseRecord, after: Iterable[Seen], layout: HostLayout) -> tuple[Deed, ...]:
    """What became of every service. `facts` are from before the change, `record` is what serves after it."""
    found = tuple(after)
    live = facts.live
    earlier = live.services if live else {}
    every = (*earlier.items(), *record.services.items())
    jobs = {name for name, one in every if one.kind == Kind.JOB or one.may_end}
    projects = (
        (Part.RELEASE, layout.release_project(live.id) if live else "", layout.release_project(record.id)),
        (Part.DATA, layout.data_project, layout.data_project),
        (Part.EDGE, layout.edge_project, layout.edge_project),
    )
    return tuple(
        deed
        for part, project_before, project_after in projects
        for deed in _of_part(
            part,
            _ids(facts.of_project(project_before), jobs),
            _ids((one for one in found if one.project == project_after), jobs),
            {one.service: one.image[:_SHORT] for one in found if one.project == project_after},
        )
    )


def _ids(containers: Iterable[Container | Seen], jobs: Iterable[str]) -> dict[str, list[str]]:
    """Ids by service, of those that run; of jobs also when they have ended."""
    ids: dict[str, list[str]] = {}
    for one in containers:
        if one.running or one.service in jobs:
            ids.setdefault(one.service, []).append(one.id[:_SHORT])
    return ids


def _of_part(
    part: Part, before: Mapping[str, list[str]], after: Mapping[str, list[str]], images: Mapping[str, str]
) -> Iterator[Deed]:
    for name in sorted({*before, *after}):
        was, now = tuple(sorted(before.get(name, ()))), tuple(sorted(after.get(name, ())))
        if not was:
            action = Action.CREATE
        elif not now:
            action = Action.REMOVE
        else:
            action = Action.KEEP if was == now else Action.REPLACE
        yield Deed(name, part, action, was, now, images.get(name, ""))


def differences(plan: Plan, record: ReleaseRecord, done: Iterable[Deed], pushed: Iterable[str]) -> tuple[str, ...]:
    """Where a change did other than its plan said, in sentences; empty when it did as planned."""
    found = {(one.part, one.name): one for one in done}
    planned = {(Part.RELEASE, one.name): one for one in plan.services} | {
        (Part.DATA, one.name): one for one in plan.data
    }
    texts = []
    for (part, name), one in planned.items():
        deed = found.pop((part, name), None)
        action = deed.action if deed else Action.REMOVE
        asleep = name in record.services and not record.services[name].replicas
        if action != one.action and not asleep:
            texts.append(f"{name} was to be {_past(one.action)} and was {_past(action)}")
    edge = found.get((Part.EDGE, "edge"))
    if edge and edge.action not in _EDGE_DEEDS[plan.edge]:
        texts.append(f"the edge was {_past(edge.action)}; the plan said: {plan.edge}")
    unplanned = [one for (part, _), one in found.items() if part != Part.EDGE]
    texts += [f"{one.name} was {_past(one.action)}, not planned" for one in unplanned]
    texts += [f"{image} was sent, not planned" for image in pushed if image not in plan.push]
    return tuple(texts)


def _past(action: str) -> str:
    return {"create": "created", "replace": "replaced", "keep": "kept", "remove": "removed"}[action]
