"""What runs once in a release: jobs, on the manager, in the cluster's networks, before anything is rolled over."""

from __future__ import annotations

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.release.migrate import of_change
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.ui import Step


class RunJobs(Action):
    """Runs every job of the release to its end."""

    title = "Run the jobs"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        for name in change.jobs:
            step.show(name)
            try:
                change.site.shell.run(of_change(change).command(name, Command()), on_line=step.show)
            except CommandError as error:
                raise DeployError(
                    f"{change.site.shell.name}: the job {name} ended with {error.exit_code}; nothing was rolled over",
                    "mend it and deploy again",
                    details=error.stderr,
                ) from error
        step.result = ", ".join(change.jobs)
