"""Sandboxes: throw-away production hosts on this machine, privileged containers with sshd and their own engine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.bases import BaseImages, recipe_folder
from deploy.engine.files import write_whole
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings.reading import NAME
from deploy.shell import LocalShell
from deploy.ui import Console

WORD = "sandbox"
IMAGE = "windlass/sandbox"
NETWORK = "windlass-sandbox"
BOOT_TIMEOUT_S = 60


def is_sandbox(spec: str) -> bool:
    """Whether `--host` names a sandbox: `sandbox`, or `sandbox-NAME` for further ones."""
    return spec == WORD or spec.startswith(f"{WORD}-")


@dataclass(frozen=True)
class Sandbox:
    """One sandbox of a project."""

    shell: LocalShell
    console: Console
    root: Path
    project: str
    name: str
    """`sandbox` or `sandbox-NAME`."""

    @property
    def container(self) -> str:
        return f"{self.project}-{self.name}"

    @property
    def folder(self) -> Path:
        """Where its key and SSH configuration are kept, out of git's sight."""
        return self.root / ".windlass" / self.name

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def exists(self) -> bool:
        return self.shell.run(Command("docker", "container", "inspect", self.container), check=False).ok

    def up(self) -> str:
        """Make the sandbox, or start one that was stopped; its address."""
        if platform.system() != "Linux":
            raise DeployError(
                "a sandbox needs a Linux machine, where containers have addresses of their own", "use a virtual machine"
            )
        with self.console.step(f"Start {self.name}") as step:
            if self.exists:
                self.shell.run(Command("docker", "start", self.container))
            else:
                step.show("building its image")
                self._build()
                self._create()
            step.show("waiting for its engine")
            self._wait()
            address = self._address()
            self._write_ssh_config(address)
            step.result = address
        return address

    def down(self) -> None:
        """Remove the sandbox with everything in it."""
        self.shell.run(Command("docker", "rm", "--force", "--volumes", self.container))
        for file in self.folder.glob("*"):
            file.unlink()

    def require(self) -> Path:
        """The SSH configuration that leads to it. Raises UsageError when there is no sandbox."""
        name = self.name.removeprefix(WORD).removeprefix("-")
        if not NAME.fullmatch(name or WORD):
            raise UsageError(f"{self.name} cannot name a sandbox", "use lower-case letters, digits, '-' and '_'")
        if self.ssh_config.is_file() and self.exists:
            return self.ssh_config
        raise UsageError(f"there is no {self.name}", f"make one: inv sandbox.up{f' --name {name}' if name else ''}")

    def _build(self) -> None:
        BaseImages(self.shell, self.console, self.root).ensure(["debian:trixie-slim"])
        folder = recipe_folder().parent / "sandbox"
        self.shell.run(Command("docker", "build", "--quiet", "--tag", IMAGE, str(folder)))

    def _create(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self.root / ".windlass" / ".gitignore", "*\n", mode=0o644)
        key = self.folder / "key"
        if not key.is_file():
            self.shell.run(Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.container, "-f", str(key)))
        network = Command("docker", "network")
        made = self.shell.run(network.then("create", NETWORK), check=False)
        if not made.ok:
            self.shell.run(network.then("inspect", NETWORK))  # another sandbox may have made it a moment ago
        run = Command("docker", "run", "--detach", "--name", self.container, "--hostname", self.name, "--privileged")
        run = run.option("--network", NETWORK).option(
            "--env", f"AUTHORIZED_KEY={key.with_suffix('.pub').read_text().strip()}"
        )
        self.shell.run(run.then("--volume", "/var/lib/docker", IMAGE))

    def _wait(self) -> None:
        ready = "until docker info >/dev/null 2>&1 && [ -f /etc/ssh/ssh_host_ed25519_key.pub ]; do sleep 0.1; done"
        self.shell.run(Command("docker", "exec", self.container, "sh", "-c", ready), timeout_s=BOOT_TIMEOUT_S)

    def _address(self) -> str:
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self.shell.run(
            Command("docker", "container", "inspect", "--format", template, self.container)
        ).stdout.strip()

    def _write_ssh_config(self, address: str) -> None:
        """Its host key is read through the engine, so that nobody in between can show another."""
        public = self.shell.run(
            Command("docker", "exec", self.container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
        ).stdout
        known_hosts = self.folder / "known_hosts"
        write_whole(known_hosts, f"{self.container} {' '.join(public.split()[:2])}\n")
        lines = (
            f"Host {self.name}",
            f"    HostName {address}",
            "    User deploy",
            f'    IdentityFile "{_literal(self.folder / "key")}"',
            "    IdentitiesOnly yes",
            f'    UserKnownHostsFile "{_literal(known_hosts)}"',
            f"    HostKeyAlias {self.container}",
            "    StrictHostKeyChecking yes",
        )
        write_whole(self.ssh_config, "\n".join(lines) + "\n")


def _literal(path: Path) -> str:
    """A path as ssh_config has it between quotation marks: a percent sign begins a token there."""
    return str(path).replace("%", "%%")
