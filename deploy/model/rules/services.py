"""Running a service more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at


@rule(
    "fixed-port-scaled",
    Severity.ERROR,
    "Several containers are to hold one port of the host",
    why="""
    The second one cannot start: a port has one holder. What the edge takes over (TCP ports of services that can run
    twice) is free of that; workers and UDP are not.
    """,
    fix="Leave the host's side out (`9000` instead of `9000:9000`), or publish as many ports as there are replicas.",
)
def fixed_port_scaled(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        held = Counter((port.target, port.protocol) for port in service.direct_ports)
        for (target, protocol), number in held.items():
            if number < service.replicas and service.kind != Kind.DATA:
                port = next(one for one in service.direct_ports if (one.target, one.protocol) == (target, protocol))
                yield Problem(
                    f"{service.name} is to run {service.replicas} times, and each holds port {port} of the host",
                    f"publish {service.replicas} ports ({port.published}-{port.published + service.replicas - 1}:"
                    f"{target}), or none",
                    path=at(service, "ports", str(port.published)),
                )
