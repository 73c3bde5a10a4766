"""Releases that nobody will go back to: which they are, and removing them with their images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from deploy.model.errors import UsageError
from deploy.model.facts import Facts
from deploy.model.journal import served
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.change import Change
from deploy.release.data_services import leave_networks
from deploy.release.lock import locked, require_thawed
from deploy.release.site import Site
from deploy.release.steps import Action, run_all
from deploy.shell import OnLine
from deploy.ui import Console, Step
from deploy.ui.units import size

KB = 1024


class Prune(Action):
    """Removes releases beyond the number to keep, and what earlier deploys that failed have left."""

    title = "Remove old releases"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        gone = [change.facts.releases[name] for name in releases_to_remove(change)]
        kept = [one for one in change.facts.releases.values() if one not in gone]
        free = self._remove(gone, kept, step)
        for spare in spare_releases(change, kept):
            if not free or free >= change.environment.keep_free.bytes_of(change.facts.data_bytes):
                break  # an unknown size is no reason to remove anything
            step.show(f"{size(free)} free: removing {spare.id}")
            gone, kept = [*gone, spare], [one for one in kept if one != spare]
            free = self._remove([spare], kept, step)
        step.result = f"{len(gone)} removed" if gone else "none"

    def _remove(self, gone: Sequence[ReleaseRecord], kept: Iterable[ReleaseRecord], step: Step) -> int:
        """Remove releases, and the images that only they ran; the bytes that are free then."""
        change = self._change
        images = unused_images(change.facts, change.site.layout.project, [*kept, change.record])
        if not gone and not images and not change.environment.keep_free.bytes_of(change.facts.data_bytes):
            return change.facts.data_free_bytes
        return remove_releases(change.site, gone, images, on_line=step.show)


def spare_releases(change: Change, kept: Iterable[ReleaseRecord]) -> tuple[ReleaseRecord, ...]:
    """Of the releases that are kept those that go when the disk is short, oldest first."""
    safe = _safe(change)
    return tuple(record for record in sorted(kept, key=lambda one: one.id) if record.id not in safe)


def _safe(change: Change) -> frozenset[str]:
    """The live release and the one before."""
    safe = {change.record.id, *([change.previous.id] if change.previous else [])}
    if len(safe) == 1:  # at rest: the one that served before the live one
        safe |= set([name for name in served(change.facts.journal) if name in change.facts.releases][-2:])
    return frozenset(safe)


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
) -> int:
    """Remove releases and images from the host; the bytes that are free on the engine's disk then."""
    records = tuple(gone)
    for record in records:
        leave_networks(site, record)
    names = [record.id for record in records]
    done = site.run("prune.sh", str(site.layout.root), *names, "--", *images, on_line=on_line)
    return next((int(line[5:]) for line in done.stdout.splitlines() if line.startswith("free ")), 0) * KB


def removable(environment: Environment, site: Site) -> tuple[str, ...]:
    """Ids of the releases that `prune` would remove, at most. Raises UsageError where no release is live."""
    change = _at_rest(environment, site, site.facts())
    gone = releases_to_remove(change)
    if change.facts.data_free_bytes >= environment.keep_free.bytes_of(change.facts.data_bytes):
        return gone
    kept = [record for name, record in change.facts.releases.items() if name not in gone]
    return (*gone, *(record.id for record in spare_releases(change, kept)))


def prune(environment: Environment, site: Site, console: Console) -> None:
    """Remove what a deploy would remove at its end, now. Raises DeployError where nothing may be changed."""
    with locked(site, "removing old releases", datetime.now(UTC), console) as hold:
        run_all([Prune(_at_rest(environment, site, hold.facts))], console)


def _at_rest(environment: Environment, site: Site, facts: Facts) -> Change:
    require_thawed(facts)
    if facts.live is None:
        raise UsageError(f"{site.shell.name}: no release is live there", "deploy one first")
    return Change(site, environment, facts, facts.live)
