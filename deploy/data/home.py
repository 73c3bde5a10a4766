"""Where a database service runs whose server is upgraded, and how it is started there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager

from deploy.data.find import Running, look
from deploy.data.repository import Repository
from deploy.model.command import Command
from deploy.model.stack import Service, Stack
from deploy.shell import LocalShell, Shell
from deploy.ui import Step

STOPS_WITHIN_S = 300
"""How long a server may take to write out what it has."""


class Home(ABC):
    """One project on one machine, as its checkout says it is to be."""

    project: str
    release: str
    stack: Stack
    local: LocalShell
    repository: Repository
    words: str
    """How to name it on a command line, with a leading space; empty for this machine."""
    tells_users: bool
    """Whether there is a page that tells users to wait."""
    meanwhile: str = "stopped"
    """What becomes of what uses a database while that is away."""
    data_projects: tuple[str, ...]
    """Compose projects that data services run in."""

    @property
    def shell(self) -> Shell:
        """The machine."""
        return self.repository.shell

    def container(self, service: str) -> Running | None:
        """The container of a data service, if it has one."""
        return next((one for one in look(self.shell, self.data_projects) if one.service == service), None)

    def server_of(self, running: Running) -> str:
        """Who starts a container of a data service again where it ends: for `Old.kept_by`."""
        return running.id

    def replaced(self, kept_by: str) -> bool:
        """Whether what `server_of` named has become another."""
        return not self.shell.run(Command("docker", "container", "inspect", kept_by), check=False).ok

    def stop(self, service: str) -> None:
        """Stop a data service, where it runs, until it is resumed or started anew."""
        if running := self.container(service):
            self.shell.run(Command("docker", "stop", "--time", STOPS_WITHIN_S, running.id))

    def resume(self, service: str) -> None:
        """Start a data service again that was stopped, as it is."""
        if running := self.container(service):
            self.shell.run(Command("docker", "start", running.id))

    @abstractmethod
    def obtain(self, service: Service) -> str:
        """Have a service's image on this machine; what it is called. Raises DeployError when it cannot be had."""

    @abstractmethod
    def bring(self, image: str, step: Step) -> None:
        """Have an image of this machine on the one where the project is."""

    def require_only(self, service: Service) -> None:  # noqa: B027  # where nothing is recorded there is nothing to compare
        """Raises DeployError where the checkout wants more of a service changed than its version."""

    @abstractmethod
    def changing(self, purpose: str) -> AbstractContextManager[None]:
        """Nobody else changes what runs while the block does. Raises DeployError naming who does already."""

    @abstractmethod
    def paused(self) -> AbstractContextManager[None]:
        """Users are told to wait while the block runs."""

    @abstractmethod
    def apps(self) -> tuple[str, ...]:
        """Ids of the containers that run and may use a database."""

    @abstractmethod
    def start(self, service: Service, step: Step) -> None:
        """Start a data service as the checkout has it, in place of its container. Raises DeployError."""

    @abstractmethod
    def start_before(self, service: Service, image: str, step: Step) -> None:
        """Start it as it was before `start`; `image` is the id of what it ran."""

    @abstractmethod
    def start_apps(self, apps: Sequence[str], step: Step) -> None:
        """Start what was stopped, and wait until users are answered by it. Raises DeployError when it is not well."""
