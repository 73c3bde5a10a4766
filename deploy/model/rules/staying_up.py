"""What a service needs so that it stays up, and comes back."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind, restart_of
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at


@rule(
    "no-restart-policy",
    Severity.WARNING,
    "A service does not come back by itself",
    why="After a crash, or a reboot of the host, a container without a restart policy stays down.",
    fix="`restart: unless-stopped`.",
    mends=True,
)
def no_restart_policy(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        if not restart_of(service.definition) and service.kind != Kind.JOB:
            yield Problem(
                f"{service.name} has no restart policy: it stays down after a reboot of the host",
                "add restart: unless-stopped",
                path=at(service),
                overlay={"services": {service.name: {"restart": "unless-stopped"}}},
            )


@rule(
    "no-health-check",
    Severity.WARNING,
    "A service counts as ready as soon as it runs",
    why="Without a health check a release goes live before it can answer, and nobody notices when a service hangs.",
    fix="`healthcheck:` with a command that only succeeds when the service does its work.",
)
def no_health_check(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.data:
        if not service.has_healthcheck:
            yield Problem(
                f"{service.name} has no health check: it counts as ready as soon as it runs",
                "add healthcheck: to the service",
                path=at(service),
            )
