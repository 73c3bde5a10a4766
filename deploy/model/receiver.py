"""What point in time adds to a stack: beside each database that asks for it a service that receives its WAL.

It shares the folder of the server's socket: so it needs no password, no published port and no change of the server's
rules. It does not join the server's network, as a container that does is not started again where its first try comes
while the other is down (seen on Docker 26.1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.command import Command
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.options import ServiceOptions
from deploy.model.stack import Service, Stack

SOCKETS = "/var/run/postgresql"
"""Where the official image and those built on it have the server's socket."""
ARCHIVE = "/wal"
_USER = ("POSTGRES_USER", "POSTGRES_USER_FILE")


def receiver_of(service: str) -> str:
    """The name of the service that receives a database's WAL."""
    return f"{service}-wal"


def receiving(stack: Stack) -> tuple[Service, ...]:
    """Databases whose WAL is kept."""
    return tuple(service for service in stack.services.values() if service.options.point_in_time)


def with_receivers(stack: Stack, layout: HostLayout, program: Command) -> Stack:
    """The stack with a receiver for each database that asks for one. `program` is what it runs."""
    services = dict(stack.services)
    volumes: dict[str, Any] = {}
    for database in receiving(stack):
        mount = _sockets(database)
        if mount is None:
            key = f"{database.name}-socket"
            volumes[key] = {"name": f"{layout.project}_{key}"}
            mount = {"type": "volume", "source": key, "target": SOCKETS, "volume": {}}
            definition = {**database.definition, "volumes": [*(database.definition.get("volumes") or ()), mount]}
            services[database.name] = dataclasses.replace(database, definition=definition)
        receiver = _receiver(database, mount, layout, program)
        services[receiver.name] = receiver
    if len(services) == len(stack.services):
        return stack
    document = {**stack.document, "volumes": {**(stack.document.get("volumes") or {}), **volumes}}
    return Stack(services, document)


def _sockets(database: Service) -> dict[str, Any] | None:
    """What the compose file has mounted there already, as some do for the application's sake."""
    places = {SOCKETS, SOCKETS.removeprefix("/var")}
    found = (dict(one) for one in database.definition.get("volumes") or () if one.get("target") in places)
    return next(found, None)


def _receiver(database: Service, sockets: Mapping[str, Any], layout: HostLayout, program: Command) -> Service:
    archive = {"type": "bind", "source": str(layout.wal(database.name)), "target": ARCHIVE}
    definition: dict[str, Any] = {
        "entrypoint": [word.replace("$", "$$") for word in program],
        "environment": {key: value for key, value in database.environment.items() if key in _USER},
        "network_mode": "none",
        "restart": "unless-stopped",
        "user": "0:0",
        "volumes": [dict(sockets), archive],
    }
    definition |= {key: database.definition[key] for key in ("platform", "logging") if key in database.definition}
    if "POSTGRES_USER_FILE" in database.environment:
        definition |= dict(_behind_files(database))
    return Service(
        name=receiver_of(database.name),
        kind=Kind.DATA,
        kind_reason=f"receives the WAL of {database.name}",
        options=ServiceOptions(backup=False),
        image=database.runs,
        build=None,
        ports=(),
        definition=definition,
        store=True,
        receives=database.name,
    )


def _behind_files(database: Service) -> Iterator[tuple[str, Any]]:
    """Sections that may hold the file with the user's name."""
    for section in ("secrets", "configs"):
        if database.definition.get(section):
            yield section, database.definition[section]
