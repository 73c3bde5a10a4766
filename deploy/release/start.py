"""Starting a release and waiting until it is healthy; taking workers over from the release before."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.engine.health import wait_healthy
from deploy.model.errors import DeployError
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.shell.base import failed
from deploy.ui import Step


class StartRelease(Action):
    """Starts every service that may run beside the old release's, and waits until all are healthy."""

    title = "Start the release and wait until it is healthy"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        services = change.record.app(exclusive=False)
        start(change.site, change.record, services, step)
        step.result = f"{len(services)} services"

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
        for record, services in self._old:
            step.show(f"stopping {', '.join(services)} of {record.id}")
            stop(self._change.site, record, services)
        start(self._change.site, self._change.record, self._new, step)
        step.result = ", ".join(self._new) or "there are none"

    def undo(self) -> None:
        site = self._change.site
        if self._new:
            stop(site, self._change.record, self._new)
        for record, services in self._old:
            command = site.compose(record.id).then(
                "up", "--detach", "--no-build", "--no-deps", "--no-recreate", *services
            )
            site.shell.run(site.guarded(command))


def start(site: Site, record: ReleaseRecord, services: Sequence[str], step: Step) -> None:
    """Start services of a release. Raises DeployError with the last log lines of those that do not become healthy."""
    if not services:
        return
    compose = site.compose(record.id)
    jobs = [name for name in services if record.services[name].kind == Kind.JOB]
    begin = compose.then("up", "--detach", "--no-build", "--no-recreate", *services)
    # compose ends with an error as soon as one that others depend on fails: who and why is for us to find out
    begun = site.shell.run(site.guarded(begin), on_line=step.show, check=False)
    try:
        project = site.layout.release_project(record.id)
        wait_healthy(site.shell, compose, project, services, jobs=jobs, what="the new release", step=step)
        if not begun.ok:
            raise failed(site.shell, begun)
    except DeployError as error:
        raise DeployError(
            error.message, "users still get the release before; mend it and deploy again", details=error.details
        ) from error


def stop(site: Site, record: ReleaseRecord, services: Sequence[str]) -> None:
    """Stop services of a release, all of them when none is named. Their containers stay, with their logs."""
    site.shell.run(site.guarded(site.compose(record.id).then("stop", *services)))
