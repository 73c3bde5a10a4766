"""A stack that somebody runs on the host without us: whether it can be taken over with everything it has written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.facts import Container, Facts, Mounted
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.places import Place, Places
from deploy.model.stack import Service, Stack

_NAMELESS = re.compile(r"[0-9a-f]{64}")


def check_by_hand(facts: Facts, stack: Stack, places: Places, layout: HostLayout) -> Iterator[Problem]:
    """Everything that containers started by hand have written and that the release would not find."""
    found = (
        problem
        for container in facts.by_hand(layout)
        if (service := stack.services.get(container.service))
        for mounted in facts.mounted.get(container.id, ())
        if (problem := _lost(container, mounted, service, stack, places, layout))
    )
    # containers of one service have the same mounts, and are told of once
    yield from {problem.path: problem for problem in found}.values()


def _lost(
    container: Container, mounted: Mounted, service: Service, stack: Stack, places: Places, layout: HostLayout
) -> Problem | None:
    """Why the release would not see what a container started by hand has in one place; None when it does."""
    name, target = service.name, mounted.target
    own = next((one for one in service.definition.get("volumes") or () if one.get("target") == target), None)
    path = ("services", name, "volumes", target)
    begin = f"{name}: what {container.name} has at {target} is in"
    if mounted.type == "volume":
        if own and own.get("type") == "volume" and _volume_name(own, stack) == mounted.source:
            return None
        nameless = _NAMELESS.fullmatch(mounted.source)
        return Problem(
            f"{begin} {'a volume without a name' if nameless else f'the volume {mounted.source}'}, which the release "
            "does not mount there",
            f"declare a volume with `external: true` and `name: {mounted.source}`, and mount it at {target}",
            # what an application keeps in a volume without a name does not outlive its container anyway
            fatal=service.kind == Kind.DATA or not nameless,
            path=path,
        )
    if mounted.type != "bind" or own is None or own.get("type") != "bind":
        return None
    if places.of(own).place != Place.KEPT:
        return None
    if mounted.source == str(layout.shared / places.relative(str(own["source"]))):
        return None
    return Problem(
        f"{begin} the folder {mounted.source}, and the release's is another, under its own folder on the host",
        f"mount {mounted.source} by its whole path, which is taken as it is",
        path=path,
    )


def _volume_name(mount: Mapping[str, object], stack: Stack) -> str:
    """The name that a mounted volume has on a host; empty for one without."""
    raw = (stack.document.get("volumes") or {}).get(str(mount.get("source") or "")) or {}
    return str(raw.get("name", ""))
