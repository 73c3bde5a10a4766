"""A deploy: from a plan to a served release, on one host."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.engine.bases import BaseImages, needed_images
from deploy.engine.frontends import readable
from deploy.engine.images import build
from deploy.engine.platforms import is_native
from deploy.engine.scan import scan_images
from deploy.model.backup import Label
from deploy.model.checks import require_none
from deploy.model.deeds import differences
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome, Probes, interrupted
from deploy.model.plan import Plan
from deploy.model.rehearsal import Report
from deploy.model.release import ReleaseRecord
from deploy.model.swarm.move import leaves_cluster
from deploy.push.packing import Packing
from deploy.release.by_hand import BackUpFirst, EndByHand, RestByHand, TakeData
from deploy.release.change import Change, told_of_move
from deploy.release.checking import outline, problems_of
from deploy.release.current import MakeCurrent
from deploy.release.data_services import DataUp, MakeNetworks
from deploy.release.definitions import explained
from deploy.release.edge import PrepareEdge, Switch, WatchFromHere
from deploy.release.lock import Hold, locked, require_thawed
from deploy.release.migrate import BackUpBeforeMigrating, CheckMigrations, Migrate, Pending
from deploy.release.prepare import Prepared, whoami
from deploy.release.prune import Prune
from deploy.release.push import Push
from deploy.release.records import keep_journal
from deploy.release.rehearse import Rehearse, needless
from deploy.release.retire import Retire
from deploy.release.site import Site
from deploy.release.stage import StageRelease
from deploy.release.start import StartRelease, TakeOverWorkers
from deploy.release.steps import Action, run_all
from deploy.release.swarm.take_back import EndWorkers, LeaveCluster, MakeNetworksBeside, TakeDataBack, TakePortsBack
from deploy.release.tools import bring_age
from deploy.shell import LocalShell
from deploy.ui import Console
from deploy.ui.reports import seen


@dataclass(frozen=True)
class Deployed:
    """How a deploy ended well."""

    release: str
    previous: str
    seconds: float
    bytes_sent: int
    probes: Probes | None
    notes: tuple[str, ...]


def plan_deploy(prepared: Prepared, site: Site, local: LocalShell, *, no_proof: str = "") -> tuple[Plan, Facts]:
    """Check a host as it was first looked at, and say what a deploy would do. Changes nothing.

    `no_proof` is why there need be no backup that was proved lately.
    Raises DeployError with every problem found on the host.
    """
    facts = site.first_look
    plan = explained(outline(prepared, site, local), prepared, site, facts)
    problems = problems_of(prepared, plan, site, local, anyway=bool(no_proof))
    notes = require_none(problems, site.shell.name, prepared.lines.locate)
    return dataclasses.replace(plan, warnings=plan.warnings + notes, unproved=no_proof), facts


def obtain_and_build(
    prepared: Prepared, plan: Plan, local: LocalShell, console: Console, *, rebuild: bool = False
) -> Mapping[str, Mapping[str, int]]:
    """Have every image that the host lacks on this machine; what a scanner found in those of ours, by service.

    Raises DeployError when one has what the environment does not want.
    """
    services = [prepared.stack.services[name] for name in plan.build]
    bases = BaseImages(local, console, prepared.root)
    # a builder takes the bases for another kind of machine from their registry itself
    needed = needed_images(services) if is_native(prepared.platform) else ()
    if rebuild:
        bases.refresh(needed)
    bases.ensure(needed)
    own = {source.reference: source.platform for source in prepared.sources.values()}
    for image in plan.push:
        if not image.startswith(f"{plan.project}/"):
            bases.ensure_for(own.get(image, prepared.platform), image)
    if services:
        sources = [prepared.sources[name] for name in plan.build]
        builder = prepared.environment.builder
        builds = {service.name: service.build for service in services if service.build}
        with (
            readable(builds, bases.reads_dockerfiles) as dockerfiles,
            console.step(f"Build {', '.join(plan.build)}") as step,
        ):
            build(local, prepared.stack, sources, step, builder=builder, rebuild=rebuild, dockerfiles=dockerfiles)
    return _scanned(prepared, plan, local, console)


def _scanned(prepared: Prepared, plan: Plan, local: LocalShell, console: Console) -> Mapping[str, Mapping[str, int]]:
    """Images that were built before and not sent are scanned too: what stopped a deploy must stop the next one."""
    wanted = prepared.environment.scan
    if wanted is None:
        return {}
    sharing: dict[str, list[str]] = {}
    for name, one in prepared.sources.items():
        if one.built and (name in plan.build or one.reference in plan.push):
            sharing.setdefault(one.source, []).append(name)
    # services that are built alike have one image under several names
    images = {", ".join(names): prepared.sources[names[0]].reference for names in sharing.values()}
    scans = scan_images(images, wanted, local, console, into=prepared.root / ".windlass" / "sbom")
    return {name: scans[own].counts for own in scans for name in own.split(", ")}


def deploy(
    prepared: Prepared,
    plan: Plan,
    site: Site,
    local: LocalShell,
    console: Console,
    *,
    under: Hold | None = None,
    rotates: str = "",
    packing: Packing | None = None,
) -> Deployed:
    """Carry out a plan, under a lock that is held already or one of its own; `rotates` is for the journal.

    `packing` is what is sent, where the same goes to other hosts.
    Raises DeployError when it cannot be; users then still get what they got before.
    """
    began = time.monotonic()
    if encrypts(prepared, plan):
        bring_age(site, local, console, prepared.root)
    with locked(site, purpose(plan), datetime.now(UTC), console, under=under) as hold:
        change = Change(site, prepared.environment, _unchanged(hold.facts, plan, console), prepared.record)
        with told_of_move(change), keep_journal(hold, _entry(prepared.record, plan, rotates), change) as seconds:
            carry_out(deploy_actions(prepared, plan, change, local, packing), change, console, seconds)
    if change.deeds:
        change.notes += differences(plan, change.record, change.deeds, change.pushed)
    return Deployed(
        plan.release, plan.previous, time.monotonic() - began, change.bytes_sent, change.probes, tuple(change.notes)
    )


def rehearse(
    prepared: Prepared, plan: Plan, site: Site, local: LocalShell, console: Console, *, backup: str = ""
) -> Report | None:
    """Build and push as a deploy would, rehearse, and do no more; nothing where there is nothing to rehearse.

    The project's lock is held for the push alone: a deploy need not wait for a rehearsal to end. Raises DeployError
    when the migrations fail, UsageError for a backup that cannot be rehearsed on.
    """
    change = Change(site, prepared.environment, site.first_look, prepared.record)
    action = Rehearse(change, prepared, plan.migrate, found=_found(prepared, plan), backup=backup)
    if why := f"it runs this as {plan.previous}" if plan.noop else needless(change, plan.migrate):
        console.good(f"Nothing to rehearse on {site.shell.name}: {why}.")
        return None
    action.named()
    obtain_and_build(prepared, plan, local, console)
    if encrypts(prepared, plan):
        bring_age(site, local, console, prepared.root)
    with locked(site, f"pushing {plan.release} to rehearse it", datetime.now(UTC), console) as hold:
        change.facts = hold.facts
        run_all([Push(change, plan.push, local)], console)
    run_all([action], console)
    if action.report is None:
        console.good(f"Nothing to rehearse on {site.shell.name}: {action.nothing}.")
    return action.report


def finish(prepared: Prepared, plan: Plan, site: Site, console: Console, *, under: Hold | None = None) -> Deployed:
    """End what a killed change began: the live release is as it should be, what stands beside it is taken away."""
    began = time.monotonic()
    with locked(site, purpose(plan), datetime.now(UTC), console, under=under) as hold:
        facts = _unchanged(hold.facts, plan, console)
        live = facts.releases[plan.previous]
        change = Change(site, prepared.environment, facts, live)
        with keep_journal(hold, _entry(live, plan), change) as seconds:
            carry_out([EndByHand(change, data=True)] if change.by_hand else [], change, console, seconds)
    return Deployed(live.id, "", time.monotonic() - began, 0, change.probes, tuple(change.notes))


def purpose(plan: Plan) -> str:
    """What is said of a deploy to whoever finds its lock."""
    return f"deploying {plan.release}" if plan.changes else f"finishing {plan.previous}"


def require_unchanged(facts: Facts, plan: Plan) -> None:
    """Raises DeployError when a host, as it is under our lock, is not what the plan was made for."""
    require_thawed(facts)
    if (facts.live.id if facts.live else "") != plan.previous:
        raise DeployError(f"{facts.host}: another release went live since the plan was made", "run the command again")


def _unchanged(facts: Facts, plan: Plan, console: Console) -> Facts:
    """`require_unchanged`, with a word about a change that never ended."""
    require_unchanged(facts, plan)
    if broken := interrupted(facts.journal):
        when = f"{broken.at:%Y-%m-%d %H:%M}"
        console.note(f"{broken.by} began {broken.release} at {when} and never ended: going on from there")
    return facts


def _entry(record: ReleaseRecord, plan: Plan, rotates: str = "") -> Entry:
    return Entry(
        at=datetime.now(UTC),
        outcome=Outcome.STARTED,
        release=record.id,
        by=whoami(),
        revision=str(record.revision),
        previous=plan.previous,
        unproved=plan.unproved,
        rotated=rotates,
        scans=plan.scans,
    )


def deploy_actions(
    prepared: Prepared, plan: Plan, change: Change, local: LocalShell, packing: Packing | None = None
) -> Sequence[Action]:
    """The steps up to the point of no return, each of which can be taken back."""
    pending = Pending()
    migrating, found = plan.migrate, _found(prepared, plan)
    leaving = leaves_cluster(change.facts)
    return [
        Push(change, plan.push, local, packing),
        *([Rehearse(change, prepared, migrating, found=found)] if prepared.environment.rehearse else []),
        StageRelease(change, prepared),
        *(
            [_back_up_first(change), MakeNetworksBeside(change)]
            if leaving
            else [*_data_steps(change), MakeNetworks(change)]
        ),
        *([CheckMigrations(change, migrating, pending)] if migrating else []),
        *([BackUpBeforeMigrating(change, pending), Migrate(change, pending, found)] if migrating else []),
        StartRelease(change),
        *([TakeDataBack(change)] if leaving and (change.data or change.facts.data) else []),
        *switching(change, TakePortsBack if leaving else PrepareEdge),
        *([EndByHand(change)] if change.by_hand else []),
        *([EndWorkers(change)] if leaving else []),
        TakeOverWorkers(change),
    ]


def encrypts(prepared: Prepared, plan: Plan) -> bool:
    """Whether a backup that is encrypted may be taken on the way."""
    return bool(prepared.environment.encryption.recipients) and bool(plan.migrate or plan.by_hand or plan.moves)


def _found(prepared: Prepared, plan: Plan) -> Sequence[str]:
    """Services that did not declare how they migrate."""
    return [name for name in plan.migrate if "migrate" in prepared.stack.services[name].options.found]


def _data_steps(change: Change) -> Sequence[Action]:
    """How the data services come up: beside nothing, or in place of those that somebody runs without us."""
    if not change.data and not change.facts.data:
        return []
    if not change.by_hand:
        return [DataUp(change)]
    project = change.site.layout.project
    return [BackUpFirst(change, project, Label.TAKE_OVER, "what runs by hand"), TakeData(change)]


def _back_up_first(change: Change) -> Action:
    return BackUpFirst(change, change.site.layout.data_project, Label.PRE_MOVE, "before the move")


def switching(change: Change, prepare_edge: type[PrepareEdge] = PrepareEdge) -> Sequence[Action]:
    """The steps from a healthy release to one that serves, all of which can be taken back."""
    if not change.record.public:
        return [MakeCurrent(change)]
    return [WatchFromHere(change), prepare_edge(change), Switch(change)]


def carry_out(actions: Sequence[Action], change: Change, console: Console, seconds: dict[str, float]) -> None:
    """Run the steps that can be taken back, then those after the point of no return.

    The release stands whatever becomes of the latter: a failure there is said, and the next change picks it up.
    """
    seconds.update(run_all(actions, console, before_undo=change.site.raise_fence))
    change.stands = True
    try:
        left = [LeaveCluster(change)] if leaves_cluster(change.facts) else []
        for action in (*left, Retire(change), *([RestByHand(change)] if change.by_hand else []), Prune(change)):
            try:
                seconds.update(run_all([action], console))
            except DeployError as error:
                change.notes.append(f"'{action.title}' failed: {error.message}; the next deploy does it again")
    except KeyboardInterrupt:
        change.stop_watching()
        console.warn(f"{change.record.id} is live{seen(change.probes)}; the next deploy ends what was cut short here")
        raise
    finally:
        change.stop_watching()
