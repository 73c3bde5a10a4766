"""The context that the steps of one change on a cluster share."""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster, parse_cluster
from deploy.release.change import Change
from deploy.release.site import Site


@dataclass
class SwarmChange(Change):
    """A release on its way into a cluster."""

    cluster: Cluster = field(default_factory=lambda: Cluster((), (), ()))
    """The cluster as it was when the change began."""
    rolling: bool = False
    """Set when services have begun to be rolled over."""
    pulled: dict[str, str] = field(default_factory=dict)
    """Image to the reference by which every node can pull it, as far as it is in the registry."""


def look(site: Site, *stacks: str) -> Cluster:
    """The cluster now, and a project's stacks on it, all of them where none is named; one round trip."""
    wanted = stacks or names.stacks(site.layout.project)
    return parse_cluster(site.shell.run(site.bare("swarm-look.sh", *wanted)).stdout, site.shell.name)


def look_at_all(site: Site) -> Cluster:
    """The cluster now, and whatever runs on it, of other projects too; one round trip."""
    return look(site, "--all")
