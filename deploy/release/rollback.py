"""Going back: an older release of the host is made healthy beside the live one, and the edge is switched to it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome, served
from deploy.model.migrations import migrated_since, names_of, taken_back, way_back
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine, Environment
from deploy.release.change import Change
from deploy.release.data_services import MakeNetworks
from deploy.release.deploy import Deployed, carry_out, switching
from deploy.release.lock import Hold, locked, require_thawed
from deploy.release.migrate import UNKNOWN, BackUpBeforeMigrating, Pending
from deploy.release.prepare import whoami
from deploy.release.records import keep_journal
from deploy.release.reverse import CheckReversal, ReverseMigrations
from deploy.release.site import Site
from deploy.release.start import StartRelease, TakeOverWorkers
from deploy.release.steps import Action
from deploy.release.warm import ClaimWarm
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
    """Releases newer than the target that changed the schema, with what they ran: going back does not undo that."""
    return tuple(
        f"{entry.release} ({', '.join(names_of(entry.migrations)) or 'migrations'}; backup {entry.backup or 'none'})"
        for entry in migrated_since(facts.journal, target.id)
    )


def require_engine(host: str, environment: Environment, facts: Facts, target: ReleaseRecord) -> None:
    """Raises UsageError for a release that was made for the other engine, and while the other engine serves."""
    wanted, name = environment.engine, environment.name
    live = facts.live
    if live and live.engine != wanted:
        raise UsageError(
            f"{host}: {live.id} serves by {live.engine}, and '{name}' has engine: {wanted}",
            f"engine: {live.engine} goes back among its releases; inv {name}.deploy moves it to {wanted}",
        )
    if target.engine != wanted:
        raise UsageError(
            f"{host}: {target.id} was made for {target.engine}, and '{name}' has engine: {wanted}",
            f"engine: {target.engine} in invoke.yaml and inv {name}.deploy, from {target.revision}, move it back there",
        )
    if wanted == Engine.COMPOSE and facts.cluster.services:
        raise UsageError(
            f"{host}: a move to the cluster was begun and never ended", f"inv {name}.deploy ends it either way"
        )


def require_schema(facts: Facts, target: ReleaseRecord) -> None:
    """Raises DeployError when a release needs migrations that an earlier rollback has reversed."""
    if gone := taken_back(facts.journal, target.id):
        raise DeployError(
            f"{facts.host}: {target.id} needs {', '.join(gone)}, which a rollback has reversed",
            f"deploy what it was made from ({target.revision}): that migrates again",
        )


def roll_back(
    environment: Environment,
    site: Site,
    facts: Facts,
    target: ReleaseRecord,
    console: Console,
    *,
    reverse: bool = False,
    under: Hold | None = None,
) -> Deployed:
    """Switch to an older release, after taking back the migrations since when `reverse` says so.

    Raises DeployError when they cannot be, or when the release does not become healthy; users notice nothing then.
    """
    began = time.monotonic()
    live = facts.live
    ways = way_back(migrated_since(facts.journal, target.id), live.id) if reverse and live else {}
    with locked(site, f"rolling back to {target.id}", datetime.now(UTC), console, under=under) as hold:
        found = hold.facts
        require_thawed(found)
        if (found.live and found.live.id) != (live and live.id):
            raise DeployError(f"{site.shell.name}: another release went live in the meantime", "run the command again")
        # only what a deploy replaces is kept warm: who goes back has had enough of the newer one
        change = Change(site, dataclasses.replace(environment, keep_warm_s=0), found, target)
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=target.id,
            by=whoami(),
            revision=str(target.revision),
            previous=live.id if live else "",
        )
        with keep_journal(hold, entry, change, Outcome.ROLLED_BACK) as seconds:
            carry_out(_actions(change, ways), change, console, seconds)
    return Deployed(target.id, live.id if live else "", time.monotonic() - began, 0, change.probes, tuple(change.notes))


def _actions(change: Change, ways: Mapping[str, Mapping[str, str]]) -> Sequence[Action]:
    """The steps up to the point of no return. The schema goes back before the older release is judged on it."""
    reversing: list[Action] = []
    if ways and change.previous:
        reversing = [
            CheckReversal(change, change.previous, ways),
            BackUpBeforeMigrating(change, Pending(dict.fromkeys(ways, UNKNOWN))),
            ReverseMigrations(change, change.previous, ways),
        ]
    return [
        *([ClaimWarm(change)] if change.record.id in change.facts.warm else []),
        *reversing,
        MakeNetworks(change),
        StartRelease(change),
        *switching(change),
        TakeOverWorkers(change),
    ]
