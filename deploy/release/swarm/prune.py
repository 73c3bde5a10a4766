"""What a project on a cluster no longer needs: releases that nobody goes back to, their images, configs and secrets."""

from __future__ import annotations

from deploy.model.swarm import names
from deploy.model.swarm.registry import REGISTRY
from deploy.release.prune import releases_to_remove, unused_images
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.ui import Step


class PruneCluster(Action):
    """Removes releases beyond the number to keep, and configs and secrets that no service has."""

    title = "Remove old releases"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        gone = releases_to_remove(change)
        kept = [one for name, one in change.facts.releases.items() if name not in gone]
        images = unused_images(change.facts, site.layout.project, [*kept, change.record])
        both = [word for image in images for word in (image, f"{REGISTRY}/{image}")]
        site.run("prune.sh", str(site.layout.root), *gone, "--", *both, on_line=step.show)
        if keeper := change.keeper:
            # its folders follow the records; what ran once there has names of its own
            unused = unused_images(keeper.facts, site.layout.project, [*kept, change.record])
            keeper.site.run("prune.sh", str(keeper.site.layout.root), "--", *unused)
        site.run("swarm-prune.sh", *names.stacks(site.layout.project))
        step.result = f"{len(gone)} removed" if gone else "none"
