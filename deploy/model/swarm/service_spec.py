"""A service as its stack has it and as the cluster does, in one form: what people change by hand, to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.stack import unescaped
from deploy.model.swarm.found import SwarmService

_OURS = "com.docker.stack."
"""Labels that `docker stack deploy` sets."""
_NANO = 1_000_000_000


def as_in_document(document: Mapping[str, Any], stack: str, name: str) -> dict[str, Any]:
    """What a stack's document says of a service: its environment as a mapping, what has no order as a set."""
    raw: Mapping[str, Any] = document["services"][name]
    deploy = raw.get("deploy") or {}
    limits = (deploy.get("resources") or {}).get("limits") or {}
    health = raw.get("healthcheck") or {}
    return {
        "replicas": None if deploy.get("mode") == "global" else int(deploy.get("replicas", 1)),
        "image": raw["image"],
        "environment": _texts(raw.get("environment") or {}),
        "entrypoint": _words(raw.get("entrypoint")),
        "command": _words(raw.get("command")),
        "user": str(raw.get("user") or ""),
        "health check": ("NONE",) if health.get("disable") else _words(health.get("test")),
        "constraints": frozenset((deploy.get("placement") or {}).get("constraints") or ()),
        "limits": {"cpus": _nano(limits.get("cpus")), "memory": _bytes(limits.get("memory"))},
        "networks": frozenset(_networks(document, stack, raw)),
        "mounts": frozenset(_mounts(document, raw)),
        "configs": frozenset(_given(document, raw, "configs", "/")),
        "secrets": frozenset(_given(document, raw, "secrets", "/run/secrets")),
        "ports": frozenset(_port(one["published"], one["target"], one["protocol"]) for one in raw.get("ports") or ()),
        "labels": _texts(deploy.get("labels") or {}),
        "container labels": _texts(raw.get("labels") or {}),
    }


def as_in_cluster(service: SwarmService, networks: Mapping[str, str]) -> dict[str, Any]:
    """What the cluster has of a service; `networks` is the name to each id."""
    spec = service.spec
    container = spec.get("ContainerSpec") or {}
    limits = (spec.get("Resources") or {}).get("Limits") or {}
    return {
        "replicas": service.wanted,
        "image": service.image,
        "environment": dict(word.partition("=")[::2] for word in container.get("Env") or ()),
        "entrypoint": tuple(container.get("Command") or ()),
        "command": tuple(container.get("Args") or ()),
        "user": container.get("User") or "",
        "health check": tuple((container.get("Healthcheck") or {}).get("Test") or ()),
        "constraints": frozenset((spec.get("Placement") or {}).get("Constraints") or ()),
        "limits": {"cpus": limits.get("NanoCPUs", 0), "memory": limits.get("MemoryBytes", 0)},
        "networks": frozenset(networks.get(one["Target"], one["Target"]) for one in spec.get("Networks") or ()),
        "mounts": frozenset(
            f"{one['Type']} {one.get('Source', '')}:{one['Target']}" for one in container.get("Mounts") or ()
        ),
        "configs": frozenset(_files(container, "Configs", "ConfigName", "/")),
        "secrets": frozenset(_files(container, "Secrets", "SecretName", "/run/secrets")),
        "ports": frozenset(
            _port(one.get("PublishedPort", 0), one["TargetPort"], one["Protocol"]) for one in service.ports
        ),
        "labels": _own(service.labels),
        "container labels": _own(container.get("Labels") or {}),
    }


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not key.startswith(_OURS)}


def _texts(raw: Mapping[str, Any]) -> dict[str, str]:
    return {key: unescaped(str(value)) for key, value in raw.items()}


def _words(raw: Any) -> tuple[str, ...]:
    words = ["CMD-SHELL", raw] if isinstance(raw, str) else raw or ()
    return tuple(unescaped(str(word)) for word in words)


def _networks(document: Mapping[str, Any], stack: str, raw: Mapping[str, Any]) -> Iterator[str]:
    for name in raw.get("networks") or ():
        one = (document.get("networks") or {}).get(name) or {}
        yield str(one.get("name") or f"{stack}_{name}")


def _mounts(document: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[str]:
    for one in raw.get("volumes") or ():
        source = str(one.get("source") or "")
        if one["type"] == "volume" and source:
            source = str(((document.get("volumes") or {}).get(source) or {}).get("name") or source)
        yield f"{one['type']} {unescaped(source)}:{one['target']}"


def _given(document: Mapping[str, Any], raw: Mapping[str, Any], section: str, usual: str) -> Iterator[str]:
    for one in raw.get(section) or ():
        named = ((document.get(section) or {}).get(one["source"]) or {}).get("name") or one["source"]
        yield f"{named} at {PurePosixPath(usual) / one['target']}"


def _files(container: Mapping[str, Any], section: str, name: str, usual: str) -> Iterator[str]:
    for one in container.get(section) or ():
        yield f"{one[name]} at {PurePosixPath(usual) / (one.get('File') or {}).get('Name', '')}"


def _port(published: Any, target: Any, protocol: Any) -> str:
    return f"{published}:{target}/{protocol}"


def _nano(raw: Any) -> int:
    return round(float(raw) * _NANO) if raw else 0


def _bytes(raw: Any) -> int:
    return int(raw) if raw else 0
