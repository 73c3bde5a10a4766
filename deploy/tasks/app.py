"""What every task starts from: the project's folder, its settings, a console."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from invoke.context import Context

from deploy.engine.compose import ComposeProject, user_environment
from deploy.engine.dev import DevStack, require_engine
from deploy.engine.discover import compose_files, env_example, find_env_file
from deploy.engine.files import create_env_file
from deploy.engine.held import Held, hold
from deploy.engine.sandbox import Sandbox, is_sandbox
from deploy.model.command import Command
from deploy.model.errors import UsageError, nearest
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.scheduled import HERE
from deploy.model.settings import LOCAL, Engine, Environment, Settings, parse_settings
from deploy.shell import LocalShell, OnLine
from deploy.ui import Console

if TYPE_CHECKING:
    from deploy.model.release import ReleaseRecord
    from deploy.release.prepare import Prepared
    from deploy.release.site import Site
    from deploy.remote.target import Target

DEFAULTS: Mapping[str, Any] = {"project": None, "stack": None, "backups": None, "environments": {}}
"""Known to Invoke from the start, so that INVOKE_DEPLOY_PROJECT and its like work."""


class App:
    """One run of one task in one project."""

    def __init__(self, context: Context) -> None:
        self.config = context.config
        self.root = Path(context.config.windlass_root)
        self.console = Console()
        self._held: dict[str, Held] = {}
        self._rotating = False

    @cached_property
    def settings(self) -> Settings:
        raw = self.config.deploy
        document = {key: _plain(raw[key]) for key in raw if raw[key] not in (None, {})}
        return parse_settings(document, folder=self.root.name, source=self._source()).at(self.root)

    def _source(self) -> str:
        """Where a mistake would be: the project's own file was looked at when its tasks were made.

        Raises UsageError for a file of `-f` that is not there, which Invoke leaves out in silence.
        """
        path, found = self.config._runtime_path, self.config._runtime_found  # noqa: SLF001  # nothing else tells
        if path and not found:
            raise UsageError(f"-f {path}: there is no such file", "correct the path, or leave -f out")
        return str(path) if path else "the settings (invoke.yaml, ~/.invoke.yaml or INVOKE_DEPLOY_…)"

    @property
    def backups(self) -> Path:
        return self.root / self.settings.backups

    def shell(self, **env: str) -> LocalShell:
        """This machine, in the project's folder."""
        shell = LocalShell(self.root, user_environment() | env)
        shell.echo = self._echo
        return shell

    @property
    def _echo(self) -> OnLine | None:
        """Invoke's own --echo."""
        return self.console.note if self.config.run.echo else None

    def compose(self, environment: Environment, **env: str) -> ComposeProject:
        """An environment's compose files on this machine; `env` is what they may refer to beyond the env file."""
        files = compose_files(self.root, environment)
        path = self.env_file(environment)
        held = self.held(environment)
        own = {name: value for name, value in held.values.items() if name not in os.environ}
        return ComposeProject(self.shell(**own, **env), environment.project, files, path, held)

    def held(self, environment: Environment, **more: str) -> Held:
        """What an environment has beside its env file, asked for once; with `more` from now on, which counts more."""
        if environment.name not in self._held:
            self._held[environment.name] = hold(environment, self.env_file(environment), self.shell())
        held = self._held[environment.name]
        self._held[environment.name] = dataclasses.replace(held, values={**held.values, **more})
        self._rotating = self._rotating or bool(more)
        return self._held[environment.name]

    def env_file(self, environment: Environment) -> Path:
        """Where an environment's variables are, or are to be."""
        return self.root / find_env_file(self.root, environment, compose_files(self.root, environment)).path

    def dev(self, *, yes: bool = False) -> DevStack:
        """The development stack, its engine running and its env file in place."""
        stack = DevStack(self.compose(self.settings.environment(LOCAL)), self.console, self.root)
        require_engine(stack.compose.shell, self.console, yes=yes)
        stack.require_env_file()
        return stack

    def hosts(self, environment: Environment, given: list[str]) -> tuple[str, ...]:
        """The hosts to work on: those of `--host`, else the environment's. Raises UsageError when there are none."""
        if given and not all(host.strip() for host in given):
            raise UsageError("--host is empty", "name a host, or leave --host out to take those of invoke.yaml")
        named = [host.strip() for words in given for host in words.split(",") if host.strip()]
        if given and not named:
            raise UsageError(f"--host {','.join(given)}: there is no host in it", "name one: --host user@server")
        hosts = tuple(dict.fromkeys(named or environment.hosts))
        if not hosts:
            raise UsageError(
                f"no host to work on for '{environment.name}'",
                "add --host user@server (or --host sandbox), or hosts: under "
                f"deploy.environments.{environment.name} in invoke.yaml",
            )
        return hosts

    def require_engine(self, *, yes: bool) -> None:
        """See that this machine has a running engine; set it up when the user agrees."""
        require_engine(self.shell(), self.console, yes=yes)

    def sandbox(self, spec: str) -> Sandbox:
        return Sandbox(self.shell(), self.console, self.root, self.settings.project, spec)

    @contextlib.contextmanager
    def site(
        self, environment: Environment, spec: str, *, make_sandbox: bool = False, sudo: bool | None = None
    ) -> Iterator[Site]:
        """An environment's project on a host, connected; on this very machine for HERE.

        `make_sandbox` makes a sandbox that is not there yet; `sudo` says against the environment who works there.
        """
        from deploy.release.site import Site

        layout = HostLayout(environment.project, environment.path)
        if spec == HERE:
            machine = LocalShell()
            machine.name = socket.gethostname()
            yield Site(machine, layout, machine.name)
            return
        from deploy.remote.connection import Host

        if make_sandbox and is_sandbox(spec):
            self.sandbox(spec).up()
        target = self.target(spec)
        host = Host(target, self.config, sudo=environment.sudo if sudo is None else sudo)
        host.echo = self._echo
        domain = next((name for names in environment.domains.values() for name in names), "")
        try:
            host.connect()
            if host.accepted_key:
                self.console.warn(f"{spec}: new host key {host.accepted_key}, written to {target.known_hosts[0]}")
            yield Site(host, layout, domain or target.address, target.address, direct=target.proxy is None)
        finally:
            host.close()

    def target(self, spec: str) -> Target:
        """A host as it is reached. Raises UsageError for what names none."""
        from deploy.remote.target import bare, resolve

        config_file = self._ssh_config()
        if is_sandbox(bare(spec)):
            config_file = self.sandbox(bare(spec)).require()
        return resolve(spec, config_file)

    def _ssh_config(self) -> Path | None:
        """Another file than ~/.ssh/config: Fabric's own setting, under its own name."""
        own = self.config.get("ssh_config_path")
        if not own:
            return None
        if not isinstance(own, str) or not (self.root / own).is_file():
            raise UsageError(f"invoke.yaml: ssh_config_path: {own}: there is no such file", "correct it there")
        return self.root / own

    @contextlib.contextmanager
    def one_site(self, name: str, given: list[str]) -> Iterator[Site]:
        """The only host that is named, or the first manager of a cluster. Raises UsageError when there are several."""
        environment = self.settings.environment(name)
        hosts = self.hosts(environment, given)
        if len(hosts) > 1 and (given or environment.engine != Engine.SWARM):
            raise UsageError(f"this works on one host at a time, not on {', '.join(hosts)}", f"add --host {hosts[0]}")
        with self.site(environment, hosts[0]) as site:
            yield site

    def prepare(self, environment: Environment, site: Site, now: datetime, *, rebuild: bool = False) -> Prepared:
        """The release that this checkout makes for a host, whose databases were set up as they were."""
        from deploy.release.initial import as_set_up

        return as_set_up(self.release(environment, site, now, rebuild=rebuild), site, rotating=self._rotating)

    def release(self, environment: Environment, site: Site, now: datetime, *, rebuild: bool = False) -> Prepared:
        """The same for any host that is reached at this one's address: the same moment gives the same release."""
        from deploy.release.prepare import prepare

        compose = self.compose(environment, DEPLOY_ADDRESS=site.address)
        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(lambda: site.first_look.architecture)
            return prepare(compose, environment, self.root, now, architecture=looking.result, rebuild=rebuild)

    def require_env_file(self, environment: Environment, sites: Iterable[Site], *, yes: bool) -> None:
        """Make the env file before the first deploy; never where a release already has secrets of its own."""
        path = self.env_file(environment)
        example = env_example(self.root, compose_files(self.root, environment), environment.name)
        if self.dry or path.is_file() or example is None:
            return
        for site in sites:
            if live := site.first_look.live:
                raise UsageError(
                    f"{path.name} is missing, and {site.shell.name} already runs {live.id} with secrets of its own",
                    f"inv env.pull --env {environment.name} --host {site.shell.name} brings it back, or who deployed "
                    f"that ({live.created_by}): new secrets would not fit its data",
                )
        self.console.confirm(
            f"There is no {path.name}. Make it from {example.relative_to(self.root)} with generated secrets?",
            yes=yes,
            consequence=f"{path.name} is missing",
        )
        names = create_env_file(path, example)
        generated = f" with generated values for {', '.join(names)}" if names else ""
        self.console.say(f"Made {path.name}{generated}: keep it safe, and out of git.")
        if made_up := self.compose(environment).made_up():
            self.console.warn(
                f"{path.name}: put in values of your own for {', '.join(made_up)}, which are the example's"
            )

    def live(self, site: Site, service: str) -> tuple[ReleaseRecord, Command]:
        """The live release, and `docker compose` for the project its service runs in. Raises UsageError without one."""
        record = site.facts().live
        if record is None:
            raise UsageError(f"{site.shell.name}: no release is live there", "deploy one first")
        if service and service not in record.services:
            raise UsageError(
                f"{site.shell.name}: there is no service '{service}'", nearest(service, [*record.services])
            )
        data = service and record.services[service].kind == Kind.DATA
        return record, site.compose_data if data else site.compose(record.id)

    def hand_over(self, site: Site, command: Command, *, tty: bool) -> NoReturn:
        """Give this terminal to a command on the host, through `ssh`, and end as it ends."""
        from deploy.remote.connection import Host

        if not isinstance(site.shell, Host):
            raise TypeError("only a host can be handed the terminal")
        words = site.shell.interactive(command, tty=tty and sys.stdin.isatty())
        site.shell.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvp(words[0], words)

    @property
    def dry(self) -> bool:
        """Invoke's own --dry."""
        return bool(self.config.run.dry)


def _plain(value: Any) -> Any:
    """Invoke's config proxies as plain dictionaries and lists."""
    if hasattr(value, "keys"):
        return {key: _plain(value[key]) for key in value.keys()}  # noqa: SIM118  # the proxy iterates attributes
    return [_plain(item) for item in value] if isinstance(value, list) else value
