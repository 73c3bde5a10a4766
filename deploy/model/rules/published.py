"""The ports that services publish, as compose has them: from where each is reached, and where it is written."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from deploy.model.rules.subject import Subject, Tagged
from deploy.model.stack import Service

PublishedPort = Mapping[str, Any]
"""An entry of `ports` in a normalized model."""
_PRIVATE = tuple(
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7")
)


class Reach(StrEnum):
    """From where a published port is reached."""

    HERE = "here"
    PRIVATE = "private"
    ANYWHERE = "anywhere"


def reach_of(port: PublishedPort) -> Reach:
    """Of an entry of `ports`. Without an address it is every one of the host, by IPv6, too."""
    try:
        address = ipaddress.ip_address(str(port.get("host_ip") or "0.0.0.0").replace("localhost", "127.0.0.1"))  # noqa: S104
    except ValueError:
        return Reach.ANYWHERE
    if address.is_loopback:
        return Reach.HERE
    private = any(address.version == one.version and address in one for one in _PRIVATE)
    return Reach.PRIVATE if private else Reach.ANYWHERE


def ports_of(service: Service) -> Iterator[PublishedPort]:
    yield from service.definition.get("ports") or ()


def published(port: PublishedPort) -> str:
    """`5432`, `10.0.0.1:5432/udp`."""
    address = f"{port['host_ip']}:" if port.get("host_ip") else ""
    protocol = str(port.get("protocol") or "tcp")
    suffix = "" if protocol == "tcp" else f"/{protocol}"
    return f"{address}{port.get('published') or 'a port that the engine chooses'}{suffix}"


def number_of(port: PublishedPort) -> str:
    return str(port.get("published") or port["target"]).partition("-")[0]


def entry_word(subject: Subject, service: Service, port: PublishedPort) -> str:
    """The word by which the entry is found where it is written: its published port may come from a variable."""
    number, target = str(port.get("published") or ""), str(port["target"])
    return subject.written_as(service, "ports", f"{number}:{target}", f":{target}", number, target)


def without_ports(service: Service, open_ones: Sequence[PublishedPort]) -> Mapping[str, Any]:
    """The overlay that leaves only the others."""
    left = [_short(one) for one in ports_of(service) if one not in open_ones]
    ports = Tagged("!override", left) if left else Tagged("!reset", [])
    return {"services": {service.name: {"ports": ports}}}


def _short(port: PublishedPort) -> object:
    """`127.0.0.1:5432:5432`, as people write it, where that says all of it."""
    if {*port} - {"mode", "host_ip", "target", "published", "protocol"} or str(port.get("mode")) not in {
        "ingress",
        "None",
    }:
        return dict(port)
    address = str(port.get("host_ip") or "")
    words = (f"[{address}]" if ":" in address else address, str(port.get("published") or ""), str(port["target"]))
    protocol = str(port.get("protocol") or "tcp")
    return ":".join(word for word in words if word) + ("" if protocol == "tcp" else f"/{protocol}")
