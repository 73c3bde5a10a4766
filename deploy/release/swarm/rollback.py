"""Going back on a cluster: every service is made what an older release had it as, by one deploy of its stack."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.current import MakeCurrent
from deploy.release.deploy import Deployed
from deploy.release.edge import WatchFromHere
from deploy.release.lock import locked, require_thawed
from deploy.release.prepare import whoami
from deploy.release.records import keep_journal
from deploy.release.site import Site
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.deploy import carry_out, has_edge, told_what_came_of
from deploy.release.swarm.edge import EdgeUp
from deploy.release.swarm.registry import Distribute
from deploy.release.swarm.roll import Roll
from deploy.ui import Console


def roll_back_swarm(
    environment: Environment, site: Site, facts: Facts, target: ReleaseRecord, console: Console
) -> Deployed:
    """Raises DeployError when the older release does not run; every service is then as it was."""
    began = time.monotonic()
    live = facts.live
    with locked(site, f"rolling back to {target.id}", datetime.now(UTC), console) as hold:
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
        actions = [
            Distribute(change),
            WatchFromHere(change),
            Roll(change, {}),
            *([EdgeUp(change)] if has_edge(change) else []),
            MakeCurrent(change),
        ]
        with told_what_came_of(change), keep_journal(hold, entry, change, Outcome.ROLLED_BACK) as seconds:
            carry_out(actions, change, console, seconds)
    return Deployed(target.id, live.id if live else "", time.monotonic() - began, 0, change.probes, tuple(change.notes))
