"""Bringing a release's images from the manager into the cluster's registry."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.model.edge import images as edge_images
from deploy.model.errors import CommandError, DeployError
from deploy.model.kinds import Kind
from deploy.model.swarm.registry import REGISTRY
from deploy.release.edge import wanted_tls
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.ui import Step
from deploy.ui.units import count


class Distribute(Action):
    """Puts every image of the release into the registry, from which nodes pull it. What is there is not sent again."""

    title = "Bring the images into the cluster's registry"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        images = [one.image for one in change.record.services.values() if one.kind != Kind.JOB]
        images += edge_images(wanted_tls(change)) if change.record.public else []
        change.pulled |= into_registry(change.site, dict.fromkeys(images), step)
        step.result = count(len(change.pulled), "image")


def into_registry(site: Site, images: Iterable[str], step: Step) -> dict[str, str]:
    """Images that the manager has to references by digest. Raises DeployError where the registry does not take them."""
    wanted = tuple(images)
    try:
        done = site.run("swarm-push.sh", REGISTRY, *wanted, on_line=step.show)
    except CommandError as error:
        raise DeployError(
            f"{site.shell.name}: the cluster's registry does not take the images",
            "inv host.setup --swarm with the same hosts mends it; its disk may be full",
            details=error.stderr,
        ) from error
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.count(" ") == 1 and "@sha256:" in line)
    if lacking := [one for one in wanted if one not in found]:
        raise DeployError(
            f"{site.shell.name}: {', '.join(lacking)} did not get into the cluster's registry", "try again"
        )
    return found
