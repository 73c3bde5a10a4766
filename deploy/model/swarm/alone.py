"""What keeps a cluster from running two containers of a service with data on one node: a port that only one can have.

A node that could not be heard for a while gets a new container as soon as it is back, while the one before still runs
there and is only then told to stop: a cluster waits for no container of a node that it calls down (SwarmKit's
restart supervisor). Two servers then have one volume, and PostgreSQL's own lock does not notice, as both are process 1
of their containers. A port that is published on the node itself is given to one container at a time, by the cluster
when it chooses a node and by the engine besides; the new one waits until the other has ended. It is UDP, and leads
to a port of the container that nobody listens on: what is sent there is answered by nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

LOWEST, HIGHEST = 10_000, 31_999
"""Below those that Linux gives to whoever asks for any."""
_DISCARD = 9


def alone_port(full_name: str, held: Mapping[int, str]) -> int:
    """The port of a service, by its name in the whole cluster: the one that it has, or the first that nobody has.

    `held` is UDP ports of the cluster's nodes, each with the service that publishes it.
    """
    if own := [port for port, name in held.items() if name == full_name and LOWEST <= port <= HIGHEST]:
        return min(own)
    span = HIGHEST - LOWEST + 1
    first = int.from_bytes(hashlib.sha256(full_name.encode()).digest()[:8]) % span
    return next(port for step in range(span) if (port := LOWEST + (first + step) % span) not in held)


def alone_entry(port: int) -> dict[str, Any]:
    """The port as a service of a stack publishes it."""
    return {"target": _DISCARD, "published": port, "protocol": "udp", "mode": "host"}
