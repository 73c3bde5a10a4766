"""Commands for HAProxy's runtime API."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.model.edge.frontends import FIRST_PORT
from deploy.model.edge.maintenance import Maintenance, encoded
from deploy.model.edge.paths import ON_ONE_HOST
from deploy.model.edge.state import SERVERS, EdgeState, Listener, Target
from deploy.model.layout import HostLayout


def fill_commands(slot: str, target: Target, layout: HostLayout) -> tuple[str, ...]:
    """Runtime commands that name a slot's servers. Each stays in maintenance until it has its address."""
    return tuple(
        command
        for name, servers in target.servers.items()
        for number in range(1, SERVERS + 1)
        for command in _name_server(
            f"{slot}_{name}/s{number}",
            servers[number - 1].rpartition(":")[0] if number <= len(servers) else layout.edge_container,
        )
    )


def servers_of(slot: str, target: Target) -> tuple[str, ...]:
    """`backend/server=container:port` for everything that must answer before a slot goes live."""
    return tuple(
        f"{slot}_{name}/s{number}={server}"
        for name, servers in target.servers.items()
        for number, server in enumerate(servers, 1)
    )


def probes_of(state: EdgeState) -> tuple[str, ...]:
    """`port=path` for every HTTP port, as it is asked for inside the edge's own container."""
    return tuple(
        f"{FIRST_PORT + number}={listener.health_path}"
        for number, listener in enumerate(state.listeners)
        if listener.port.http
    )


def empty_commands(slot: str, listeners: Iterable[Listener], layout: HostLayout) -> tuple[str, ...]:
    """Runtime commands that take whatever is in a slot out of service."""
    return tuple(
        command
        for listener in listeners
        for number in range(1, SERVERS + 1)
        for command in _name_server(f"{slot}_{listener.name}/s{number}", layout.edge_container)
    )


def maintenance_commands(maintenance: Maintenance | None) -> tuple[str, ...]:
    """Runtime commands that show the maintenance page with its message, or take it away."""
    change = f"set map {ON_ONE_HOST.maintenance_map}"
    if maintenance is None:
        return (f"{change} mode off",)
    return f"{change} message {encoded(maintenance.message)}", f"{change} mode on"


def _name_server(server: str, name: str) -> tuple[str, ...]:
    """Its health is set to the lowest, which makes the next check come soon when it is put into service."""
    return (
        f"set server {server} state maint",
        f"set server {server} health down",
        f"set server {server} fqdn {name}",
    )
