"""What a service needs so that it stays up, and comes back."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind, restart_of
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at

LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}


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
            lasts = service in subject.lasting
            yield Problem(
                f"{service.name} has no restart policy: it stays down after a reboot of the host",
                "add restart: unless-stopped" + ("" if lasts else ", or x-deploy: {kind: job} to what runs once"),
                path=at(service),
                overlay={"services": {service.name: {"restart": "unless-stopped"}}} if lasts else {},
            )


@rule(
    "no-memory-limit",
    Severity.WARNING,
    "A service may take all memory of the host",
    why="One that leaks takes the others with it: the kernel ends whatever is largest, often the database.",
    fix="`deploy: {resources: {limits: {memory: 512M}}}`, twice of what `docker stats` shows under load.",
)
def no_memory_limit(subject: Subject) -> Iterator[Problem]:
    for service in subject.lasting:
        limits = ((service.definition.get("deploy") or {}).get("resources") or {}).get("limits") or {}
        if not (limits.get("memory") or service.definition.get("mem_limit")):
            yield Problem(
                f"{service.name} has no memory limit: when it leaks, others are killed",
                "add deploy: {resources: {limits: {memory: …}}}",
                path=at(service),
            )


@rule(
    "no-log-rotation",
    Severity.WARNING,
    "A service's log grows until the disk is full",
    why="""
    Docker's own default, `json-file` without `max-size`, keeps every line for as long as the container is there; a
    database's lives for years. A full disk stops everything on the host.
    """,
    fix='`logging: {driver: json-file, options: {max-size: 10m, max-file: "5"}}`, or `driver: local`.',
    mends=True,
)
def no_log_rotation(subject: Subject) -> Iterator[Problem]:
    for service in subject.lasting:
        logging = service.definition.get("logging") or {}
        bounded = "max-size" in (logging.get("options") or {})
        if str(logging.get("driver") or "json-file") == "json-file" and not bounded:
            yield Problem(
                f"{service.name} logs without a limit, as far as the host's engine has none of its own",
                "add logging: with options: {max-size: 10m}",
                path=at(service, "logging") if logging else at(service),
                overlay={"services": {service.name: {"logging": LOGGING}}},
            )
