"""What a project on a cluster no longer needs: releases that nobody goes back to, their images, configs and secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.model.errors import UsageError
from deploy.model.facts import Facts
from deploy.model.settings import Environment
from deploy.model.swarm import names
from deploy.model.swarm.registry import REGISTRY
from deploy.release.lock import require_thawed
from deploy.release.prune import KB, releases_to_remove, unused_images
from deploy.release.site import Site
from deploy.release.steps import Action, run_all
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.shell.packaged import script_text
from deploy.ui import Console, Step
from deploy.ui.units import count, size


@dataclass(frozen=True)
class Freed:
    """What the removal of images has given back."""

    registry_bytes: int | None
    """None where somebody pushed to the registry at that moment: nothing was removed there."""
    nodes_bytes: Mapping[str, int]
    """By node; those at work."""

    def __str__(self) -> str:
        registry = "" if self.registry_bytes is None else f"{size(self.registry_bytes)} in the registry, "
        return f"freed {registry}{size(sum(self.nodes_bytes.values()))} on {count(len(self.nodes_bytes), 'node')}"


def parse_freed(text: str) -> Freed:
    """From lines "registry IMAGES KB", "registry busy" and "node NAME IMAGES BYTES"; others are passed over."""
    registry: int | None = None
    nodes: dict[str, int] = {}
    for line in text.splitlines():
        match line.split():
            case ["registry", _, kb] if kb.lstrip("-").isdecimal():
                registry = max(int(kb), 0) * KB
            case ["node", name, _, freed] if freed.lstrip("-").isdecimal():
                nodes[name] = max(int(freed), 0)
    return Freed(registry, nodes)


class PruneCluster(Action):
    """Removes releases beyond the number to keep, and what only they needed, on the manager, nodes and in the registry.

    `thorough` also where no release goes: earlier ones may have left something on a node that was away.
    """

    title = "Remove old releases"

    def __init__(self, change: SwarmChange, *, thorough: bool = False) -> None:
        self._change = change
        self._thorough = thorough
        self.freed: Freed | None = None

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        root, project = str(site.layout.root), site.layout.project
        gone = releases_to_remove(change)
        kept = [one for name, one in change.facts.releases.items() if name not in gone]
        images = unused_images(change.facts, project, [*kept, change.record])
        both = [word for image in images for word in (image, f"{REGISTRY}/{image}")]
        site.run("prune.sh", root, *gone, "--", on_line=step.show)
        if keeper := change.keeper:
            # its folders follow the records; what ran once there has names of its own
            unused = unused_images(keeper.facts, project, [*kept, change.record])
            keeper.site.run("prune.sh", str(keeper.site.layout.root), "--", *unused)
        site.run("swarm-prune.sh", *names.stacks(project))
        step.result = f"{len(gone)} removed" if gone else "none"
        if images or self._thorough:
            self.freed = self._free(step)
            step.result += f", {self.freed}"
        # last: an engine removes no image's last name while an ended container is kept of it
        site.run("prune.sh", root, "--", *both, on_line=step.show)

    def _free(self, step: Step) -> Freed:
        site = self._change.site
        scripts = [script_text("release", f"swarm-{name}.sh") for name in ("clear", "drop")]
        step.show("images that no release needs")
        done = site.run("swarm-images.sh", str(site.layout.root), site.layout.project, REGISTRY, *scripts)
        freed = parse_freed(done.stdout)
        if freed.registry_bytes is None:
            self._change.notes.append(
                "images of old releases are in the registry yet, as somebody pushed to it; the next prune removes them"
            )
        return freed


def removable_on_cluster(environment: Environment, site: Site) -> Sequence[str]:
    """Ids of the releases that `prune_cluster` would remove. Raises UsageError where no release is live."""
    return releases_to_remove(_at_rest(environment, site, site.facts()))


def prune_cluster(
    environment: Environment, members: Members, lead: Member, console: Console
) -> tuple[Freed | None, Sequence[str]]:
    """Remove what a deploy would remove at its end, now; what that freed, and notes to show."""
    with cluster_locked(lead, members, "removing old releases", console) as hold:
        change = _at_rest(environment, lead.site, hold.facts)
        action = PruneCluster(change, thorough=True)
        run_all([action], console)
    return action.freed, change.notes


def _at_rest(environment: Environment, site: Site, facts: Facts) -> SwarmChange:
    require_thawed(facts)
    if facts.live is None:
        raise UsageError(f"{site.shell.name}: no release is live there", "deploy one first")
    return SwarmChange(site, environment, facts, facts.live, cluster=look(site))
