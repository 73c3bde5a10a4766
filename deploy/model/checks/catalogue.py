"""What hosts are held against, for the page of checks and for allowing a warning with a reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from deploy.model.checks.problem import Problem

HOST_RULES = {
    "host-architecture": "The host is another kind of machine than images are built for.",
    "host-builder": "The builder cannot run programs for the host's kind of machine.",
    "host-by-hand": "Containers that somebody started there have written what the release would not find.",
    "host-clock": "Its clock is off: certificates, sessions and backups go by it.",
    "host-cluster": "The project runs on a cluster, and this host is not the node of it that could take it back.",
    "host-disk": "There is too little disk for what is to be sent.",
    "host-dns": "A public name does not lead to the host.",
    "host-engine": "Docker or compose is missing, too old, or not for this user.",
    "host-firewall": "A firewall keeps users out, or lets everybody in to a database.",
    "host-folder": "The user can neither write to the project's folder nor use sudo.",
    "host-locked": "Somebody asked that nothing be changed.",
    "host-major": "A database would not start on its data, which is another major version's.",
    "host-memory": "There is not enough memory for two releases side by side.",
    "host-missing": "A folder, file, volume or network that the stack takes to be there is not.",
    "host-name": "A container's name would be longer than a name in the DNS may be.",
    "host-plan": "What invoke.yaml asks of the host cannot be.",
    "host-port": "Somebody else holds a port that the stack publishes.",
    "host-proof": "There is no backup that was proved lately, and the environment wants one.",
    "host-reached": "A host cannot be connected to.",
    "host-release": "A release there cannot be read.",
    "host-schedule": "The schedule on the host is not the one of invoke.yaml.",
    "host-swap": "There is little memory and no swap.",
    "host-updates": "Packages were not updated for a month, or a reboot is due.",
    "start-period": "Health checks leave a release hardly the time that it took to become healthy.",
}


def with_reasons(problems: Iterable[Problem], allowed: Mapping[str, str]) -> Iterator[Problem]:
    """Warnings that an environment allows, with why. What stops a deploy on a host cannot be allowed."""
    for one in problems:
        reason = "" if one.fatal else allowed.get(one.rule, "")
        yield dataclasses.replace(one, allowed=reason) if reason else one
