"""Checks of a stack that need no connection."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.edge import SERVERS
from deploy.model.kinds import FOREIGN_STATE, POSTGRES_IMAGES, Kind, image_name, restart_of
from deploy.model.receiver import receiver_of, receiving
from deploy.model.stack import Service, Stack

_NEEDED = re.compile(r"(.*_)?(PASSWORD|SECRET_KEY)", re.IGNORECASE)
_SECRET = re.compile(r".*(PASSWORD|SECRET|TOKEN|PRIVATE_KEY|API_KEY)(?!.*_FILE$).*", re.IGNORECASE)


def check_stack(stack: Stack) -> Iterator[Problem]:
    """Everything in a stack that cannot work on a host, or that its owner would want to know."""
    for service in stack.services.values():
        yield from _blank_secrets(service)
    for service in stack.public:
        if service.replicas > SERVERS:
            yield Problem(
                f"{service.name}: {service.replicas} replicas, the edge reaches {SERVERS}",
                f"set at most {SERVERS}",
                path=("services", service.name, "deploy", "replicas"),
            )
    for service in stack.data:
        if not service.has_healthcheck:
            yield Problem(
                f"{service.name} has no health check: it counts as ready as soon as it runs",
                "add healthcheck: to the service",
                fatal=False,
            )
    for service in stack.data:
        if service.kind_reason.startswith(FOREIGN_STATE):
            yield Problem(
                f"{service.name} is taken for {service.kind_reason}: it lives on across releases, and is replaced "
                "with a gap when it changes itself",
                "x-deploy: {kind: web} when two of it may run at once",
                fatal=False,
                path=("services", service.name),
            )
    yield from _unreceivable(stack)
    for service in stack.services.values():
        if not restart_of(service.definition) and service.kind != Kind.JOB:
            yield Problem(
                f"{service.name} has no restart policy: it stays down after a reboot of the host",
                "add restart: unless-stopped",
                fatal=False,
            )


def _unreceivable(stack: Stack) -> Iterator[Problem]:
    """Services whose WAL is to be kept and cannot be."""
    for service in receiving(stack):
        path = ("services", service.name, "x-deploy", "point_in_time")
        if service.kind != Kind.DATA or image_name(service.runs) not in POSTGRES_IMAGES:
            what = f"{service.name} runs {service.runs or 'an image of its own'}"
            yield Problem(f"{what}: point in time is for PostgreSQL", "leave point_in_time out", path=path)
        if receiver_of(service.name) in stack.services:
            yield Problem(
                f"{receiver_of(service.name)} is the name of what receives the WAL of {service.name}",
                "call your service something else",
                path=path,
            )


def _blank_secrets(service: Service) -> Iterator[Problem]:
    for name, value in service.environment.items():
        if _SECRET.fullmatch(name) and not value:
            path = ("services", service.name, "environment", name)
            fatal = bool(_NEEDED.fullmatch(name))  # others are often optional: an integration that is not used
            yield Problem(
                f"{service.name}: {name} is blank", "set it in the environment's env file", fatal=fatal, path=path
            )
