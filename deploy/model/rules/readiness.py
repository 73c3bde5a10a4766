"""When a service counts as ready, and how long it has to end."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.durations import seconds
from deploy.model.kinds import FRONT_IMAGES, POSTGRES_IMAGES, image_name
from deploy.model.rules.health_checks import known_check
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.stages import built_lines
from deploy.model.rules.subject import Subject, Tagged, at
from deploy.model.stack import Service

DEFAULT_GRACE_S = 10
"""What compose gives a container to end before it is killed."""
ENOUGH_GRACE_S = 30
_SLOW_TO_END = POSTGRES_IMAGES | {"mariadb", "mongo", "mysql", "mysql-server", "percona", "percona-server"}


@rule(
    "no-health-check",
    Severity.WARNING,
    "A service counts as ready as soon as it runs",
    why="Without a health check a release goes live before it can answer, and nobody notices when a service hangs.",
    fix="""
    `healthcheck:` with a command that only succeeds when the service does its work. `--fix` writes one for PostgreSQL,
    MySQL, MariaDB, Redis, Valkey and RabbitMQ.
    """,
    mends=True,
)
def no_health_check(subject: Subject) -> Iterator[Problem]:
    services = subject.stack.services
    awaited = {other for one in services.values() for other in one.definition.get("depends_on") or ()}
    unchecked = [
        one
        for one in subject.lasting
        if (one in subject.stack.data or one.edge_ports or one.name in awaited) and not _checked(one, subject)
    ]
    given = {one.name for one in unchecked if known_check(one.runs) and "no-health-check" not in one.options.allow}
    for service in unchecked:
        check = known_check(service.runs)
        # who waits for the start only would be what is found next
        waits = {
            one.name: {"depends_on": Tagged("!override", _mended(one, subject, given))}
            for one in services.values()
            if service.name in _early(one, subject, given)
        }
        yield Problem(
            f"{service.name} has no health check: it counts as ready as soon as it runs",
            "add healthcheck: to the service",
            path=at(service),
            overlay={"services": {service.name: {"healthcheck": check}, **waits}} if check else {},
        )


@rule(
    "depends-without-health",
    Severity.WARNING,
    "A service does not wait until what it depends on can answer",
    why="""
    `depends_on` with only a name waits until the other container has started: the first requests to it fail, and a
    service that gives up then is restarted over and over. Proxies are left out: they ask for every request anew.
    """,
    fix="`depends_on: {db: {condition: service_healthy}}`.",
    mends=True,
)
def depends_without_health(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        mended = _mended(service, subject, frozenset())
        for name in _early(service, subject, frozenset()):
            yield Problem(
                f"{service.name} starts when {name} has started, and not when it is healthy",
                f"depends_on: {{{name}: {{condition: service_healthy}}}}",
                path=at(service, "depends_on", name),
                overlay={"services": {service.name: {"depends_on": Tagged("!override", mended)}}},
            )


@rule(
    "short-stop-grace",
    Severity.WARNING,
    "A database may be killed before it has written everything",
    why="""
    After 10 seconds, compose's default, a container that still runs is killed. A database that writes its checkpoint
    takes longer; killed, it has to recover at the next start, which keeps everybody waiting.
    """,
    fix="`stop_grace_period: 60s`.",
    mends=True,
)
def short_stop_grace(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.data:
        given = service.definition.get("stop_grace_period")
        grace = seconds(str(given)) if given else DEFAULT_GRACE_S
        if image_name(service.runs) in _SLOW_TO_END and grace < ENOUGH_GRACE_S:
            yield Problem(
                f"{service.name} is killed when it has not ended after {grace:g} s",
                "stop_grace_period: 60s",
                path=at(service, "stop_grace_period") if given else at(service),
                overlay={"services": {service.name: {"stop_grace_period": "60s"}}},
            )


def _early(service: Service, subject: Subject, given: Container[str]) -> tuple[str, ...]:
    """What a service waits for by its start only, of that which has a health check or is `given` one."""
    if image_name(service.runs) in FRONT_IMAGES:
        return ()
    return tuple(
        name
        for name, how in (service.definition.get("depends_on") or {}).items()
        if (how or {}).get("condition", "service_started") == "service_started"
        and name in subject.stack.services
        and (subject.stack.services[name].has_healthcheck or name in given)
    )


def _mended(service: Service, subject: Subject, given: Container[str]) -> dict[str, dict[str, Any]]:
    """Its whole `depends_on`, waiting for health where there is a check of it."""
    early = _early(service, subject, given)
    return {
        name: {**(how or {}), "condition": "service_healthy"} if name in early else dict(how or {})
        for name, how in (service.definition.get("depends_on") or {}).items()
    }


def _checked(service: Service, subject: Subject) -> bool:
    """Whether it has a health check, by its compose file or its image, or says that it is to have none."""
    if service.definition.get("healthcheck"):
        return True
    own = any(line.word == "HEALTHCHECK" and line.own for line in built_lines(service, subject))
    if known_check(service.runs):  # images that have none
        return own
    # compose waits for the health of what an image checks itself
    waits = (
        (one.definition.get("depends_on") or {}).get(service.name) or {} for one in subject.stack.services.values()
    )
    return own or any(how.get("condition") == "service_healthy" for how in waits)
