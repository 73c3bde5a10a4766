"""Making a machine able to run compose projects, this one or a host."""

from __future__ import annotations

import os
from collections.abc import Iterable

from deploy.model.command import Command, script
from deploy.model.errors import CommandError
from deploy.model.keys import PublicKey
from deploy.shell import Completed, OnLine, Shell
from deploy.shell.packaged import packaged

SETUP_TIMEOUT_S = 900


def engine_answers(shell: Shell) -> bool:
    """Whether an engine and compose can be used on a machine, by the user we are there."""
    return shell.run(
        script("docker info --format '{{.ServerVersion}}' && docker compose version --short", "engine"), check=False
    ).ok


def set_up(shell: Shell, *, user: str, folder: str = "", on_line: OnLine) -> None:
    """Install and start what is missing; `on_line` hears each thing done. Raises CommandError with what went wrong.

    Runs as root: directly when we are root on the machine, through `sudo -n` otherwise.
    """
    run_as_root(shell, packaged("engine", "setup.sh", user, folder), "could not be set up", on_line=on_line)


def make_user(
    shell: Shell, user: str, keys: Iterable[PublicKey], *, folder: str, in_group: bool, on_line: OnLine
) -> None:
    """Make a user that deploys, let keys in as that user, and give it a folder; `on_line` hears each thing done.

    It is put into the group docker, or else may use sudo without a password. Raises CommandError.
    """
    words = (user, folder, "docker" if in_group else "sudo")
    lines = "".join(f"{key.line}\n" for key in keys)
    what = f"the user {user} could not be made"
    run_as_root(shell, packaged("engine", "user.sh", *words), what, stdin=lines.encode(), on_line=on_line)


def turn_on_updates(shell: Shell, on_line: OnLine) -> None:
    """Let a machine install updates of its packages by itself. Raises CommandError where it cannot."""
    run_as_root(shell, packaged("engine", "updates.sh"), "updates could not be turned on", on_line=on_line)


def run_as_root(
    shell: Shell, command: Command, failure: str, *, stdin: bytes = b"", on_line: OnLine | None = None
) -> Completed:
    """Run a command as root: directly when we are, through `sudo -n` otherwise.

    Raises CommandError that begins with `failure`, in words.
    """
    root = shell.run(Command("id", "-u")).stdout.strip() == "0"
    words = command if root else Command("sudo", "-n", *command)
    try:
        return shell.run(words, stdin=stdin, on_line=on_line, timeout_s=SETUP_TIMEOUT_S)
    except CommandError as error:
        raise CommandError(
            f"{shell.name}: {failure}",
            exit_code=error.exit_code,
            stderr=error.stderr,
            remedy="mend what the message above names, then run the command again: it goes on from where it stopped",
        ) from error


def local_user() -> str:
    """Who should be allowed to use the engine on this machine: the person, also under sudo."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or ""
