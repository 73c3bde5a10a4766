"""Taking a node out of a cluster for good."""

from __future__ import annotations

import time

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.swarm.found import Node
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import look
from deploy.release.swarm.members import membership
from deploy.ui import Step

LEFT_TIMEOUT_S = 90.0


class StepDown(Action):
    """Makes a manager a worker: the others hold a majority without it from then on."""

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self._node = node
        self.title = f"Let {node.hostname} manage the cluster no more"

    def run(self, step: Step) -> None:
        self._site.shell.run(Command("docker", "node", "demote", self._node.id))
        step.result = "a worker now"

    def undo(self) -> None:
        self._site.shell.run(Command("docker", "node", "promote", self._node.id))


class Leave(Action):
    """Lets a machine leave, and removes it from the cluster; one that is lost is removed without being asked."""

    def __init__(self, site: Site, own: Site | None, node: Node) -> None:
        self._site = site
        self._own = own
        self._node = node
        self.title = f"Remove {node.hostname} from the cluster"

    def run(self, step: Step) -> None:
        if self._own:
            self._leave(self._own, step)
        remove = Command("docker", "node", "rm").flag("--force", on=self._own is None)
        until = time.monotonic() + LEFT_TIMEOUT_S
        while True:
            found = look(self._site).node(self._node.id)
            if found is None:
                return
            # one that has left is down a moment later
            if found.state == "down" or self._own is None:
                self._site.shell.run(remove.then(found.id))
                return
            step.show(f"it is {found.state} yet")
            if time.monotonic() > until:
                raise DeployError(f"{found.hostname} has left and is still {found.state}", "run the command again")
            time.sleep(1)

    def _leave(self, own: Site, step: Step) -> None:
        until = time.monotonic() + LEFT_TIMEOUT_S
        while (one := membership(own)).manager:  # the news of being none any more takes its time
            step.show("it manages yet")
            if time.monotonic() > until:
                raise DeployError(f"{own.shell.name} does not learn that it is no manager", "run the command again")
            time.sleep(1)
        if one.inside:
            try:
                own.shell.run(Command("docker", "swarm", "leave"))
            except CommandError as error:
                raise DeployError(
                    f"{own.shell.name} does not leave", "run the command again", details=error.stderr
                ) from error
