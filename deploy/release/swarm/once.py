"""What runs once in a release, before anything is rolled over: on the manager, or where the data is."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.release.migrate import of_change
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.ui import Step
from deploy.ui.units import count


class FetchOnce(Action):
    """Has the node with the data have the images of what runs once there; others get theirs with their containers."""

    def __init__(self, change: SwarmChange, services: Sequence[str]) -> None:
        self.title = f"Bring the images of what runs once to {change.data_site.shell.name}"
        self._change = change
        self._services = services

    def run(self, step: Step) -> None:
        change = self._change
        images = dict.fromkeys(change.record.services[name].image for name in self._services if name in change.keeping)
        words = [word for image in images for word in (image, change.pulled[image])]
        change.data_site.run("swarm-fetch.sh", *words, on_line=step.show)
        step.result = count(len(images), "image")


class RunJobs(Action):
    """Runs every job of the release to its end."""

    title = "Run the jobs"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        for name in change.jobs:
            step.show(name)
            shell = change.site_of(name).shell
            try:
                shell.run(of_change(change, name).command(name, Command()), on_line=step.show)
            except CommandError as error:
                raise DeployError(
                    f"{shell.name}: the job {name} ended with {error.exit_code}; nothing was rolled over",
                    "mend it and deploy again",
                    details=error.stderr,
                ) from error
        step.result = ", ".join(change.jobs)
