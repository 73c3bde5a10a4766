"""What becomes of a release that is no longer live."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deploy.model.edge import SLOTS
from deploy.model.facts import Facts
from deploy.model.journal import served
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.data_services import leave_networks
from deploy.release.edge import empty_slot
from deploy.release.site import Site
from deploy.release.start import stop
from deploy.release.steps import Action
from deploy.shell import OnLine
from deploy.ui import Step


class Retire(Action):
    """Lets the old release finish what it has begun, then stops it. It stays on the host to go back to.

    Has no undo: from here on the new release stands, and a failure is something to report, not to take back.
    """

    title = "Drain and stop the release before"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        left = 0
        for slot in SLOTS:
            target = change.edge.slots.get(slot)
            if target is None or slot == change.edge.live:
                continue
            listeners = [name for name in target.servers if any(one.name == name for one in change.edge.listeners)]
            limit_s = int(change.environment.drain_s)
            step.show(f"waiting for requests in flight, at most {limit_s} s")
            done = change.site.run("drain.sh", change.site.layout.edge_container, slot, limit_s, *listeners)
            left += int(done.stdout.strip() or 0)
            change.edge = empty_slot(change.site, change.edge, slot)
        for record in change.others:
            stop(change.site, record, ())
            leave_networks(change.site, record)
        if left:
            change.notes.append(
                f"{left} requests were still running after {change.environment.drain_s:g} s and were cut"
            )
        step.result = ", ".join(record.id for record in change.others) or "there was none"


class Prune(Action):
    """Removes releases beyond the number to keep, and what earlier deploys that failed have left."""

    title = "Remove old releases"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        gone = [change.facts.releases[name] for name in releases_to_remove(change)]
        kept = [one for one in change.facts.releases.values() if one not in gone]
        images = unused_images(change.facts, change.site.layout.project, [*kept, change.record])
        if gone or images:
            remove_releases(change.site, gone, images, on_line=step.show)
        step.result = f"{len(gone)} removed" if gone else "none"


def releases_to_remove(change: Change) -> tuple[str, ...]:
    """Ids of releases that nobody will go back to.

    The live one and the one before always stay, and `keep` in all; those that never served go first of all.
    """
    safe = {change.record.id, *([change.previous.id] if change.previous else [])}
    seen = set(served(change.facts.journal))
    others = [release for release in sorted(change.facts.releases, reverse=True) if release not in safe]
    kept = [release for release in others if release in seen][: max(change.environment.keep - len(safe), 0)]
    return tuple(release for release in others if release not in kept)


def unused_images(facts: Facts, project: str, kept: Iterable[ReleaseRecord]) -> tuple[str, ...]:
    """Images under names that only releases of this project have, and that none of the kept ones runs."""
    ours = re.compile(rf"{re.escape(project)}/[^/]+:[0-9a-f]{{16}}")
    used = {service.image for record in kept for service in record.services.values()}
    return tuple(image for image in facts.images if ours.fullmatch(image) and image not in used)


def remove_releases(
    site: Site, gone: Iterable[ReleaseRecord], images: Iterable[str] = (), on_line: OnLine | None = None
) -> None:
    """Remove releases and images from the host."""
    records = tuple(gone)
    for record in records:
        leave_networks(site, record)
    names = [record.id for record in records]
    site.run("prune.sh", str(site.layout.root), *names, "--", *images, on_line=on_line)
