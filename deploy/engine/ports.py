"""Whether ports of this machine are free, and who holds those that are not."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.stack import Port, Service
from deploy.shell import LocalShell


def require_free(shell: LocalShell, services: Iterable[Service], project: str) -> None:
    """Raises DeployError naming every port that somebody else holds, with the holder; our own containers may."""
    taken = [
        f"port {port} (for {service.name}) is held by {holder}"
        for service in services
        for port in service.ports
        if port.protocol == "tcp" and not _bindable(port) and (holder := _holder(shell, port, project))
    ]
    if taken:
        raise DeployError("; ".join(taken), "stop the holder, or choose another port in .env")


def _bindable(port: Port) -> bool:
    family = socket.AF_INET6 if ":" in port.host_ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host_ip, port.published))
        except OSError:
            return False
    return True


def _holder(shell: LocalShell, port: Port, project: str) -> str:
    """Who listens, in words; empty when it is a container of this project."""
    template = '{{.Names}}\t{{.Label "com.docker.compose.project"}}'
    done = shell.run(
        Command("docker", "ps", "--filter", f"publish={port.published}", "--format", template), check=False
    )
    for line in done.stdout.splitlines():
        name, _, owner = line.partition("\t")
        return "" if owner == project else f"the container {name}"
    return _process(port) or "another process"


def _process(port: Port) -> str:
    import psutil

    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port.published:
            if connection.pid is None:
                return "a process of another user"
            return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return ""
