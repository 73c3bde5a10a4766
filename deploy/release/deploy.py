"""A deploy: from a plan to a served release, on one host."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.engine.bases import BaseImages, needed_images
from deploy.engine.images import build, missing
from deploy.model.checks import check_host, require_none
from deploy.model.edge import IMAGE as EDGE_IMAGE
from deploy.model.errors import DeployError
from deploy.model.facts import ARCHITECTURES, Facts
from deploy.model.journal import Entry, Outcome, Probes, interrupted
from deploy.model.plan import Plan, Wanted, make_plan
from deploy.model.release import ReleaseRecord
from deploy.push.send import lacked_bytes
from deploy.release.change import Change
from deploy.release.data_services import DataUp, MakeNetworks
from deploy.release.edge import PrepareEdge, Switch, WatchFromHere
from deploy.release.lock import locked, require_thawed
from deploy.release.migrate import BackUpBeforeMigrating, CheckMigrations, Migrate, Pending
from deploy.release.prepare import Prepared, whoami
from deploy.release.prune import Prune
from deploy.release.push import Push
from deploy.release.records import keep_journal, record_current
from deploy.release.retire import Retire
from deploy.release.site import Site
from deploy.release.stage import StageRelease
from deploy.release.start import StartRelease, TakeOverWorkers
from deploy.release.steps import Action, run_all
from deploy.shell import LocalShell
from deploy.ui import Console, Step


@dataclass(frozen=True)
class Deployed:
    """How a deploy ended well."""

    release: str
    previous: str
    seconds: float
    bytes_sent: int
    probes: Probes | None
    notes: tuple[str, ...]


def plan_deploy(prepared: Prepared, site: Site, local: LocalShell) -> tuple[Plan, Facts]:
    """Look at the host, check it, and say what a deploy would do. Changes nothing.

    Raises DeployError with every problem found on the host.
    """
    facts = site.facts()
    edge = [EDGE_IMAGE] if prepared.record.public else []
    references = [*edge, *(source.reference for source in prepared.sources.values())]
    have = frozenset(references) - frozenset(missing(local, references))
    wanted = Wanted(
        prepared.record,
        have,
        lacked_bytes(local, have - facts.images.keys(), facts.layers.values()),
        tuple(service.name for service in prepared.stack.with_command("migrate")),
        prepared.warnings,
    )
    plan = make_plan(wanted, facts, site.layout)
    problems = check_host(
        facts,
        prepared.record,
        site.layout,
        architecture=local_architecture(local),
        incoming_bytes=plan.push_bytes,
        now=datetime.now(UTC),
    )
    notes = require_none(problems, site.shell.name)
    return dataclasses.replace(plan, warnings=plan.warnings + notes), facts


def obtain_and_build(
    prepared: Prepared, plan: Plan, local: LocalShell, console: Console, *, rebuild: bool = False
) -> None:
    """Have every image that the host lacks on this machine."""
    services = [prepared.stack.services[name] for name in plan.build]
    foreign = [image for image in plan.push if not image.startswith(f"{plan.project}/")]
    bases = BaseImages(local, console, prepared.root)
    if rebuild:
        bases.refresh(needed_images(services))
    bases.ensure([*foreign, *needed_images(services)])
    if services:
        with console.step(f"Build {', '.join(plan.build)}") as step:
            build(local, prepared.stack, [prepared.sources[name] for name in plan.build], step, rebuild=rebuild)


def deploy(prepared: Prepared, plan: Plan, site: Site, local: LocalShell, console: Console) -> Deployed:
    """Carry out a plan. Raises DeployError when it cannot be; users then still get what they got before."""
    began = time.monotonic()
    with locked(site, f"deploying {plan.release}", datetime.now(UTC), console):
        change = Change(site, prepared.environment, _unchanged(site, plan, console), prepared.record)
        with keep_journal(site, _entry(prepared.record, plan), change) as seconds:
            carry_out(deploy_actions(prepared, plan, change, local), change, console, seconds)
    return Deployed(
        plan.release, plan.previous, time.monotonic() - began, change.bytes_sent, change.probes, tuple(change.notes)
    )


def finish(prepared: Prepared, plan: Plan, site: Site, console: Console) -> Deployed:
    """End what a killed change began: the live release is as it should be, what stands beside it is taken away."""
    began = time.monotonic()
    with locked(site, f"finishing {plan.previous}", datetime.now(UTC), console):
        facts = _unchanged(site, plan, console)
        live = facts.releases[plan.previous]
        change = Change(site, prepared.environment, facts, live)
        with keep_journal(site, _entry(live, plan), change) as seconds:
            carry_out((), change, console, seconds)
    return Deployed(live.id, "", time.monotonic() - began, 0, change.probes, tuple(change.notes))


def _unchanged(site: Site, plan: Plan, console: Console) -> Facts:
    """The host as it is now that we hold its lock. Raises DeployError when the plan was made for another state."""
    facts = site.facts()
    require_thawed(facts)
    if (facts.live.id if facts.live else "") != plan.previous:
        raise DeployError(
            f"{site.shell.name}: another release went live since the plan was made", "run the command again"
        )
    if broken := interrupted(facts.journal):
        when = f"{broken.at:%Y-%m-%d %H:%M}"
        console.note(f"{broken.by} began {broken.release} at {when} and never ended: going on from there")
    return facts


def _entry(record: ReleaseRecord, plan: Plan) -> Entry:
    return Entry(
        at=datetime.now(UTC),
        outcome=Outcome.STARTED,
        release=record.id,
        by=whoami(),
        revision=str(record.revision),
        previous=plan.previous,
    )


def deploy_actions(prepared: Prepared, plan: Plan, change: Change, local: LocalShell) -> Sequence[Action]:
    """The steps up to the point of no return, each of which can be taken back."""
    pending = Pending()
    migrating = [prepared.stack.services[name] for name in plan.migrate]
    return [
        Push(change, plan.push, local),
        StageRelease(change, prepared),
        *([DataUp(change)] if change.data else []),
        MakeNetworks(change),
        *([CheckMigrations(change, migrating, pending)] if migrating else []),
        *([BackUpBeforeMigrating(change, pending), Migrate(change, pending)] if migrating else []),
        StartRelease(change),
        *switching(change),
        TakeOverWorkers(change),
    ]


def switching(change: Change) -> Sequence[Action]:
    """The steps from a healthy release to one that serves, all of which can be taken back."""
    if not change.record.public:
        return [MakeCurrent(change)]
    return [WatchFromHere(change), PrepareEdge(change), Switch(change)]


def carry_out(actions: Sequence[Action], change: Change, console: Console, seconds: dict[str, float]) -> None:
    """Run the steps that can be taken back, then those after the point of no return.

    The release stands whatever becomes of the latter: a failure there is said, and the next change picks it up.
    """
    seconds.update(run_all(actions, console))
    change.stands = True
    for action in (Retire(change), Prune(change)):
        try:
            seconds.update(run_all([action], console))
        except DeployError as error:
            change.notes.append(f"'{action.title}' failed: {error.message}; the next deploy does it again")
    change.stop_watching()


def local_architecture(local: LocalShell) -> str:
    """What images built here are for, unless DOCKER_DEFAULT_PLATFORM says otherwise."""
    wanted = local.environ().get("DOCKER_DEFAULT_PLATFORM", "")
    machine = platform.machine()
    return wanted.removeprefix("linux/").split("/")[0] or ARCHITECTURES.get(machine, machine)


class MakeCurrent(Action):
    """Makes the release the current one of a project that has no public ports."""

    title = "Make the release current"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        step.result = self._change.record.id
        record_current(self._change.site, self._change.record.id)

    def undo(self) -> None:
        previous = self._change.previous
        record_current(self._change.site, previous.id if previous else "")
