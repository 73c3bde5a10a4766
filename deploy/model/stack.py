"""A stack: the services of a compose project as `docker compose config --format json` gives them, typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.model.errors import UsageError
from deploy.model.kinds import Kind, classify
from deploy.model.options import ServiceOptions, parse_options

HTTP_PORTS = frozenset({80, 3000, 3001, 4000, 4200, 5000, 5173, 8000, 8001, 8080, 8081, 8888, 9000})
"""Container ports that speak HTTP unless `app_protocol` or `x-deploy.tcp` says otherwise."""


@dataclass(frozen=True, order=True)
class Port:
    """A port that a service publishes."""

    published: int
    target: int
    host_ip: str = ""
    protocol: str = "tcp"
    http: bool = False

    def __str__(self) -> str:
        address = f"{self.host_ip}:" if self.host_ip else ""
        return f"{address}{self.published}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


@dataclass(frozen=True)
class Build:
    """How a service's image is built: the normalized `build` section, its folders absolute."""

    context: str
    dockerfile: str
    definition: Mapping[str, Any]

    @property
    def dockerfile_path(self) -> Path:
        return Path(self.context, self.dockerfile)

    @property
    def local(self) -> bool:
        """Whether the context is a folder of this machine rather than a repository elsewhere."""
        return Path(self.context).is_absolute()


@dataclass(frozen=True)
class Service:
    """One service of a stack."""

    name: str
    kind: Kind
    kind_reason: str
    options: ServiceOptions
    image: str
    """The reference that `image:` gives; empty when compose names the built image itself."""
    build: Build | None
    ports: tuple[Port, ...]
    definition: Mapping[str, Any] = field(repr=False)
    """The normalized compose definition. Holds the values of secrets: never printed."""

    @property
    def environment(self) -> Mapping[str, str | None]:
        return self.definition.get("environment") or {}

    @property
    def networks(self) -> tuple[str, ...]:
        return tuple(self.definition.get("networks") or ())

    @property
    def replicas(self) -> int:
        deploy = self.definition.get("deploy") or {}
        return int(deploy.get("replicas", self.definition.get("scale", 1)))

    @property
    def has_healthcheck(self) -> bool:
        check = self.definition.get("healthcheck")
        return bool(check and not check.get("disable"))

    @property
    def exclusive(self) -> str:
        """Why two of this service cannot run at once, or an empty text when they can."""
        if self.kind == Kind.WORKER and not self.options.overlap:
            return "a worker never runs twice"
        if self.definition.get("network_mode") == "host":
            return "it uses the host's network"
        if any(port.protocol != "tcp" for port in self.ports):
            return "it publishes a UDP port, which no proxy can hand over"
        return ""


@dataclass(frozen=True)
class Stack:
    """A compose project, normalized. `document` is the whole model and holds the values of secrets."""

    services: Mapping[str, Service]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def data(self) -> tuple[Service, ...]:
        """Services that live on across releases."""
        return tuple(service for service in self.services.values() if service.kind == Kind.DATA)

    @property
    def app(self) -> tuple[Service, ...]:
        """Services that every release brings anew."""
        return tuple(service for service in self.services.values() if service.kind != Kind.DATA)

    @property
    def public(self) -> tuple[Service, ...]:
        """Services whose TCP ports the edge takes over."""
        return tuple(service for service in self.app if service.ports and not service.exclusive)

    @property
    def built(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.build)

    def with_command(self, name: str) -> tuple[Service, ...]:
        """Services that declare `x-deploy.<name>`."""
        return tuple(service for service in self.services.values() if service.options.command(name))


def parse_stack(document: Mapping[str, Any]) -> Stack:
    """A stack from a normalized compose model. Raises UsageError for an `x-deploy` that cannot be."""
    services = {name: _service(name, raw, document) for name, raw in (document.get("services") or {}).items()}
    if not services:
        raise UsageError("the compose files define no services", "check `compose:` in invoke.yaml")
    return Stack(services, document)


def one_service(names: Iterable[str], command: str) -> str:
    """The only one of the services that declare a command. Raises UsageError when there is none or more than one."""
    found = tuple(names)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"no service declares x-deploy.{command}",
            f"add x-deploy: {{{command}: <command>}} to a service of the compose file",
        )
    raise UsageError(
        f"more than one service declares x-deploy.{command}: {', '.join(found)}", f"name one: --service {found[0]}"
    )


def _service(name: str, raw: Mapping[str, Any], document: Mapping[str, Any]) -> Service:
    options = parse_options(raw.get("x-deploy"), name)
    kind, reason = (options.kind, "x-deploy.kind") if options.kind else classify(name, raw, document)
    build = raw.get("build")
    return Service(
        name=name,
        kind=kind,
        kind_reason=reason,
        options=options,
        image=str(raw.get("image", "")),
        build=Build(str(build["context"]), str(build.get("dockerfile", "Dockerfile")), build) if build else None,
        ports=tuple(sorted(_ports(raw, options))),
        definition=raw,
    )


def _ports(raw: Mapping[str, Any], options: ServiceOptions) -> Iterable[Port]:
    for port in raw.get("ports") or ():
        if not port.get("published"):  # a port of the engine's choosing: nobody can rely on it from outside
            continue
        first, _, last = str(port["published"]).partition("-")
        target = int(port["target"])
        protocol = str(port.get("protocol", "tcp"))
        speaks = port.get("app_protocol")
        http = (
            protocol == "tcp" and target not in options.tcp and (speaks == "http" if speaks else target in HTTP_PORTS)
        )
        for published in range(int(first), int(last or first) + 1):
            yield Port(published, target, str(port.get("host_ip", "")), protocol, http)
