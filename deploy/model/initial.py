"""What a data service is told only when its volume is new: a change of it changes nothing in what runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.model.kinds import POSTGRES_IMAGES, Kind, image_name
from deploy.model.release import ReleaseRecord
from deploy.model.stack import Service, Stack

PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105  # a variable's name
_USER = "POSTGRES_USER"
_SUPERUSER = "postgres"


@dataclass(frozen=True)
class Login:
    """A role of a database server whose password its image has set when the volume was new."""

    service: str
    role: str


def login_of(service: Service) -> Login | None:
    """The login that a service was set up with by `POSTGRES_PASSWORD`; nothing for what is not such a server.

    Nothing either where its own health check or command uses the password: that has to know the new one.
    """
    if service.kind != Kind.DATA or image_name(service.runs) not in POSTGRES_IMAGES:
        return None
    rest = {key: value for key, value in service.definition.items() if key != "environment"}
    if not service.environment.get(PASSWORD) or PASSWORD in str(rest):
        return None
    return Login(service.name, str(service.environment.get(_USER) or _SUPERUSER))


def passed_over(stack: Stack, record: ReleaseRecord, known: Mapping[str, Mapping[str, str]]) -> Iterator[Login]:
    """Logins whose password is another one than the service was set up with.

    `known` is what the host says of its data services: to each the digests of its parts.
    """
    part = f"environment.{PASSWORD}"
    for service in stack.services.values():
        there = known.get(service.name, {}).get(part)
        login = login_of(service)
        if login and there and there != record.services[service.name].parts.get(part):
            yield login


def with_initial(
    stack: Stack,
    record: ReleaseRecord,
    known: Mapping[str, Mapping[str, str]],
    passwords: Mapping[str, str],
) -> tuple[Stack, ReleaseRecord]:
    """The same with services set up with the passwords that they have been: none is replaced for that alone.

    `passwords` are those of the services' definitions on the host, as compose has them.
    """
    part = f"environment.{PASSWORD}"
    services, records = dict(stack.services), dict(record.services)
    for name, password in passwords.items():
        one = services[name]
        definition: dict[str, Any] = dict(one.definition)
        definition["environment"] = {**one.environment, PASSWORD: password}
        services[name] = dataclasses.replace(one, definition=definition)
        parts = {**records[name].parts, part: known[name][part]}
        records[name] = dataclasses.replace(records[name], parts=parts)
    return dataclasses.replace(stack, services=services), dataclasses.replace(record, services=records)
