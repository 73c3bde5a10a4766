"""A deploy to a cluster: from a plan to services that have been rolled over."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from deploy.model.backup import Label
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plan import Action as PlanAction
from deploy.model.plan import Plan
from deploy.model.stack import Stack
from deploy.model.swarm import names
from deploy.model.swarm.move import by_compose
from deploy.model.swarm.render import keeping
from deploy.release.by_hand import BackUpFirst
from deploy.release.change import told_of_move
from deploy.release.current import MakeCurrent
from deploy.release.deploy import Deployed, encrypts, purpose, require_unchanged
from deploy.release.edge import WatchFromHere
from deploy.release.lock import Hold, locked
from deploy.release.migrate import BackUpBeforeMigrating, CheckMigrations, Migrate, Pending
from deploy.release.prepare import Prepared, whoami
from deploy.release.push import Push
from deploy.release.records import keep_journal
from deploy.release.rehearse import Rehearse
from deploy.release.steps import Action, run_all
from deploy.release.swarm.change import Keeper, SwarmChange, look
from deploy.release.swarm.checking import keeper_of
from deploy.release.swarm.edge import EdgeUp
from deploy.release.swarm.enter import EndCompose, Lend, NoteData, RollBeside, TakeData, TakePorts, TakeWorkers
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.release.swarm.once import FetchOnce, RunJobs
from deploy.release.swarm.prune import PruneCluster
from deploy.release.swarm.records import Records, ShareRelease, records_kept
from deploy.release.swarm.registry import Distribute, MoveRegistry, have_registry_image
from deploy.release.swarm.roll import LastingUp, Roll
from deploy.release.swarm.stage import MakeOverlays, StageForCluster
from deploy.release.tools import bring_age
from deploy.shell import LocalShell
from deploy.ui import Console
from deploy.ui.reports import seen


def deploy_swarm(
    prepared: Prepared,
    plan: Plan,
    members: Members,
    lead: Member,
    local: LocalShell,
    console: Console,
    *,
    under: Hold | None = None,
    rotates: str = "",
    before_return: Callable[[], None] = lambda: None,
) -> Deployed:
    """Carry out a plan, under a lock of the cluster that is held already or one of its own.

    `rotates` is for the journal; `before_return` is done before services go back to the release before. Raises
    DeployError when the plan cannot be carried out; every service is then as the release before had it.
    """
    began = time.monotonic()
    site = lead.site
    have_registry_image(local, console, prepared.root, look(site))
    with contextlib.ExitStack() as held:
        hold = under or held.enter_context(cluster_locked(lead, members, purpose(plan), console))
        require_unchanged(hold.facts, plan)
        change = SwarmChange(
            site,
            prepared.environment,
            hold.facts,
            prepared.record,
            cluster=look(site),
            before_return=before_return,
        )
        change.keeping = keeping(prepared.stack, prepared.places)
        if keeper := keeper_of(prepared, members, lead, change.cluster):
            there = held.enter_context(locked(keeper.site, purpose(plan), datetime.now(UTC), console))
            change.keeper = Keeper(keeper.site, there.facts)
        if encrypts(prepared, plan):
            bring_age(change.data_site, local, console, prepared.root)
        records = Records(lead, members, change.cluster.data_node(site.layout.project))
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=prepared.record.id,
            by=whoami(),
            revision=str(prepared.record.revision),
            previous=plan.previous,
            unproved=plan.unproved,
            rotated=rotates,
        )
        following = records_kept(records, prepared.record.id, change.notes, console)
        with told_what_came_of(change), told_of_move(change), following, keep_journal(hold, entry, change) as seconds:
            carry_out(_actions(prepared, plan, change, records, lead, local), change, console, seconds)
    return Deployed(
        plan.release, plan.previous, time.monotonic() - began, change.bytes_sent, change.probes, tuple(change.notes)
    )


@contextlib.contextmanager
def told_what_came_of(change: SwarmChange) -> Iterator[None]:
    """Let an error of the block say what users get now, where a rolling update had begun."""
    try:
        yield
    except DeployError as error:
        if change.entering or not change.rolling:
            raise
        before = change.previous.id if change.previous else ""
        gone = f"every service is as {before} had it again" if before else "none of its services is left"
        now = gone if change.returned else f"not all of it went back to {before or 'nothing'}: inv ENVIRONMENT.status"
        raise DeployError(f"{error.message}; {now}", error.remedy, details=error.details, code=error.code) from error


def carry_out(actions: Sequence[Action], change: SwarmChange, console: Console, seconds: dict[str, float]) -> None:
    """Run the steps that can be taken back, then those after the point of no return, which can only be told of."""
    try:
        seconds.update(run_all(actions, console, before_undo=change.raise_fences))
        change.stands = True
        left = by_compose(change.facts, change.site.layout)
        for action in (*([EndCompose(change)] if left else []), PruneCluster(change)):
            try:
                seconds.update(run_all([action], console))
            except DeployError as error:
                change.notes.append(f"'{action.title}' failed: {error.message}; the next deploy does it again")
    except KeyboardInterrupt:
        if change.stands:
            change.stop_watching()
            console.warn(f"{change.record.id} is live{seen(change.probes)}; the next deploy removes what is old")
        raise
    finally:
        change.stop_watching()


def _actions(
    prepared: Prepared, plan: Plan, change: SwarmChange, records: Records, lead: Member, local: LocalShell
) -> Sequence[Action]:
    pending, migrating = Pending(), plan.migrate
    found = [name for name in migrating if "migrate" in prepared.stack.services[name].options.found]
    lasting = [LastingUp(change)] if any(one.action != PlanAction.KEEP for one in plan.data) else []
    backup = BackUpFirst(change, change.site.layout.data_project, Label.PRE_MOVE, "before the move")
    return [
        *([MoveRegistry(change, local, lead.membership)] if change.cluster.registry_away else []),
        Push(change, plan.push, local),
        *([Rehearse(change, prepared, migrating, found=found)] if prepared.environment.rehearse else []),
        Distribute(change),
        MakeOverlays(change, prepared.stack),
        StageForCluster(change, prepared, plan),
        *([] if records.alone else [ShareRelease(change, records)]),
        *([FetchOnce(change, once)] if change.keeper and (once := [*migrating, *change.jobs]) else []),
        *([Lend(change), backup] if change.entering else lasting),
        *([CheckMigrations(change, migrating, pending)] if migrating else []),
        *([BackUpBeforeMigrating(change, pending), Migrate(change, pending, found)] if migrating else []),
        *([RunJobs(change)] if change.jobs else []),
        *(_entering if change.entering else _rolling)(change, needs_of(prepared.stack)),
        MakeCurrent(change),
    ]


def _rolling(change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> Sequence[Action]:
    return [WatchFromHere(change), Roll(change, needs), *([EdgeUp(change)] if has_edge(change) else [])]


def _entering(change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> Sequence[Action]:
    data = [TakeData(change)] if change.data or change.facts.data else []
    notes = [NoteData(change)] if data else []
    return [
        RollBeside(change, needs),
        WatchFromHere(change),
        *data,
        TakePorts(change),
        TakeWorkers(change, needs),
        *notes,
    ]


def has_edge(change: SwarmChange) -> bool:
    """Whether the release is to have an edge, or there is one that it has no port for."""
    there = change.cluster.service(names.edge_stack(change.site.layout.project), "edge")
    return there is not None or bool(change.record.public)


def needs_of(stack: Stack) -> Mapping[str, frozenset[str]]:
    """For each service that rolls, those of the others that it depends on."""
    rolling = {one.name for one in stack.app if one.kind != Kind.JOB}
    return {
        name: frozenset(one for one in stack.services[name].definition.get("depends_on") or () if one in rolling)
        for name in rolling
    }
