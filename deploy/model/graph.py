"""A stack as a graph: its services and what they depend on, what reaches them from outside, what they keep."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.model.kinds import Kind
from deploy.model.stack import Service, Stack

DEFAULT_NETWORK = "default"
TIMES = "\N{MULTIPLICATION SIGN}"
_ADDRESS_KEY = re.compile(r"HOST|SERVER|ADDR|ENDPOINT|UPSTREAM", re.IGNORECASE)
"""Variables whose value may be a bare host name; elsewhere a service's name is any word, such as a user's."""


@dataclass(frozen=True)
class Node:
    """One service."""

    name: str
    kind: Kind
    image: str
    """What it runs: an image, or that it is built."""
    networks: tuple[str, ...]
    ports: tuple[str, ...]
    """Published ones, as `80 → 8080`."""
    volumes: tuple[str, ...]
    """Named volumes it writes to or reads."""
    replicas: int


@dataclass(frozen=True, order=True)
class Edge:
    """One service needs another."""

    source: str
    target: str
    declared: bool
    """By depends_on or links; else its environment names the other."""


@dataclass(frozen=True)
class Graph:
    """A stack to be drawn."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    @property
    def networks(self) -> tuple[str, ...]:
        """In the order in which they are met."""
        return tuple(dict.fromkeys(network for node in self.nodes for network in node.networks))

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(volume for node in self.nodes for volume in node.volumes))


def graph_of(stack: Stack, title: str) -> Graph:
    """The graph of a stack. It holds names only, no value of a variable."""
    nodes = tuple(_node(service) for service in stack.services.values())
    return Graph(title, nodes, tuple(sorted(_edges(stack.services))))


def _node(service: Service) -> Node:
    return Node(
        name=service.name,
        kind=service.kind,
        image="built here" if service.build else service.image,
        networks=service.networks or ((DEFAULT_NETWORK,) if not service.definition.get("network_mode") else ()),
        ports=tuple(f"{port} → {port.target}" for port in service.ports),
        volumes=tuple(
            dict.fromkeys(
                str(mount["source"])
                for mount in service.definition.get("volumes") or ()
                if mount.get("type") == "volume" and mount.get("source")
            )
        ),
        replicas=service.replicas,
    )


def _edges(services: Mapping[str, Service]) -> Iterator[Edge]:
    for name, service in services.items():
        links = (str(link).split(":", 1)[0] for link in service.definition.get("links") or ())
        declared = {other for other in (*(service.definition.get("depends_on") or {}), *links) if other in services}
        yield from (Edge(name, other, declared=True) for other in declared)
        for other in services.keys() - declared - {name}:
            if any(_leads_to(other, key, str(value)) for key, value in service.environment.items() if value):
                yield Edge(name, other, declared=False)


def _leads_to(service: str, key: str, value: str) -> bool:
    """Whether a variable is an address of a service: `db:5432`, `redis://:secret@cache:6379/0`, or `db` as DB_HOST."""
    name = re.escape(service)
    address = rf"(?:^|[@,]|//){name}:\d+(?:$|[/,?])|(?:@|//){name}(?:$|[/,?])"
    return bool(re.search(address, value)) or (value == service and bool(_ADDRESS_KEY.search(key)))
