"""What the edge listens on and where it sends requests: `edge/state.json`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.model.edge.tls import Tls
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.stack import Port

SLOTS = ("blue", "green")
NONE = "none"
SERVERS = 8
"""Servers per slot and port: how many replicas of a service can be reached."""


@dataclass(frozen=True, order=True)
class Listener:
    """A public port."""

    port: Port
    service: str
    health_path: str = "/"

    @property
    def name(self) -> str:
        address = self.port.host_ip.replace(".", "_").replace(":", "_")
        return f"{address}_{self.port.published}" if address else f"port_{self.port.published}"


@dataclass(frozen=True)
class Target:
    """A release in a slot: for each listener the containers that answer it, as `name:port`."""

    release: str
    servers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class EdgeState:
    """What the edge listens on and where it sends requests."""

    listeners: tuple[Listener, ...]
    slots: Mapping[str, Target | None]
    live: str
    tls: Tls | None = None

    @property
    def spare(self) -> str:
        """The slot that may be filled anew."""
        return next(slot for slot in SLOTS if slot != self.live)

    @property
    def live_release(self) -> str:
        target = self.slots.get(self.live)
        return target.release if target else ""

    def slot_of(self, release: str) -> str | None:
        return next((slot for slot, target in self.slots.items() if target and target.release == release), None)

    def with_target(self, slot: str, target: Target | None) -> EdgeState:
        return dataclasses.replace(self, slots={**self.slots, slot: target})

    def switched(self, slot: str) -> EdgeState:
        return dataclasses.replace(self, live=slot)

    def listening(self, listeners: tuple[Listener, ...], tls: Tls | None = None) -> EdgeState:
        return dataclasses.replace(self, listeners=listeners, tls=tls)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> EdgeState:
        raw = json.loads(text)
        return cls(
            listeners=tuple(
                Listener(Port(**item["port"]), item["service"], item.get("health_path", "/"))
                for item in raw["listeners"]
            ),
            slots={
                slot: Target(item["release"], {name: tuple(servers) for name, servers in item["servers"].items()})
                if item
                else None
                for slot, item in raw["slots"].items()
            },
            live=raw["live"],
            tls=Tls(**raw["tls"]) if raw.get("tls") else None,
        )


EMPTY = EdgeState((), dict.fromkeys(SLOTS), NONE)


def listeners_of(record: ReleaseRecord) -> tuple[Listener, ...]:
    """The public ports of a release, sorted."""
    return tuple(
        sorted(
            Listener(public.port, public.service, record.services[public.service].health_path)
            for public in record.public
        )
    )


def target_of(record: ReleaseRecord, layout: HostLayout) -> Target:
    """Where the edge sends requests when a release is in a slot."""
    return Target(record.id, {one.name: tuple(_servers(one, record, layout)) for one in listeners_of(record)})


def _servers(listener: Listener, record: ReleaseRecord, layout: HostLayout) -> Iterator[str]:
    service = record.services[listener.service]
    if service.kind == Kind.DATA:  # the same for every release
        yield f"{layout.data_container(listener.service)}:{listener.port.target}"
        return
    for number in range(1, min(service.replicas, SERVERS) + 1):
        yield f"{layout.container(record.id, listener.service, number)}:{listener.port.target}"


def render_map(state: EdgeState) -> str:
    """`live.map`: one key, so that one change switches every port."""
    return f"live {state.live}\n"
