"""Starting a release and waiting until it is healthy; taking workers over from the release before."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.model.errors import CommandError, DeployError
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step

HEALTHY_TIMEOUT_S = 180
SETTLE_S = 3
"""How long a service without a health check must run before it counts as started."""
LOG_LINES = 25


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
    command = site.compose(record.id).then("up", "--detach", "--no-build", "--no-recreate", *services)
    try:
        site.shell.run(site.guarded(command), on_line=step.show)
        jobs = ",".join(name for name in services if record.services[name].kind == "job")
        project = site.layout.release_project(record.id)
        site.run("wait-healthy.sh", project, HEALTHY_TIMEOUT_S, SETTLE_S, jobs, *services, on_line=step.show)
    except CommandError as error:
        raise _unhealthy(site, record, services, error) from error


def stop(site: Site, record: ReleaseRecord, services: Sequence[str]) -> None:
    """Stop services of a release, all of them when none is named. Their containers stay, with their logs."""
    site.shell.run(site.guarded(site.compose(record.id).then("stop", *services)))


def _unhealthy(site: Site, record: ReleaseRecord, services: Sequence[str], error: CommandError) -> DeployError:
    """Who failed, with the last lines each of them wrote."""
    found = site.run("wait-healthy.sh", site.layout.release_project(record.id), 0, 0, "", *services, check=False).stdout
    bad: dict[str, str] = {}
    for line in found.splitlines():
        words = line.split(" ", 2)
        if words[0] == "bad":
            bad[words[1]] = words[2]
    logs = []
    for name in bad:
        command = site.compose(record.id).then("logs", "--no-color", "--no-log-prefix", "--tail", LOG_LINES, name)
        text = site.shell.run(command, check=False)
        logs.append(f"last lines of {name}:\n{text.stdout}{text.stderr}".rstrip())
    named = ", ".join(f"{name} ({reason})" for name, reason in bad.items()) or ", ".join(services)
    return DeployError(
        f"{site.shell.name}: the new release did not become healthy: {named}",
        "users still get the release before; mend it and deploy again",
        details="\n\n".join(logs) or error.stderr,
    )
