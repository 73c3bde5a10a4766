"""The context that the steps of one change on a cluster share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.model.drift import Drift
from deploy.model.facts import Facts
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine
from deploy.model.swarm import names
from deploy.model.swarm.drift import find_swarm_drift
from deploy.model.swarm.found import Cluster, parse_cluster
from deploy.model.swarm.move import enters_cluster
from deploy.release.change import Change
from deploy.release.site import Site


@dataclass(frozen=True)
class Keeper:
    """A node with data, and what was found there when the change began."""

    site: Site
    facts: Facts


@dataclass
class SwarmChange(Change):
    """A release on its way into a cluster."""

    cluster: Cluster = field(default_factory=lambda: Cluster((), (), ()))
    """The cluster as it was when the change began."""
    keeper: Keeper | None = None
    """The node with the data, where that is not the manager that is worked through."""
    keeping: frozenset[str] = frozenset()
    """Services that can only run on the node with the data."""
    rolling: bool = False
    """Set when services have begun to be rolled over."""
    pulled: dict[str, str] = field(default_factory=dict)
    """Image to the reference by which every node can pull it, as far as it is in the registry."""
    before_return: Callable[[], None] = lambda: None
    """What must be true again before the services of the release before can start anew."""

    @property
    def data_site(self) -> Site:
        return self.keeper.site if self.keeper else self.site

    def site_of(self, service: str) -> Site:
        return self.data_site if service in self.keeping else self.site

    def raise_fences(self) -> None:
        """Let no step begin that was sent until now, wherever."""
        self.site.raise_fence()
        if self.keeper:
            self.keeper.site.raise_fence()

    @property
    def entering(self) -> bool:
        """Whether the project moves to the cluster with this change."""
        return enters_cluster(self.facts, self.site.layout)

    @property
    def before_here(self) -> ReleaseRecord | None:
        """The release that the cluster is given back when the change fails."""
        before = self.previous
        return before if before and before.engine == Engine.SWARM else None


def drift_of(site: Site, facts: Facts, live: ReleaseRecord, verbs: str) -> tuple[Drift, ...]:
    """What was changed on a cluster by hand; two round trips. `verbs` is how tasks of the environment are typed."""
    script = site.bare("swarm-drift.sh", str(site.layout.root), site.layout.project, live.id)
    return find_swarm_drift(facts, live, look(site), site.layout, site.shell.run(script).stdout, verbs)


def look(site: Site, *stacks: str) -> Cluster:
    """The cluster now, and a project's stacks on it, all of them where none is named; one round trip."""
    wanted = stacks or ("--held", *names.stacks(site.layout.project))
    return parse_cluster(site.shell.run(site.bare("swarm-look.sh", *wanted)).stdout, site.shell.name)


def look_at_all(site: Site) -> Cluster:
    """The cluster now, and whatever runs on it, of other projects too; one round trip."""
    return look(site, "--all")
