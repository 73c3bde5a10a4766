"""What `host.setup` does to a host beyond the engine, only when asked: a user to deploy as, updates, a firewall."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.engine.discover import env_example
from deploy.engine.firewall import TRIED_FOR_S, keep_rules, look, require_possible, try_rules
from deploy.engine.install import engine_answers, make_user, turn_on_updates
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.firewall import Found, Opening, parse_opening, rules_of, shut_by
from deploy.model.keys import PublicKey, parse_public_key
from deploy.model.kinds import Kind
from deploy.model.settings import Environment
from deploy.tasks.app import App

if TYPE_CHECKING:
    from deploy.release.site import Site
    from deploy.remote.connection import Host

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
WEB = (Opening(80), Opening(443))


@dataclass(frozen=True)
class Hardening:
    """What was asked for."""

    user: str
    key_files: tuple[Path, ...]
    keys: tuple[PublicKey, ...]
    sudo: bool
    updates: bool
    firewall: bool
    allow: tuple[Opening, ...]

    @classmethod
    def of(
        cls,
        *,
        user: str,
        keys: Sequence[str],
        sudo: bool,
        updates: bool,
        firewall: bool,
        allow: Sequence[str],
        has_host: bool,
    ) -> Hardening:
        """Raises UsageError for options that cannot be, or do not go together."""
        for option, given in {"--user": user, "--sudo": sudo, "--updates": updates, "--firewall": firewall}.items():
            if given and not has_host:
                raise UsageError(f"{option} is for a host, and none is named", "add --host root@server")
        if keys and not user:
            raise UsageError("--key says who may log in as a user, and none is named", "add --user deploy")
        if allow and not firewall:
            raise UsageError("--allow opens a port of the firewall, which was not asked for", "add --firewall")
        if user and (not _USER.fullmatch(user) or user == "root"):
            raise UsageError(
                f"--user {user}: that cannot be the name of a user to deploy as",
                "lower-case letters, digits, '-' and '_', beginning with a letter, for example deploy",
            )
        files = tuple(Path(name).expanduser() for name in keys)
        return cls(
            user=user,
            key_files=files,
            keys=tuple(map(_read_key, files)),
            sudo=sudo,
            updates=updates,
            firewall=firewall,
            allow=tuple(parse_opening(text, "--allow") for text in allow),
        )

    def on(self, app: App, environment: Environment, site: Site) -> Work:
        """The same for one host; an environment that works through sudo needs nobody in the group docker."""
        wanted = dataclasses.replace(self, sudo=self.sudo or environment.sudo)
        return Work(wanted, app, environment, site)


def _read_key(path: Path) -> PublicKey:
    try:
        return parse_public_key(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"--key {path} cannot be read: {reason}", "for example ~/.ssh/id_ed25519.pub") from error


class Work:
    """What is to be done on one host: shown, agreed to, done, and seen to work."""

    def __init__(self, wanted: Hardening, app: App, environment: Environment, site: Site) -> None:
        self._wanted = wanted
        self._app = app
        self._environment = environment
        self._site = site

    @property
    def deploys_as(self) -> str:
        """How the host is named from then on."""
        return self._as_user().target.spec if self._wanted.user else self._site.shell.name

    def agree(self, *, yes: bool) -> None:
        """Say what is going to be done, and ask. Raises DeployError when it cannot be, or nobody agrees."""
        lines = [*self._lines()]
        if not lines:
            return
        self._app.console.say(f"On {self._site.shell.name}, besides the engine:")
        for line in lines:
            self._app.console.say(f"  - {line}")
        self._app.console.confirm("Do this?", yes=yes, consequence="this changes who gets into the host")

    def carry_out(self) -> None:
        wanted, console, shell = self._wanted, self._app.console, self._site.shell
        if wanted.user:
            with console.step(f"Make the user {wanted.user}"):
                make_user(
                    shell,
                    wanted.user,
                    self._keys,
                    folder=str(self._environment.path),
                    in_group=not wanted.sudo,
                    on_line=console.note,
                )
            with console.step(f"Connect as {wanted.user}") as step:
                step.result = self._connect()
        if wanted.updates:
            with console.step("Turn on updates"):
                turn_on_updates(shell, console.note)
        if wanted.firewall:
            with console.step("Put the firewall in force") as step:
                step.result = self._guard()

    def say_how(self) -> None:
        """What to write into invoke.yaml for it."""
        if self._wanted.user or (self._wanted.sudo and not self._environment.sudo):
            more = ", sudo: true" if self._wanted.sudo else ""
            self._app.console.say(
                f"In invoke.yaml: environments: {{{self._environment.name}: {{hosts: [{self.deploys_as}]{more}}}}}"
            )

    def _lines(self) -> Iterator[str]:
        wanted, path = self._wanted, self._environment.path
        if wanted.user:
            way = "may use sudo without a password" if wanted.sudo else "is in the group docker"
            yield f"the user {wanted.user} is made, and {way}: that account is as good as root there"
            for key in self._keys:
                yield f"{key} may log in as {wanted.user}"
            yield f"{path} is given to {wanted.user}, for nobody else to look into"
        if wanted.updates:
            yield "updates of packages are installed every day by themselves (unattended-upgrades)"
        if wanted.firewall:
            require_possible(self._site.shell, self._found)
            let_in = ", ".join(str(one) for one in sorted(self._openings))
            ssh = ", ".join(map(str, sorted(self._ssh)))
            yield f"from outside, only {let_in} and SSH ({ssh}) are let in; what Docker publishes is guarded too"
            if shut := shut_by(self._found, {*self._openings, *map(Opening, self._ssh)}):
                yield f"these will be shut, and are listened on now: {', '.join(shut)}"

    @cached_property
    def _keys(self) -> tuple[PublicKey, ...]:
        if self._wanted.keys:
            return self._wanted.keys
        used = self._host.key_used
        if used is None:
            raise UsageError(
                f"{self._site.shell.name} let us in without a key, so there is none to take over",
                "name one: --key ~/.ssh/id_ed25519.pub",
            )
        return (dataclasses.replace(used, comment=f"{self._wanted.user}, from {self._host.target.user}"),)

    @cached_property
    def _found(self) -> Found:
        return look(self._site.shell)

    @cached_property
    def _ssh(self) -> frozenset[int]:
        """Where sshd listens, and where we came in: that need not be one of these behind a forwarded port."""
        own = self._site.shell.run(Command("sh", "-c", 'printf %s "${SSH_CONNECTION##* }"')).stdout
        return self._found.ssh | ({int(own)} if own.isdigit() else set())

    @cached_property
    def _own_openings(self) -> frozenset[Opening]:
        """What users need of this project, and what was asked for besides."""
        environment = self._environment
        found = set(self._wanted.allow)
        try:
            compose = self._app.compose(environment, DEPLOY_ADDRESS=self._site.address)
            if compose.env_file and not compose.env_file.is_file():  # before a first deploy its example will do
                example = env_example(self._app.root, compose.files, environment.name)
                compose = dataclasses.replace(compose, env_file=example)
            stack, _ = compose.stack()
        except DeployError as error:
            if not found:
                raise UsageError(
                    f"what to let in cannot be read from the stack: {error.message}",
                    "name it: --allow 80 --allow 443",
                ) from error
            return frozenset(found)
        for service in stack.services.values():
            ports = service.edge_ports if service.kind == Kind.DATA else service.ports
            found |= {Opening(port.published, port.protocol) for port in ports if not port.local}
        return frozenset(found | {*WEB} if environment.domains and environment.acme else found)

    @cached_property
    def _openings(self) -> frozenset[Opening]:
        """The same for every project on the host."""
        others = {name: own for name, own in self._found.projects.items() if name != self._environment.project}
        return self._own_openings.union(*others.values())

    @property
    def _host(self) -> Host:
        from deploy.remote.connection import Host

        if not isinstance(self._site.shell, Host):
            raise TypeError("only a host is set up so")
        return self._site.shell

    def _as_user(self) -> Host:
        from deploy.remote.connection import Host

        private = [file.with_suffix("") for file in self._wanted.key_files if file.suffix == ".pub"]
        target = self._host.target.as_user(self._wanted.user, [file for file in private if file.is_file()])
        return Host(target, self._app.config, sudo=self._wanted.sudo)

    def _connect(self) -> str:
        """Be that user, and use the engine. Raises DeployError with what does not work."""
        host = self._as_user()
        try:
            host.connect()
            if not engine_answers(host):
                raise DeployError(
                    f"{host.name}: the user was made, and no engine answers to it",
                    f"look there: {host.target.ssh.then(host.target.destination, 'docker info')}",
                )
            mine = host.run(Command("test", "-w", str(self._environment.path)), check=False).ok
            if not mine:
                raise DeployError(f"{host.name}: the user was made, and cannot write to {self._environment.path}")
        finally:
            host.close()
        return "logs in, writes, and the engine answers"

    def _guard(self) -> str:
        """Put the rules in force, and keep them once we got in anew. Raises DeployError when that is not so."""
        from deploy.remote.connection import Host

        found, console = self._found, self._app.console
        rules = rules_of(self._ssh, self._openings)
        if (
            found.loaded
            and found.rules == rules
            and found.projects.get(self._environment.project) == self._own_openings
        ):
            return "found as it should be"
        trial = try_rules(self._site.shell, rules, console.note)
        again = Host(self._host.target, self._app.config)
        try:
            again.connect()
            keep_rules(again, trial, found, self._environment.project, self._own_openings, console.note)
        except DeployError as error:
            raise DeployError(
                f"{self._site.shell.name}: no new connection came through the firewall; it is taken back after "
                f"{TRIED_FOR_S} s, and nothing of it is kept",
                "see that SSH does not come in by another way than the host knows of, then try again",
                details=str(error),
            ) from error
        finally:
            again.close()
        return "a new connection came through"
