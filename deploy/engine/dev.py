"""The development stack on this machine: everything around `docker compose` that a laptop needs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from deploy.engine.bases import BaseImages, needed_images
from deploy.engine.clusters import majors
from deploy.engine.compose import ComposeProject
from deploy.engine.discover import env_example
from deploy.engine.files import create_env_file
from deploy.engine.frontends import readable
from deploy.engine.health import start
from deploy.engine.install import engine_answers, local_user, set_up
from deploy.engine.lines import SourceLines
from deploy.engine.ports import require_free
from deploy.model.checks import check_majors, require_none
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError, nearest
from deploy.model.kinds import Kind
from deploy.model.settings import LOCAL
from deploy.model.stack import Build, Service, Stack, not_yours, one_service
from deploy.shell import LocalShell
from deploy.ui import Console


def require_engine(shell: LocalShell, console: Console, *, yes: bool) -> None:
    """See that this machine has a running engine with compose; set it up when the user agrees."""
    if engine_answers(shell):
        return
    console.confirm(
        "No Docker engine with compose answers on this machine. Install and start it from the distribution's packages?",
        yes=yes,
        consequence="no Docker engine with compose answers on this machine",
        remedy="add --yes, or set it up with inv host.setup; where DOCKER_HOST is set, see that it is right",
    )
    with console.step("Set up Docker on this machine"):
        set_up(shell, user=local_user(), on_line=console.note)


class DevStack:
    """One project's development stack."""

    def __init__(self, compose: ComposeProject, console: Console, root: Path) -> None:
        self.compose = compose
        self._shell = compose.shell
        self._console = console
        self._root = root

    @cached_property
    def stack(self) -> Stack:
        """The normalized stack. Raises UsageError when the compose files or the env file are wrong."""
        stack, warnings = self.compose.stack()
        for warning in warnings:
            self._console.warn(warning)
        return stack

    def require_env_file(self) -> None:
        """Make the env file from its example on first use. A project without an example may do without."""
        path = self.compose.env_file
        example = env_example(self._root, self.compose.files, LOCAL)
        if path is None or path.is_file() or example is None:
            return
        names = create_env_file(path, example)
        generated = f", with generated values for {', '.join(names)}" if names else ""
        self._console.say(f"Made {path.name} from {example.relative_to(self._root)}{generated}.")

    def up(self, only: str = "") -> None:
        """Obtain images, build, start the data services, migrate, start the rest, and wait until all is healthy."""
        if only:
            self.require_service(only)
        wanted = [service for service in self.stack.services.values() if only in ("", service.name)]
        require_free(self._shell, wanted, self.compose.name)
        self.obtain(wanted)
        found = majors(self._shell, [self.compose.name], self.stack, wanted)
        require_none(check_majors(found, ""), "the stack", SourceLines(self.compose.files, self._root).locate)
        self.build([service.name for service in wanted if service.build])
        data = [service.name for service in self.stack.data if service in wanted]
        self._start("Start the data services", data)
        for service in wanted:
            if service.options.migrate:
                self.migrate(service)
        self._start("Start and wait until healthy", [service.name for service in wanted])

    def _start(self, title: str, services: Sequence[str]) -> None:
        if not services:
            return
        with self._console.step(title) as step:
            begin = self.compose.command.then("up", "--detach", "--no-build", "--remove-orphans", *services)
            jobs = [name for name in services if self.stack.services[name].kind == Kind.JOB]
            ends = [name for name in services if self.stack.services[name].may_end]
            run, name = self.compose.command, self.compose.name
            start(self._shell, begin, run, name, services, jobs=jobs, ends=ends, what="the stack", step=step)

    def obtain(self, services: Iterable[Service]) -> None:
        """See that the images these services start from are on this machine."""
        BaseImages(self._shell, self._console, self._root).ensure(needed_images(services))

    def require_service(self, name: str) -> None:
        """Raises UsageError for a name that is no service of the stack."""
        if name not in self.stack.services:
            raise UsageError(f"there is no service '{name}'", nearest(name, [*self.stack.services]))

    def build(self, services: Sequence[str], *, no_cache: bool = False) -> None:
        if not services:
            return
        services = tuple(dict.fromkeys(self.stack.services[name].built_by or name for name in services))
        builds = {name: build for name in services if (build := self.stack.services[name].build)}
        bases = BaseImages(self._shell, self._console, self._root)
        with (
            readable(builds, bases.reads_dockerfiles) as dockerfiles,
            self._console.step(f"Build {', '.join(services)}") as step,
        ):
            compose = self.compose.command
            changed = {name: {"build": _read_from(builds[name], file)} for name, file in dockerfiles.items()}
            command = (compose.option("--file", "-") if changed else compose).then("--progress", "plain", "build")
            plain = command.flag("--no-cache", no_cache).then(*services)
            try:
                self._shell.run(plain, stdin=json.dumps({"services": changed}).encode(), on_line=step.show)
            except CommandError as error:
                raise DeployError(
                    "the images cannot be built", "mend what the build names", details=error.details
                ) from error

    def migrate(self, service: Service) -> None:
        command = service.options.migrate
        if command is None:
            return
        found = service.options.found.get("migrate")
        if found:
            self._console.note(f"{service.name} migrates by {command}, as found: {found}")
        with self._console.step(f"Migrate {service.name}") as step:
            try:
                self._shell.run(self.inside(service.name, command), on_line=step.show)
            except CommandError as error:
                if not found:
                    raise
                raise DeployError(error.message, not_yours(service.name, "migrate"), details=error.details) from error

    def declared(self, name: str, service: str | None) -> Iterable[tuple[Service, Command]]:
        """Services that declare `x-deploy.<name>`, or the one that is asked for."""
        if service:
            self.require_service(service)
        found = [one for one in self.stack.with_command(name) if service in (None, one.name)]
        if not found:
            one_service((), name)
        for one in found:
            command = one.options.command(name)
            if command:
                yield one, command

    def inside(self, service: str, command: Command) -> Command:
        """A command in a service's running container, or in one of its own where none runs."""
        running = self._shell.run(self.compose.command.then("ps", "--quiet", service), check=False).stdout.strip()
        if running:
            return self.compose.command.then("exec", "--no-TTY", service, *command)
        return self.compose.command.then("run", "--rm", "--no-TTY", service, *command)

    def interactive(self, *words: str) -> NoReturn:
        """Hand this process and its terminal over to `docker compose`."""
        command = self.compose.command.then(*words)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvpe(command[0], command, self._shell.environ())

    def addresses(self) -> list[tuple[str, str]]:
        """Service and address of every published port."""
        found = []
        for service in self.stack.services.values():
            for port in service.ports:
                host = port.host_ip if port.host_ip not in {"", "0.0.0.0", "127.0.0.1"} else "localhost"  # noqa: S104
                scheme = "http://" if port.http else ""
                found.append((service.name, f"{scheme}{host}:{port.published}" + ("/" if port.http else "")))
        return found


def _read_from(build: Build, dockerfile: str) -> Mapping[str, str]:
    """What an overlay says to have another Dockerfile read. Compose takes a name or a text, never both."""
    if build.inline is None:
        return {"dockerfile": dockerfile}
    return {"dockerfile_inline": Path(dockerfile).read_text().replace("$", "$$")}
