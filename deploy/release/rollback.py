"""Going back: an older release of the host is made healthy beside the live one, and the edge is switched to it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome, served
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.release.change import Change
from deploy.release.data_services import MakeNetworks
from deploy.release.deploy import Deployed, carry_out, switching
from deploy.release.lock import locked, require_thawed
from deploy.release.prepare import whoami
from deploy.release.records import keep_journal
from deploy.release.site import Site
from deploy.release.start import StartRelease, TakeOverWorkers
from deploy.ui import Console


def choose(facts: Facts, wanted: str) -> ReleaseRecord:
    """The release to go back to: the one that is named, or the one that served before the live one.

    Raises UsageError when there is none, naming those there are, and DeployError when nothing may be changed.
    """
    require_thawed(facts)
    live = facts.live
    if live is None:
        raise UsageError(
            f"{facts.host}: no release is live, so there is nothing to go back from", "inv prod.deploy makes one"
        )
    if wanted:
        found = [release for release in facts.releases if wanted in release]
        if len(found) != 1:
            what = "no release is" if not found else "more than one release is"
            raise UsageError(f"{facts.host}: {what} called '{wanted}'", f"there are: {', '.join(facts.releases)}")
        if found[0] == live.id:
            raise UsageError(
                f"{facts.host}: {live.id} is the live release already", "inv prod.releases lists the others"
            )
        return facts.releases[found[0]]
    before = next(
        (name for name in reversed(served(facts.journal)) if name != live.id and name in facts.releases), None
    )
    if before is None:
        raise UsageError(
            f"{facts.host}: there is no release before {live.id} to go back to", "inv prod.releases lists them"
        )
    return facts.releases[before]


def migrations_since(facts: Facts, target: ReleaseRecord) -> tuple[str, ...]:
    """Releases newer than the target that changed the schema: going back does not take that back."""
    newer = [entry for entry in facts.journal if entry.outcome == Outcome.DEPLOYED and entry.migrated]
    return tuple(f"{entry.release} (backup {entry.backup})" for entry in newer if entry.release > target.id)


def roll_back(environment: Environment, site: Site, facts: Facts, target: ReleaseRecord, console: Console) -> Deployed:
    """Switch to an older release. Raises DeployError when it does not become healthy; users notice nothing then."""
    began = time.monotonic()
    live = facts.live
    with locked(site, f"rolling back to {target.id}", datetime.now(UTC), console):
        found = site.facts()
        require_thawed(found)
        if (found.live and found.live.id) != (live and live.id):
            raise DeployError(f"{site.shell.name}: another release went live in the meantime", "run the command again")
        change = Change(site, environment, found, target)
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=target.id,
            by=whoami(),
            revision=str(target.revision),
            previous=live.id if live else "",
        )
        with keep_journal(site, entry, change, Outcome.ROLLED_BACK) as seconds:
            actions = [
                MakeNetworks(change),
                StartRelease(change),
                *switching(change),
                TakeOverWorkers(change),
            ]
            carry_out(actions, change, console, seconds)
    return Deployed(target.id, live.id if live else "", time.monotonic() - began, 0, change.probes, tuple(change.notes))
