"""Checks of a stack that need no connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from deploy.model.checks.problem import Problem
from deploy.model.edge import SERVERS
from deploy.model.stack import Service, Stack

_NEEDED = re.compile(r"(.*_)?(PASSWORD|SECRET_KEY)", re.IGNORECASE)
_SECRET = re.compile(r".*(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|API_KEY)(?!.*_FILE$).*", re.IGNORECASE)


def check_stack(stack: Stack) -> Iterator[Problem]:
    """Everything in a stack that cannot work on a host, or that its owner would want to know."""
    for service in stack.services.values():
        yield from _blank_secrets(service)
        yield from _modes(service, stack)
        yield from _sources(service)
    for service in stack.public:
        if service.replicas > SERVERS:
            yield Problem(
                f"{service.name}: {service.replicas} replicas, the edge reaches {SERVERS}", f"set at most {SERVERS}"
            )
    for service in stack.data:
        if not service.has_healthcheck:
            yield Problem(
                f"{service.name} has no health check: it counts as ready as soon as it runs",
                "add healthcheck: to the service",
                fatal=False,
            )
    for service in stack.services.values():
        if not service.definition.get("restart") and service.kind != "job":
            yield Problem(
                f"{service.name} has no restart policy: it stays down after a reboot of the host",
                "add restart: unless-stopped",
                fatal=False,
            )


def _blank_secrets(service: Service) -> Iterator[Problem]:
    for name, value in service.environment.items():
        if _SECRET.fullmatch(name) and not value:
            fatal = bool(_NEEDED.fullmatch(name))  # others are often optional: an integration that is not used
            yield Problem(f"{service.name}: {name} is blank", "set it in the environment's env file", fatal=fatal)


def _modes(service: Service, stack: Stack) -> Iterator[Problem]:
    mode = str(service.definition.get("network_mode", ""))
    other = mode.removeprefix("service:")
    if mode.startswith("container:"):
        yield Problem(
            f"{service.name}: network_mode {mode} names a container that a release cannot know", "use service:"
        )
    elif (
        mode.startswith("service:")
        and stack.services[other].kind != service.kind
        and "data"
        in {
            stack.services[other].kind,
            service.kind,
        }
    ):
        yield Problem(
            f"{service.name} shares the network of {other}, which lives in another project",
            "give both the same x-deploy.kind",
        )


def _sources(service: Service) -> Iterator[Problem]:
    for mount in service.definition.get("volumes") or ():
        if mount.get("type") == "bind" and mount.get("read_only") and not Path(mount["source"]).exists():
            yield Problem(
                f"{service.name}: {mount['source']} is mounted, and does not exist", "create it, or mend the path"
            )
