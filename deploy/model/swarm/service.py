"""One service of a stack as `docker stack deploy` takes it.

That one knows another compose file than `docker compose`: keys it does not know are errors, and some that it knows it
leaves out without a word. So a definition is made anew from what is known to have a meaning there.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.kinds import restart_of
from deploy.model.stack import Service

AS_THEY_ARE = frozenset(
    {
        *("cap_add", "cap_drop", "command", "dns", "dns_search", "entrypoint", "healthcheck", "hostname", "init"),
        *("labels", "logging", "read_only", "stdin_open", "stop_grace_period", "stop_signal", "sysctls", "tty"),
        *("ulimits", "user", "working_dir"),
    }
)
"""Keys that mean there what they mean to compose, in the form that compose gives them."""
CONVERTED = frozenset(
    {
        *("configs", "container_name", "cpus", "deploy", "environment", "extra_hosts", "image", "links", "mem_limit"),
        *("mem_reservation", "networks", "pids_limit", "ports", "restart", "scale", "secrets", "shm_size", "tmpfs"),
        "volumes",
    }
)
MEANINGLESS = frozenset({"build", "depends_on", "develop", "expose", "platform", "profiles", "pull_policy", "attach"})
"""Keys that have had their effect before, or have none on a cluster that anybody misses."""
_DEPLOY = ("mode", "replicas", "labels", "update_config", "rollback_config", "resources", "restart_policy", "placement")
RESTART_DELAY = "2s"
"""Compose starts what has ended again at once, a cluster after five seconds where nobody says otherwise."""


def converted(service: Service, image: str, endpoint: str, *, lasting: bool) -> dict[str, Any]:
    """The definition without what it mounts, and without its networks and ports.

    `endpoint` is how others find its containers where it does not say itself; `lasting` is for a data service.
    """
    raw = service.definition
    made: dict[str, Any] = {
        key: copy.deepcopy(value) for key, value in raw.items() if key in AS_THEY_ARE and value is not None
    }
    made["image"] = image
    environment = {key: value for key, value in (raw.get("environment") or {}).items() if value is not None}
    if environment:
        made["environment"] = environment
    if hosts := raw.get("extra_hosts"):
        made["extra_hosts"] = [*_hosts(hosts)]
    made["deploy"] = _deploy(service, endpoint, lasting=lasting)
    return made


def _hosts(raw: Any) -> Iterator[str]:
    pairs = raw.items() if isinstance(raw, Mapping) else (str(one).replace("=", ":", 1).split(":", 1) for one in raw)
    for name, address in pairs:
        for one in address if isinstance(address, list) else [address]:
            yield f"{name}:{one}"


def _deploy(service: Service, endpoint: str, *, lasting: bool) -> dict[str, Any]:
    raw = service.definition
    own = {key: copy.deepcopy(value) for key, value in (raw.get("deploy") or {}).items() if key in _DEPLOY and value}
    own["endpoint_mode"] = (raw.get("deploy") or {}).get("endpoint_mode") or endpoint
    if own.get("mode", "replicated") == "replicated":
        own["replicas"] = service.replicas
    own["resources"] = _resources(raw, own.get("resources") or {})
    if not own["resources"]:
        del own["resources"]
    own["restart_policy"] = _restart(raw, own.get("restart_policy") or {})
    alone = lasting or bool(service.exclusive) or bool(service.direct_ports)
    usual = {
        "parallelism": 1,
        "order": "stop-first" if alone else "start-first",
        "failure_action": "pause" if lasting else "rollback",
        "monitor": "5s",
    }
    own["update_config"] = usual | (own.get("update_config") or {})
    back = {"parallelism": own["update_config"]["parallelism"], "order": own["update_config"]["order"]}
    own["rollback_config"] = back | (own.get("rollback_config") or {})
    return own


def _restart(raw: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    if own:
        return {"delay": RESTART_DELAY, **own}
    how, _, attempts = restart_of(raw).partition(":")
    condition = {"no": "none", "on-failure": "on-failure"}.get(how, "any")
    policy: dict[str, Any] = {"condition": condition, "delay": RESTART_DELAY}
    return policy | ({"max_attempts": int(attempts)} if attempts else {})


def _resources(raw: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`deploy.resources`, with what compose also takes at the service itself."""
    limits = {
        "cpus": raw.get("cpus"),
        "memory": raw.get("mem_limit"),
        "pids": raw.get("pids_limit"),
        **(own.get("limits") or {}),
    }
    reserved = {"memory": raw.get("mem_reservation"), **(own.get("reservations") or {})}
    found = {"limits": _as_texts(limits), "reservations": _as_texts(reserved)}
    return {key: value for key, value in found.items() if value}


def _as_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: int(value) if key == "pids" else value if isinstance(value, list) else str(value)
        for key, value in values.items()
        if value and key in {"cpus", "memory", "pids", "generic_resources"}
    }


def memory_mounts(raw: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """`tmpfs` and `shm_size` as mounts: the short forms have no effect on a cluster."""
    if size := raw.get("shm_size"):
        yield _tmpfs("/dev/shm", str(size))  # noqa: S108  # a path in the container
    given = raw.get("tmpfs") or ()
    for entry in [given] if isinstance(given, str) else given:
        target, _, options = str(entry).partition(":")
        found = re.search(r"(?:^|,)size=([^,]+)", options)
        yield _tmpfs(target, found[1] if found else "")


def _tmpfs(target: str, size: str) -> dict[str, Any]:
    mount: dict[str, Any] = {"type": "tmpfs", "target": target}
    return mount | ({"tmpfs": {"size": _bytes(size)}} if size else {})


def _bytes(text: str) -> int:
    """`64m` to bytes, as the engine reads sizes."""
    found = re.fullmatch(r"(\d+)([kmg]?)b?", text.strip().lower())
    if not found:
        return 0
    units: tuple[str, ...] = ("", "k", "m", "g")
    size: int = int(found[1]) * 1024 ** units.index(found[2])
    return size
