"""A project on a host: its layout, and the scripts that work on it."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.model.command import Command, script
from deploy.model.facts import Facts, parse_facts
from deploy.model.layout import HostLayout
from deploy.shell import Completed, OnLine, Shell
from deploy.shell.packaged import packaged

COMPOSE = Command("docker", "compose", "--ansi", "never")
# A step that changes things holds this lock for its own time, on the host: a client that was killed may have left one
# running, and the next deploy must wait for it rather than work beside it.
_GUARD = 'mkdir -p "$1" && exec 8>>"$1/busy" && { flock -w 300 8 || exit 76; } && shift && '


@dataclass(frozen=True)
class Site:
    """One project on one host."""

    shell: Shell
    layout: HostLayout
    address: str
    """The host as users reach it."""

    def facts(self) -> Facts:
        """What is there now; one round trip."""
        command = packaged("remote", "facts.sh", str(self.layout.root), self.layout.project)
        return parse_facts(self.shell.run(command).stdout, self.shell.name)

    def script(self, name: str, *arguments: str | int) -> Command:
        """One of the scripts of `release/scripts` that change something, guarded against a leftover of another run."""
        return self.guarded(self.bare(name, *arguments))

    def bare(self, name: str, *arguments: str | int) -> Command:
        """A script without the guard: one that only waits or reads."""
        return packaged("release", name, *arguments)

    def guarded(self, command: Command) -> Command:
        """A command that waits for any other guarded one on the host to end."""
        return script(f'{_GUARD}exec "$@"', command.title, str(self.layout.root), *command)

    def run(
        self,
        name: str,
        *arguments: str | int,
        stdin: bytes = b"",
        check: bool = True,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run one of our scripts to its end."""
        return self.shell.run(self.script(name, *arguments), stdin=stdin, check=check, on_line=on_line)

    def compose(self, release_id: str) -> Command:
        """`docker compose` for a release."""
        return COMPOSE.then("--file", f"{self.layout.release(release_id)}/compose.yaml")

    @property
    def compose_data(self) -> Command:
        """`docker compose` for the data services."""
        return COMPOSE.then("--file", f"{self.layout.data}/compose.yaml")
