"""Starting a release and waiting until it is healthy; taking workers over from the release before."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.engine import health
from deploy.model.command import Command, sequence
from deploy.model.errors import DeployError
from deploy.model.journal import START_STEP
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step
from deploy.ui.units import count


class StartRelease(Action):
    """Starts every service that may run beside the old release's, and waits until all are healthy."""

    title = START_STEP

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        # a release that is gone back to has had its jobs
        done = change.done(change.record)
        services = tuple(name for name in change.record.app(exclusive=False) if name not in done)
        running = set(services) - set(change.jobs) <= {*change.running(change.record)}
        start(change.site, change.record, services, step, running=running)
        step.result = count(len(services), "service") + (", running already" if running and services else "")

    def undo(self) -> None:
        stop(self._change.site, self._change.record, ())


class TakeOverWorkers(Action):
    """Stops the old release's exclusive services, then starts the new one's: never both."""

    title = "Hand over to the new workers"

    def __init__(self, change: Change) -> None:
        self._change = change
        self._new = change.record.app(exclusive=True)
        # every other release counts, not only the one before: a killed change may have left workers behind
        self._old = [
            (record, services)
            for record in change.others
            if (services := [name for name in change.running(record) if name in record.app(exclusive=True)])
        ]

    def run(self, step: Step) -> None:
        start(self._change.site, self._change.record, self._new, step, before=self.stopping())
        step.result = ", ".join(self._new) or "there are none"

    def undo(self) -> None:
        if self._new:
            stop(self._change.site, self._change.record, self._new)
        self.start_old()

    def stopping(self) -> list[Command]:
        """What stops the workers that run."""
        return [_stopping(self._change.site, record, services) for record, services in self._old]

    def start_old(self) -> None:
        """Let them run again."""
        site = self._change.site
        for record, services in self._old:
            command = site.compose(record.id).then(
                "up", "--detach", "--no-build", "--no-deps", "--no-recreate", *services
            )
            site.shell.run(site.guarded(command))


def start(
    site: Site,
    record: ReleaseRecord,
    services: Sequence[str],
    step: Step,
    *,
    before: Sequence[Command] = (),
    running: bool = False,
) -> None:
    """Start services of a release, after other commands where there are some, in one round trip.

    `running` says that all of them run already, and need not show again that they go on. Raises DeployError with the
    last log lines of those that do not become healthy.
    """
    compose = site.compose(record.id)
    # What they depend on is named too, or runs already: left to itself, compose would start jobs of it again, and
    # services that are to wait until the release before has stopped its own. Between those named the order holds.
    up = [compose.then("up", "--detach", "--no-build", "--no-recreate", "--no-deps", *services)] if services else []
    commands = [*before, *up]
    if not commands:
        return
    begin = site.guarded(sequence(*commands, name="docker compose up"))
    jobs = [name for name in services if record.services[name].kind == Kind.JOB]
    ends = [name for name in services if record.services[name].may_end]
    project = site.layout.release_project(record.id)
    try:
        health.start(
            site.shell,
            begin,
            compose,
            project,
            services,
            jobs=jobs,
            ends=ends,
            what="the new release",
            step=step,
            settle_s=0 if running else health.SETTLE_S,
        )
    except DeployError as error:
        raise DeployError(
            error.message, "users still get the release before; mend it and deploy again", details=error.details
        ) from error


def run_workers(site: Site, record: ReleaseRecord) -> None:
    """Let a release's exclusive services run, those that do not."""
    if services := record.app(exclusive=True):
        command = site.compose(record.id).then("up", "--detach", "--no-build", "--no-deps", "--no-recreate", *services)
        site.shell.run(site.guarded(command))


def stop(site: Site, record: ReleaseRecord, services: Sequence[str]) -> None:
    """Stop services of a release, all of them when none is named. Their containers stay, with their logs."""
    site.shell.run(site.guarded(_stopping(site, record, services)))


def _stopping(site: Site, record: ReleaseRecord, services: Sequence[str]) -> Command:
    return site.compose(record.id).then("stop", *services)
