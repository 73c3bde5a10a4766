"""Releases that nobody will go back to: which they are, and removing them with their images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from deploy.model.errors import UsageError
from deploy.model.facts import Facts
from deploy.model.journal import served
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.change import Change
from deploy.release.data_services import leave_networks
from deploy.release.lock import locked
from deploy.release.site import Site
from deploy.release.steps import Action, run_all
from deploy.shell import OnLine
from deploy.ui import Console, Step


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


def removable(environment: Environment, site: Site) -> tuple[str, ...]:
    """Ids of the releases that `prune` would remove. Raises UsageError where no release is live."""
    return releases_to_remove(_at_rest(environment, site))


def prune(environment: Environment, site: Site, console: Console) -> None:
    """Remove what a deploy would remove at its end, now."""
    with locked(site, "removing old releases", datetime.now(UTC), console):
        run_all([Prune(_at_rest(environment, site))], console)


def _at_rest(environment: Environment, site: Site) -> Change:
    facts = site.facts()
    if facts.live is None:
        raise UsageError(f"{site.shell.name}: no release is live there", "deploy one first")
    return Change(site, environment, facts, facts.live)
