"""Whether health checks leave a release the time that it took to become healthy on a host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.durations import seconds
from deploy.model.facts import Facts
from deploy.model.journal import START_STEP, Outcome
from deploy.model.kinds import Kind
from deploy.model.stack import Service, Stack

LOOKED_AT = 10
"""Changes of the journal, the last ones."""
NEAR = 0.8
"""The share of the time that a health check leaves from which on it is too little."""
_DEFAULTS = {"interval": "30s", "start_period": "0s"}
_RETRIES = 3
"""Compose's own, of failures in a row that make a container unhealthy."""


def check_start_period(facts: Facts, stack: Stack) -> Iterator[Problem]:
    """Warns when starting a release has taken nearly as long as its health checks allow.

    The journal has how long the whole release took. Services wait for those they depend on, so that what counts is the
    longest chain of them; it is told at the chain's slowest link by its own health check.
    """
    took = max(
        (
            entry.steps.get(START_STEP, 0.0)
            for entry in facts.journal[-LOOKED_AT:]
            if entry.outcome in {Outcome.DEPLOYED, Outcome.ROLLED_BACK}
        ),
        default=0.0,
    )
    started = [one for one in stack.app if one.kind != Kind.JOB and not one.exclusive and one.has_healthcheck]
    if not started or not took:
        return
    last = max(started, key=partial(_allowed, stack=stack))
    allowed = _allowed(last, stack)
    if took > NEAR * allowed:
        yield Problem(
            f"a release took {took:.0f} s to become healthy, and the health check of {last.name} calls it unhealthy "
            f"after {allowed:.0f} s: a busier moment fails the deploy",
            f"healthcheck: {{start_period: {2 * took:.0f}s}}",
            fatal=False,
            path=("services", last.name, "healthcheck"),
            rule="start-period",
        )


def _allowed(service: Service, stack: Stack, seen: frozenset[str] = frozenset()) -> float:
    """How long a service and those it waits for may take together, in seconds."""
    waits: Mapping[str, Any] = service.definition.get("depends_on") or {}
    before = [
        _allowed(stack.services[name], stack, seen | {service.name})
        for name, how in waits.items()
        if (how or {}).get("condition") == "service_healthy"
        and name not in seen
        and name in stack.services
        and stack.services[name].kind != Kind.DATA
    ]
    check = _DEFAULTS | (service.definition.get("healthcheck") or {})
    own = seconds(str(check["start_period"])) + int(check.get("retries") or _RETRIES) * seconds(str(check["interval"]))
    return own + max(before, default=0.0)
