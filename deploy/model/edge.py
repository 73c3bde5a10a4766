"""The edge: the HAProxy that owns a project's public ports and points every one of them at one release.

Two slots hold releases, `blue` and `green`; a map with one entry says which slot is live, so that changing this entry
switches all ports at once. Servers are named by the engine's DNS names of the release's containers, so that a restarted
container is found again at its new address. Nothing here is ever reloaded: slots are filled and the map is changed
through HAProxy's runtime API, after the same state has been written to disk for the next start.

Source: HAProxy 3.0 management guide, "set server fqdn", "set map"; configuration manual, "use_backend" with log-format.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.stack import Port

IMAGE = "haproxy:3.0"
SLOTS = ("blue", "green")
NONE = "none"
CONFIG_FOLDER = "/usr/local/etc/haproxy"
MAP = f"{CONFIG_FOLDER}/live.map"
ADMIN_PORT = 9999
SERVERS = 8
"""Servers per slot and port: how many replicas of a service can be reached."""
FIRST_PORT = 10000
"""Where the edge listens inside its container; published as the public ports."""

_HEADER = f"""\
# Written by Windlass; changes are lost with the next switch.
global
  stats socket ipv4@127.0.0.1:{ADMIN_PORT} level admin
  log stdout format raw local0 info
  fd-hard-limit 40960
  hard-stop-after 1h

# The engine's own DNS: a server without a release keeps the edge's own name, which is answered without asking further.
resolvers engine
  nameserver docker 127.0.0.11:53
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 1s
  hold obsolete 0s
  hold nx 3s
# An engine that is restarted does not answer for a while: containers keep the addresses they have.
  hold other 1h
  hold refused 1h
  hold timeout 1h

defaults
  log global
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout http-request 30s
  timeout http-keep-alive 75s
  timeout tunnel 1h
  option dontlognull
  option redispatch
  retries 3
  retry-on conn-failure
  default-server resolvers engine resolve-prefer ipv4 init-addr none check inter 1s fastinter 200ms rise 1 fall 3
"""


@dataclass(frozen=True, order=True)
class Listener:
    """A public port."""

    port: Port
    service: str

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
    """`edge/state.json`: what the edge listens on and where it sends requests."""

    listeners: tuple[Listener, ...]
    slots: Mapping[str, Target | None]
    live: str

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

    def listening(self, listeners: tuple[Listener, ...]) -> EdgeState:
        return dataclasses.replace(self, listeners=listeners)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> EdgeState:
        raw = json.loads(text)
        return cls(
            listeners=tuple(Listener(Port(**item["port"]), item["service"]) for item in raw["listeners"]),
            slots={
                slot: Target(item["release"], {name: tuple(servers) for name, servers in item["servers"].items()})
                if item
                else None
                for slot, item in raw["slots"].items()
            },
            live=raw["live"],
        )


EMPTY = EdgeState((), dict.fromkeys(SLOTS), NONE)


def listeners_of(record: ReleaseRecord) -> tuple[Listener, ...]:
    """The public ports of a release, sorted."""
    return tuple(sorted(Listener(public.port, public.service) for public in record.public))


def target_of(record: ReleaseRecord, layout: HostLayout) -> Target:
    """Where the edge sends requests when a release is in a slot."""
    return Target(
        record.id,
        {
            listener.name: tuple(
                f"{layout.container(record.id, listener.service, number)}:{listener.port.target}"
                for number in range(1, min(record.services[listener.service].replicas, SERVERS) + 1)
            )
            for listener in listeners_of(record)
        },
    )


def render_config(state: EdgeState, layout: HostLayout) -> str:
    """`haproxy.cfg` for a state."""
    parts = [_HEADER]
    for number, listener in enumerate(state.listeners):
        mode = "http" if listener.port.http else "tcp"
        parts.append(_frontend(listener, FIRST_PORT + number, mode))
        parts += [_backend(slot, state.slots.get(slot), listener, mode, layout) for slot in SLOTS]
        parts.append(_nobody(listener, mode))
    return "\n".join(parts)


def render_map(state: EdgeState) -> str:
    """`live.map`: one key, so that one change switches every port."""
    return f"live {state.live}\n"


def render_compose(state: EdgeState, layout: HostLayout) -> dict[str, Any]:
    """The edge's own compose document."""
    ports = [
        {
            "target": FIRST_PORT + number,
            "published": str(listener.port.published),
            "protocol": "tcp",
            **({"host_ip": listener.port.host_ip} if listener.port.host_ip else {}),
        }
        for number, listener in enumerate(state.listeners)
    ]
    answers = f"exec 3<>/dev/tcp/127.0.0.1/{ADMIN_PORT}"
    edge = {
        "image": IMAGE,
        "pull_policy": "never",
        "command": ["haproxy", "-W", "-db", "-f", f"{CONFIG_FOLDER}/haproxy.cfg"],
        "restart": "unless-stopped",
        "ports": ports,
        "volumes": [f"./etc:{CONFIG_FOLDER}:ro"],
        "networks": ["edge"],
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "stop_grace_period": "30s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "healthcheck": {
            "test": ["CMD", "bash", "-c", answers],
            "interval": "5s",
            "start_period": "10s",
            "start_interval": "1s",
        },
    }
    return {
        "name": layout.edge_project,
        "services": {"edge": edge},
        "networks": {"edge": {"name": layout.lasting_network("edge")}},
    }


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


def empty_commands(slot: str, listeners: Iterable[Listener], layout: HostLayout) -> tuple[str, ...]:
    """Runtime commands that take whatever is in a slot out of service."""
    return tuple(
        command
        for listener in listeners
        for number in range(1, SERVERS + 1)
        for command in _name_server(f"{slot}_{listener.name}/s{number}", layout.edge_container)
    )


def _name_server(server: str, name: str) -> tuple[str, ...]:
    return (f"set server {server} state maint", f"set server {server} fqdn {name}")


def _frontend(listener: Listener, port: int, mode: str) -> str:
    public = listener.port.published
    http = (
        f"""\
  option httplog
  option forwardfor
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port {public}
"""
        if mode == "http"
        else "  option tcplog\n"
    )
    return f"""\
frontend {listener.name}
  mode {mode}
  bind :{port}
{http}  use_backend %[str(live),map_str({MAP},{NONE})]_{listener.name}
"""


def _backend(slot: str, target: Target | None, listener: Listener, mode: str, layout: HostLayout) -> str:
    servers = target.servers.get(listener.name, ()) if target else ()
    lines = [f"backend {slot}_{listener.name}", f"  mode {mode}"]
    for number in range(1, SERVERS + 1):
        filled = number <= len(servers)
        address = servers[number - 1] if filled else f"{layout.edge_container}:{listener.port.target}"
        lines.append(f"  server s{number} {address}" + ("" if filled else " disabled"))
    return "\n".join(lines) + "\n"


def _nobody(listener: Listener, mode: str) -> str:
    answer = (
        '  http-request return status 503 content-type text/plain string "No release is live.\\n"\n'
        if mode == "http"
        else ""
    )
    return f"backend {NONE}_{listener.name}\n  mode {mode}\n{answer}"
