"""Making a machine able to run compose projects, this one or a host."""

from __future__ import annotations

import os

from deploy.model.command import Command, script
from deploy.model.errors import CommandError
from deploy.shell import OnLine, Shell
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
    root = shell.run(Command("id", "-u")).stdout.strip() == "0"
    command = packaged("engine", "setup.sh", user, folder)
    if not root:
        command = Command("sudo", "-n", *command)
    try:
        shell.run(command, on_line=on_line, timeout_s=SETUP_TIMEOUT_S)
    except CommandError as error:
        raise CommandError(
            f"{shell.name}: could not be set up",
            exit_code=error.exit_code,
            stderr=error.stderr,
            remedy="mend what the message above names, then run the command again: it goes on from where it stopped",
        ) from error


def local_user() -> str:
    """Who should be allowed to use the engine on this machine: the person, also under sudo."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or ""
