"""What is open to people whom it should not be open to."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, Tagged, at


@rule(
    "published-data",
    Severity.ERROR,
    "A database is open to the world",
    why="""
    A data service's published port is bound to every address of the host, and Docker opens it past `ufw`. Databases
    on public addresses are found by scanners within hours. An override that says `ports: []` clears nothing:
    compose adds lists together.
    """,
    fix="""
    Leave `ports` out: services of the stack reach each other without. In a file laid over another, `ports: !reset
    []` takes them away. For a tunnel from your own machine bind it to the host itself: `127.0.0.1:5432:5432`.
    """,
    mends=True,
)
def published_data(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.data:
        for port in service.direct_ports:
            if port.local:
                continue
            cleared = next(
                (
                    one.path
                    for one in subject.files
                    if one.service(service.name).get("ports") in ([], None) and "ports" in one.service(service.name)
                ),
                "",
            )
            tried = f"; {cleared} says `ports: []`, which clears nothing" if cleared else ""
            yield Problem(
                f"{service.name} is published on {port}, for everybody who reaches the host{tried}",
                f"ports: !reset [] in the last compose file, or 127.0.0.1:{port.published}:{port.target}",
                path=at(service, "ports", str(port.published)),
                overlay={"services": {service.name: {"ports": Tagged("!reset", [])}}},
            )


@rule(
    "trust-authentication",
    Severity.ERROR,
    "A database asks nobody for a password",
    why="Whoever reaches the database, every other container of its networks for one, can read and change all of it.",
    fix="""
    Take `POSTGRES_HOST_AUTH_METHOD: trust` out and set a password. It only counts for a new volume: for one that is
    there, edit `pg_hba.conf`.
    """,
)
def trust_authentication(subject: Subject) -> Iterator[Problem]:
    open_to_all = {"POSTGRES_HOST_AUTH_METHOD": "trust"}
    empty = ("MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD")
    for service in subject.stack.services.values():
        if service.kind != Kind.DATA:
            continue
        for name, value in service.environment.items():
            if open_to_all.get(name) == value or (name in empty and str(value).lower() in {"1", "yes", "true"}):
                yield Problem(
                    f"{service.name} lets everybody in without a password ({name}: {value})",
                    "take it out, and set a password",
                    path=at(service, "environment", name),
                )
