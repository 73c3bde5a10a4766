"""Everything found about a project, as what `stack.inspect` shows: each with its reason and how to say otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.model.findings.commands import SCHEMA, find, migrates_itself, migrating_job
from deploy.model.findings.compose_files import ComposeFiles
from deploy.model.findings.credentials import credentials_of
from deploy.model.findings.env_files import EnvFile
from deploy.model.findings.source import Source
from deploy.model.kinds import Kind
from deploy.model.options import COMMANDS
from deploy.model.stack import Service, Stack


@dataclass(frozen=True)
class Finding:
    """One thing that was found."""

    topic: str
    """What it is about: `kind`, `port`, `migrate`, …"""
    subject: str
    """Whose it is: a service, or an environment."""
    value: str
    reason: str
    override: str
    """What to write, and where, for something else."""


def file_findings(
    environment: str,
    files: ComposeFiles,
    env_file: EnvFile,
    example: str,
    missing: Sequence[str],
    made_up: Sequence[str],
) -> Iterator[Finding]:
    """What was found about the files of an environment.

    `example` is what its env file is made from, `missing` are variables that nothing sets, `made_up` those with an
    example's value.
    """
    where = f"under deploy.environments.{environment} in invoke.yaml"
    yield Finding("compose files", environment, ", ".join(files.paths), files.reason, f"compose: [...] {where}")
    override = f"env_file: ... {where}"
    yield Finding("env file", environment, env_file.path, env_file.reason, override)
    if example:
        yield Finding(
            "env file", environment, f"example {example}", "what it is made from once, when it is missing", override
        )
    for name in missing:
        yield Finding("env file", environment, f"{name} is not set", "the compose files require it", override)
    for name in made_up:
        yield Finding("env file", environment, f"{name} is an example's value", "it looks made up", override)


def findings_of(
    stack: Stack,
    sources: Mapping[str, Source],
    raw: Mapping[str, Mapping[str, str | None]],
    backed_up: Iterable[str],
) -> Iterator[Finding]:
    """What was found about the services of a stack that findings have been put into.

    `raw` are the services' environments before variables were put in, `backed_up` the services that `db.backup` knows.
    """
    known = frozenset(backed_up)
    for service in stack.services.values():
        override = _option("kind: web, worker, data or job")
        yield Finding("kind", service.name, str(service.kind), service.kind_reason, override)
    for service in stack.data:
        yield from _data(service, sources.get(service.name), raw.get(service.name) or {}, known)
    for service in stack.services.values():
        yield from _ports(service)
    for name in COMMANDS:
        for service in stack.with_command(name):
            yield _command(service, name)
    yield from _without_migrate(stack, sources)


def _data(
    service: Service, source: Source | None, raw: Mapping[str, str | None], backed_up: frozenset[str]
) -> Iterator[Finding]:
    image = service.image or (source.recipe.base if source else "")
    found = credentials_of(image, service.environment, raw)
    yield Finding(
        "data",
        service.name,
        f"{found}; {'backed up by db.backup' if service.name in backed_up else 'not backed up yet'}",
        "; ".join(part for part in (f"image {image}", found.password) if part),
        "the service's own image and environment in the compose file",
    )


def _ports(service: Service) -> Iterator[Finding]:
    for port in service.ports:
        if service.kind == Kind.DATA:
            value, reason = "published by the service itself", "a data service is not replaced by releases"
        elif service.exclusive:
            value, reason = "published by the service itself, with a gap at each release", service.exclusive
        elif port.http:
            value, reason = "HTTP through the edge", f"{port.target} is a usual port of HTTP, or app_protocol says so"
        else:
            value, reason = "TCP through the edge", f"{port.target} is no usual port of HTTP, or x-deploy.tcp says so"
        override = f"app_protocol: http at the port; {_option('tcp: [<port>]')}"
        yield Finding("port", service.name, f"{port} → {port.target}: {value}", reason, override)


def _command(service: Service, name: str) -> Finding:
    reason = service.options.found.get(name)
    override = _option(f"{name}: <command>, or false")
    return Finding(
        name, service.name, str(service.options.command(name)), reason or f"x-deploy.{name} says so", override
    )


def _without_migrate(stack: Stack, sources: Mapping[str, Source]) -> Iterator[Finding]:
    """Services that seem to have migrations which nothing is going to run, and why not."""
    if stack.with_command("migrate"):
        return
    for name, source in sources.items():
        service = stack.services[name]
        hit = find(service, source)
        if hit is None or "migrate" not in hit.commands:
            continue
        override = _option(f"migrate: {hit.commands['migrate']}") + ", as the image's entrypoint takes it"
        if set(SCHEMA) & service.options.off:
            yield Finding("migrate", name, "nothing", "x-deploy.migrate: false says so", override)
        elif job := migrating_job(stack, name, sources):
            yield Finding("migrate", name, f"left to {job}", "a job of the stack migrates", override)
        elif hit.hindrance:
            yield Finding("migrate", name, "nothing", f"{hit.reason}, but {hit.hindrance}", override)
    for name, source in sources.items():
        if where := migrates_itself(stack.services[name], source):
            yield Finding("migrate", name, "as it starts", f"{where} migrates", _option("migrate: <command>"))


def _option(text: str) -> str:
    return f"x-deploy: {{{text}}} beside the service"
