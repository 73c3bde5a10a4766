"""Bringing a release's images from the manager into the cluster's registry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.engine.bases import BaseImages
from deploy.model.edge import images as edge_images
from deploy.model.errors import CommandError, DeployError
from deploy.model.kinds import Kind
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.node import Membership
from deploy.model.swarm.registry import REGISTRY, REGISTRY_IMAGE
from deploy.push.send import push_images
from deploy.release.edge import wanted_tls
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.release.swarm.cluster import place_registry
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.units import count

ANSWER_S = 20.0


class Distribute(Action):
    """Puts every image of the release into the registry, from which nodes pull it. What is there is not sent again."""

    title = "Bring the images into the cluster's registry"

    def __init__(
        self,
        change: SwarmChange,
        *,
        known: Mapping[str, str] | None = None,
        others: Callable[[], Iterable[Site]] = tuple,
    ) -> None:
        """`known` is how the cluster has run the images: by these references nodes have those that the manager lacks.

        Where they are known, what neither it nor one of `others` has is only told of: nodes have most likely run it.
        """
        self._change = change
        self._known = known
        self._others = others

    def run(self, step: Step) -> None:
        change = self._change
        services = change.record.services
        images = [one.image for name, one in services.items() if one.kind != Kind.JOB or name in change.keeping]
        images += edge_images(wanted_tls(change)) if change.record.public else []
        wanted = dict.fromkeys(images)
        known = self._known or {}
        change.pulled |= into_registry(change.site, wanted, step, known)
        lacking = [one for one in wanted if one not in change.pulled]
        for other in self._others() if lacking else ():
            # another engine may pack it otherwise, and what is to be run is one by its digest
            found = into_registry(other, lacking, step, known)
            change.pulled |= {one: made for one, made in found.items() if made == known.get(one, made)}
            lacking = [one for one in wanted if one not in change.pulled]
            if not lacking:
                break
        if lacking and self._known is None:
            raise DeployError(
                f"{change.site.shell.name}: {', '.join(lacking)} did not get into the cluster's registry", "try again"
            )
        if lacking:
            change.notes.append(
                f"neither the registry nor a node that can be reached has {', '.join(lacking)}: a node that has not "
                "run them cannot start them; inv ENVIRONMENT.deploy from that revision brings them"
            )
        step.result = count(len(change.pulled), "image")


def into_registry(
    site: Site, images: Iterable[str], step: Step, known: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Images to references by digest, those that the machine or the registry has.

    `known` has references by which the cluster has run them. Raises DeployError where the registry does not take them.
    """
    wanted = [f"{name}={known[name]}" if name in known else name for name in images]
    try:
        done = site.run("swarm-push.sh", REGISTRY, *wanted, on_line=step.show)
    except CommandError as error:
        raise DeployError(
            f"{site.shell.name}: the cluster's registry does not take the images",
            "inv host.setup --swarm with the hosts that are there mends it; its disk may be full",
            details=error.stderr,
        ) from error
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if line.count(" ") == 1 and "@sha256:" in line)


def have_registry_image(local: LocalShell, console: Console, root: Path, cluster: Cluster) -> None:
    """See that this machine has the registry's image, where the registry has to be started elsewhere."""
    if cluster.registry_away:
        BaseImages(local, console, root).ensure([REGISTRY_IMAGE])


def _answers(site: Site) -> bool:
    """Whether the registry answers on a node. Behind a node that is frozen it takes connections, and says nothing."""
    with contextlib.suppress(DeployError):
        return site.shell.run(site.bare("swarm-door.sh"), check=False, timeout_s=ANSWER_S).ok
    return False


class MoveRegistry(Action):
    """Starts the registry anew on the manager that is worked through: its node is lost, and with it what it had."""

    title = "Move the cluster's registry"

    def __init__(self, change: SwarmChange, local: LocalShell, node: Membership) -> None:
        self._change = change
        self._local = local
        self._node = node

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        if _answers(site):  # a cluster with a new leader knows of no node at first
            step.result = "not needed: it answers"
            return
        if REGISTRY_IMAGE not in change.facts.images:
            push_images(self._local, receiver(site, change.facts), [REGISTRY_IMAGE], step, earlier={})
        place_registry(site, self._node.node, self._node.address, step)
        step.result = f"to {self._node.hostname}"
