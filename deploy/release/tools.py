"""Bringing programs that backups need to a host, as its other images come there: nothing is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deploy.data.encryption import IMAGE as AGE
from deploy.engine.bases import BaseImages
from deploy.engine.images import missing
from deploy.engine.tools import make_age
from deploy.model.errors import DeployError
from deploy.model.offsite import IMAGE as RESTIC
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui import Console
from deploy.ui.units import size


def bring_restic(site: Site, local: LocalShell, console: Console, root: Path) -> None:
    """See that a host has restic. Raises DeployError where it can neither be pulled nor made here."""
    _bring(site, RESTIC, local, console, BaseImages(local, console, root).ensure_for)


def bring_age(site: Site, local: LocalShell, console: Console, root: Path) -> None:
    """See that a host has age. Raises DeployError where it cannot be made here."""
    _bring(site, AGE, local, console, lambda platform, _: make_age(local, console, root, AGE, platform))


def _bring(site: Site, image: str, local: LocalShell, console: Console, make: Callable[[str, str], None]) -> None:
    """`make` has this machine have an image for a platform, where it has to be sent."""
    if not missing(site.shell, [image]):
        return
    if isinstance(site.shell, LocalShell):  # a run of the host's own: what brings images is not in the keeper
        raise DeployError(f"{image} is gone from the host", "inv db.schedule brings it again")
    from deploy.push.send import push_images
    from deploy.release.push import receiver

    facts = site.first_look
    make(f"linux/{facts.architecture}", image)
    with console.step(f"Bring {image} to {site.shell.name}") as step:
        site.shell.run(site.bare("root.sh", str(site.layout.root)))  # a first deploy has made nothing yet
        sent = push_images(local, receiver(site, facts), [image], step, earlier={})
        step.result = f"{size(sent.sent_bytes)} sent"
