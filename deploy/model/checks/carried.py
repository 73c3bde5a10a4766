"""What of a compose file cannot be carried into releases, two of which stand side by side beside data that lives on."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind, image_name
from deploy.model.places import local_path
from deploy.model.stack import Service, Stack

_SOCKET = "/docker.sock"
_DISCOVERING = frozenset({"traefik", "nginx-proxy", "caddy-docker-proxy"})
_ONE_PARENT = frozenset({"macvlan", "ipvlan"})


def check_carried(stack: Stack, *, cluster: bool = False) -> Iterator[Problem]:
    """Everything in a stack that would not be in a release what it is in its compose file, there or on a cluster."""
    for service in stack.services.values():
        yield from _shared_namespaces(service, stack)
        yield from _volumes_from(service, stack)
        yield from _awaited_jobs(service, stack)
        yield from _materials(service, stack, cluster=cluster)
        yield from _replicas(service)
        yield from _discovery(service, stack)
        if "provider" in service.definition:
            yield Problem(
                f"{service.name} is made by the provider {service.definition['provider'].get('type', '')} on this "
                "machine, and a host gets containers only",
                "deploy it by other means, and name it by its address",
                path=_at(service, "provider"),
            )
    yield from _same_ports(stack)
    yield from _networks(stack)
    yield from _fixed_addresses(stack)


def _at(service: Service, *keys: str) -> tuple[str, ...]:
    return ("services", service.name, *keys)


def _shared_namespaces(service: Service, stack: Stack) -> Iterator[Problem]:
    """A network, or processes, shared with a container that is not in the same document."""
    for key in ("network_mode", "pid", "ipc"):
        mode = str(service.definition.get(key) or "")
        other = mode.partition(":")[2]
        if mode.startswith("container:"):
            yield Problem(
                f"{service.name}: {key} {mode} names a container that a release cannot know",
                "name a service of the stack instead: service:NAME",
                path=_at(service, key),
            )
        elif mode.startswith("service:") and not _together(service, stack.services[other]):
            yield Problem(
                f"{service.name} shares the {key.partition('_')[0]} of {other}, which lives in another project: "
                f"{other} is {stack.services[other].kind}, {service.name} is {service.kind}",
                "give both the same x-deploy.kind",
                path=_at(service, key),
            )


def _volumes_from(service: Service, stack: Stack) -> Iterator[Problem]:
    for entry in service.definition.get("volumes_from") or ():
        kind, _, rest = str(entry).partition(":")
        other = rest.partition(":")[0] if kind == "container" else kind
        if kind == "container" or not _together(service, stack.services[other]):
            yield Problem(
                f"{service.name} takes the volumes of {other}, which lives in another project",
                "name the volumes in both services",
                path=_at(service, "volumes_from", str(entry)),
            )


def _awaited_jobs(service: Service, stack: Stack) -> Iterator[Problem]:
    """Data services stand before a release begins, and its jobs run with it."""
    if service.kind != Kind.DATA:
        return
    for name, how in (service.definition.get("depends_on") or {}).items():
        other = stack.services.get(name)
        if other and other.kind != Kind.DATA and (how or {}).get("condition") == "service_completed_successfully":
            yield Problem(
                f"{service.name} lives on across releases and waits for {name}, which runs once in each of them",
                f"do what {name} does in the image of {service.name}, or say which kind it is with x-deploy.kind",
                path=_at(service, "depends_on", name),
            )


def _materials(service: Service, stack: Stack, *, cluster: bool) -> Iterator[Problem]:
    """Configs and secrets that cannot be had."""
    for section in ("configs", "secrets"):
        for entry in service.definition.get(section) or ():
            name = str(entry["source"])
            raw = (stack.document.get(section) or {}).get(name) or {}
            what, path = f"{service.name}: the {section[:-1]} {name}", (section, name)
            if raw.get("external") and not cluster:
                yield Problem(
                    f"{what} is external: only a swarm keeps those", "give it a file: or environment:", path=path
                )
            elif raw.get("environment") and "content" not in raw:
                yield Problem(
                    f"{what} comes from the variable {raw['environment']}, which is not set",
                    "set it in the environment's env file",
                    path=path,
                )
            elif raw.get("file") and not local_path(raw["file"]).is_file():
                yield Problem(f"{what} is the file {raw['file']}, which does not exist", "create it", path=path)


def _replicas(service: Service) -> Iterator[Problem]:
    if service.kind == Kind.DATA and service.replicas > 1:
        yield Problem(
            f"{service.name} keeps state and is to run {service.replicas} times: only its first container would be "
            "reached",
            "make each a service of its own, or give it x-deploy: {kind: web}",
            path=_at(service, "deploy", "replicas"),
        )


def _discovery(service: Service, stack: Stack) -> Iterator[Problem]:
    """A proxy that finds its back ends by the engine's own list sees two releases of them during a switch."""
    sources = [str(mount.get("source", "")) for mount in service.definition.get("volumes") or ()]
    if image_name(service.image) in _DISCOVERING and any(source.endswith(_SOCKET) for source in sources):
        labelled = [one.name for one in stack.app if one.definition.get("labels") and one.name != service.name]
        yield Problem(
            f"{service.name} finds containers through the engine: while a release is switched it sees those of both "
            f"({', '.join(labelled) or 'none is labelled'}), and may send requests to one that it cannot reach",
            "let the edge stand before the services themselves: publish their ports, and leave the proxy out",
            fatal=False,
            path=_at(service, "volumes", _SOCKET),
        )


def _same_ports(stack: Stack) -> Iterator[Problem]:
    every = {"", "0.0.0.0", "::"}  # noqa: S104  # what a compose file says, nothing that is listened on
    ports = [(service, port) for service in stack.services.values() for port in service.ports]
    for (one, first), (other, second) in itertools.combinations(ports, 2):
        same = (first.published, first.protocol) == (second.published, second.protocol)
        if same and one != other and (first.host_ip == second.host_ip or every & {first.host_ip, second.host_ip}):
            yield Problem(
                f"{one.name} and {other.name} both publish port {first}",
                "give one of them another",
                path=_at(other, "ports", str(second.published)),
            )


def _networks(stack: Stack) -> Iterator[Problem]:
    used = {network for service in stack.app for network in service.networks}
    for name, raw in (stack.document.get("networks") or {}).items():
        if name in used and raw and raw.get("driver") in _ONE_PARENT and not raw.get("external"):
            yield Problem(
                f"the network {name} is a {raw['driver']}: two releases cannot have one each",
                "make it on the host, and say external: true",
                path=("networks", name),
            )


def _fixed_addresses(stack: Stack) -> Iterator[Problem]:
    """Two releases cannot have one address. Dropping it is harmless unless somebody counts on it."""
    texts = {
        service.name: json.dumps(
            {key: service.definition.get(key) for key in ("environment", "command", "entrypoint", "extra_hosts", "dns")}
        )
        for service in stack.services.values()
    }
    for service, address in _addresses(stack):
        word = re.compile(rf"(?<![\d.:]){re.escape(address)}(?![\d.])")
        for name, text in texts.items():
            if word.search(text):
                yield Problem(
                    f"{name} is told the address {address} of {service.name}, which no release can have for itself",
                    f"tell it the name {service.name}",
                    path=_at(service, "networks", address),
                )


def _addresses(stack: Stack) -> Iterator[tuple[Service, str]]:
    for service in stack.services.values():
        networks: Mapping[str, Any] = service.definition.get("networks") or {}
        for name, options in networks.items():
            if not ((stack.document.get("networks") or {}).get(name) or {}).get("external"):
                for key in ("ipv4_address", "ipv6_address"):
                    if address := (options or {}).get(key):
                        yield service, str(address)


def _together(one: Service, other: Service) -> bool:
    return (one.kind == Kind.DATA) == (other.kind == Kind.DATA)
