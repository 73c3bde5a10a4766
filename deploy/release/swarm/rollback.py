"""Going back on a cluster: every service is made what an older release had it as, by one deploy of its stack."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from deploy.model.errors import DeployError
from deploy.model.facts import Facts, sections_of
from deploy.model.journal import Entry, Outcome
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.current import MakeCurrent
from deploy.release.deploy import Deployed
from deploy.release.edge import WatchFromHere
from deploy.release.lock import require_thawed
from deploy.release.prepare import whoami
from deploy.release.records import keep_journal
from deploy.release.site import Site
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.deploy import carry_out, has_edge, told_what_came_of
from deploy.release.swarm.edge import EdgeUp
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.release.swarm.records import Records, records_kept
from deploy.release.swarm.registry import Distribute, MoveRegistry, have_registry_image
from deploy.release.swarm.roll import Roll
from deploy.shell import LocalShell
from deploy.ui import Console


def roll_back_swarm(
    environment: Environment,
    members: Members,
    lead: Member,
    facts: Facts,
    target: ReleaseRecord,
    local: LocalShell,
    console: Console,
    root: Path,
) -> Deployed:
    """Raises DeployError when the older release does not run; every service is then as it was."""
    began = time.monotonic()
    live, site = facts.live, lead.site
    have_registry_image(local, console, root, look(site))
    with cluster_locked(lead, members, f"rolling back to {target.id}", console) as hold:
        require_thawed(hold.facts)
        if (hold.facts.live and hold.facts.live.id) != (live and live.id):
            raise DeployError(f"{site.shell.name}: another release went live in the meantime", "run the command again")
        change = SwarmChange(site, environment, hold.facts, target, cluster=look(site))
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=target.id,
            by=whoami(),
            revision=str(target.revision),
            previous=live.id if live else "",
        )

        def others() -> Iterator[Site]:
            yield from (one.site for one in members.answering(members.every) if one.node != lead.node)

        actions = [
            *([MoveRegistry(change, local, lead.membership)] if change.cluster.registry_away else []),
            Distribute(change, known=_references(site, target), others=others),
            WatchFromHere(change),
            Roll(change, {}),
            *([EdgeUp(change)] if has_edge(change) else []),
            MakeCurrent(change),
        ]
        following = records_kept(
            Records(lead, members, change.cluster.data_node(site.layout.project)), target.id, change.notes, console
        )
        with told_what_came_of(change), following, keep_journal(hold, entry, change, Outcome.ROLLED_BACK) as seconds:
            carry_out(actions, change, console, seconds)
    return Deployed(target.id, live.id if live else "", time.monotonic() - began, 0, change.probes, tuple(change.notes))


def _references(site: Site, target: ReleaseRecord) -> Mapping[str, str]:
    """The images that a release brings, each to the reference by which its stack runs it; a round trip."""
    told = sections_of(site.shell.run(site.bare("swarm-documents.sh", str(site.layout.root), target.id)).stdout)
    services = json.loads(told["app"])["services"] if told.get("app", "").strip() else {}
    return {one.image: services[name]["image"] for name, one in target.services.items() if name in services}
