"""The firewall of a host: looked at, tried, and kept once a new connection has come through it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.engine.install import run_as_root
from deploy.model.errors import DeployError
from deploy.model.firewall import Found, Opening, parse_found
from deploy.shell import OnLine, Shell
from deploy.shell.packaged import packaged

TRIED_FOR_S = 30
"""How long new rules are in force before they are taken back by themselves."""


@dataclass(frozen=True)
class Trial:
    """Rules that are in force and will be taken back."""

    folder: str
    """Where they are on the host."""


def look(shell: Shell) -> Found:
    """What a host has of firewalls. Raises CommandError when we may not ask as root."""
    return parse_found(
        run_as_root(shell, packaged("engine", "firewall-look.sh"), "its firewall could not be looked at").stdout
    )


def require_possible(shell: Shell, found: Found) -> None:
    """Raises DeployError for a host on which rules could not be loaded, or not again after a restart."""
    if found.trouble:
        raise DeployError(
            f"{shell.name}: no firewall can be made: nft is there, and the kernel does not obey it",
            "leave --firewall out, and use the firewall of whoever provides the host",
            details=found.trouble,
        )
    if not found.starter:
        raise DeployError(
            f"{shell.name}: nothing would load a firewall after a restart: there is neither systemd nor cron",
            "apt-get install cron there, or leave --firewall out",
        )


def try_rules(shell: Shell, rules: str, on_line: OnLine) -> Trial:
    """Put rules in force; they are taken back after TRIED_FOR_S, whatever becomes of us. Raises CommandError."""

    def hear(line: str) -> None:
        if not line.startswith("/run/"):
            on_line(line)

    command, failure = packaged("engine", "firewall-try.sh", TRIED_FOR_S), "the firewall could not be put in force"
    done = run_as_root(shell, command, failure, stdin=f"{rules}\n".encode(), on_line=hear)
    return Trial(done.stdout.splitlines()[-1])


def keep_rules(
    shell: Shell, trial: Trial, found: Found, project: str, openings: Iterable[Opening], on_line: OnLine
) -> None:
    """Keep them, over a connection that was made under them. Raises CommandError when they were taken back already."""
    words = (trial.folder, found.starter, project, *(str(one) for one in sorted(openings)))
    run_as_root(shell, packaged("engine", "firewall-keep.sh", *words), "the firewall was not kept", on_line=on_line)
