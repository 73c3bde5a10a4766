"""A stack: the services of a compose project as `docker compose config --format json` gives them, typed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.model.errors import UsageError
from deploy.model.kinds import Kind, classify, may_end, store_reason
from deploy.model.options import ServiceOptions, parse_options

HTTP_PORTS = frozenset({80, 1337, 3000, 3001, 4000, 4200, 5000, 5001, 5173, 5601}) | frozenset(
    {8000, 8001, 8002, 8080, 8081, 8082, 8088, 8090, 8501, 8888, 9000, 9090}
)
"""Container ports that speak HTTP unless `app_protocol` or `x-deploy.tcp` says otherwise."""


@dataclass(frozen=True, order=True)
class Port:
    """A port that a service publishes."""

    published: int
    target: int
    host_ip: str = ""
    protocol: str = "tcp"
    http: bool = False

    @property
    def local(self) -> bool:
        """Whether only the machine that publishes it reaches it."""
        return self.host_ip.startswith("127.") or self.host_ip in {"::1", "localhost"}

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

    @property
    def inline(self) -> str | None:
        """The Dockerfile itself, where the compose file has it."""
        text = self.definition.get("dockerfile_inline")
        return None if text is None else unescaped(str(text))


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
    base: str = ""
    """The image that its own one is built from, as far as it is known."""
    store: bool = False
    """Whether it is a database or its like, whose ports are nothing for the edge."""
    built_by: str = ""
    """The service that builds its image, where that is another one."""
    tied: str = ""
    """The service whose network it shares, where two of that one cannot run at once."""
    receives: str = ""
    """The database whose WAL it receives, for what no compose file has and point in time needs."""

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
    def memory_limit_bytes(self) -> int | None:
        """What one container of it may have, where that is said; compose gives it in bytes."""
        deploy = self.definition.get("deploy") or {}
        limits = (deploy.get("resources") or {}).get("limits") or {}
        size = str(limits.get("memory") or self.definition.get("mem_limit") or "")
        return int(size) if size.isdigit() else None

    @property
    def has_healthcheck(self) -> bool:
        check = self.definition.get("healthcheck")
        return bool(check and not check.get("disable"))

    @property
    def exclusive(self) -> str:
        """Why two of this service cannot run at once, or an empty text when they can."""
        if self.kind == Kind.WORKER and not self.options.overlap:
            return "a worker never runs twice"
        if self.network_mode == "host":
            return "it uses the host's network"
        if self.ports and self.network_mode and not self.network_mode.startswith("service:"):
            return f"its network_mode is {self.network_mode}, where no proxy reaches it"
        if any(port.protocol != "tcp" for port in self.ports):
            return "it publishes a UDP port, which no proxy can hand over"
        if self.tied:
            return f"it shares the network of {self.tied}, which cannot run twice"
        return ""

    @property
    def runs(self) -> str:
        """The image that tells what it is: its own, or what that is built from."""
        return self.base if self.build else self.image

    @property
    def network_mode(self) -> str:
        return str(self.definition.get("network_mode") or "")

    @property
    def edge_ports(self) -> tuple[Port, ...]:
        """Published ports that the edge takes over: all of what can run twice, and the pages of what lives on."""
        if self.exclusive:
            return ()
        if self.kind != Kind.DATA:
            return self.ports
        return () if self.store else tuple(port for port in self.ports if port.http)

    @property
    def direct_ports(self) -> tuple[Port, ...]:
        """Published ports that its own container holds on the host."""
        return tuple(port for port in self.ports if port not in self.edge_ports)

    @property
    def may_end(self) -> bool:
        """Whether it is as it should be when it has ended with status 0."""
        return may_end(self.definition)


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
        """Services that the edge stands before."""
        return tuple(service for service in self.services.values() if service.edge_ports)

    @property
    def built(self) -> tuple[Service, ...]:
        return tuple(service for service in self.services.values() if service.build)

    def with_command(self, name: str) -> tuple[Service, ...]:
        """Services that declare `x-deploy.<name>`."""
        return tuple(service for service in self.services.values() if service.options.command(name))


def parse_stack(
    document: Mapping[str, Any], bases: Mapping[str, str] | None = None, folders: Container[str] = ()
) -> Stack:
    """A stack from a normalized compose model. Raises UsageError for an `x-deploy` that cannot be.

    `bases` are the images that services are built from, as far as they are known; `folders` are the sources of bind
    mounts that hold data.
    """
    declared = document.get("services") or {}
    owners = {raw["image"]: name for name, raw in declared.items() if raw.get("image") and raw.get("build")}
    document = with_shared_builds(document)
    services = {
        name: _service(name, raw, document, (bases or {}).get(name, ""), folders)
        for name, raw in (document.get("services") or {}).items()
    }
    if not services:
        raise UsageError("the compose files define no services", "check `compose:` in invoke.yaml")
    tied = {
        name: other
        for name, service in services.items()
        if (other := service.network_mode.removeprefix("service:")) in services and services[other].exclusive
    }
    services |= {name: dataclasses.replace(services[name], tied=other) for name, other in tied.items()}
    shared = {
        name: owners[one.image] for name, one in services.items() if one.build and not declared[name].get("build")
    }
    services |= {name: dataclasses.replace(services[name], built_by=owner) for name, owner in shared.items()}
    return Stack(services, document)


def with_shared_builds(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The model with each service that only names the image that another one builds built like that one.

    Compose leaves that to the order in which things are done by hand: the image is there when the other has been built.
    """
    services = document.get("services") or {}
    builds = {raw["image"]: raw["build"] for raw in services.values() if raw.get("image") and raw.get("build")}
    shared = {
        name: raw | {"build": copy.deepcopy(builds[raw["image"]])}
        for name, raw in services.items()
        if not raw.get("build") and raw.get("image") in builds
    }
    return {**document, "services": {**services, **shared}} if shared else document


def unescaped(text: str) -> str:
    """A value as it is meant: compose prints every dollar twice, to be read as a compose file again."""
    return text.replace("$$", "$")


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


def not_yours(service: str, command: str) -> str:
    """What to do about a command that was found and is not right."""
    return (
        f"it was found, not declared: say what is right by x-deploy: {{{command}: <command>}} beside "
        f"services.{service} in the compose file, or false for none"
    )


def _service(
    name: str, raw: Mapping[str, Any], document: Mapping[str, Any], base: str, folders: Container[str]
) -> Service:
    options = parse_options(raw.get("x-deploy"), name)
    kind, reason = (options.kind, "x-deploy.kind") if options.kind else classify(name, raw, document, base, folders)
    return Service(
        name=name,
        kind=kind,
        kind_reason=reason,
        options=options,
        image=str(raw.get("image", "")),
        build=build_of(raw),
        ports=tuple(sorted(_ports(raw, options))),
        definition=raw,
        base=base,
        store=bool(store_reason(raw, base)),
    )


def build_of(raw: Mapping[str, Any]) -> Build | None:
    """How the image of a service in a normalized model is built; None where it is taken as it is."""
    build = raw.get("build")
    if not build:
        return None
    return Build(unescaped(str(build["context"])), str(build.get("dockerfile", "Dockerfile")), build)


def published_ports(port: Mapping[str, Any]) -> range:
    """The ports of the host that an entry of `ports` publishes; none where the engine is to choose."""
    first, _, last = str(port.get("published") or "").partition("-")
    return range(int(first), int(last or first) + 1) if first else range(0)


def _ports(raw: Mapping[str, Any], options: ServiceOptions) -> Iterable[Port]:
    for port in raw.get("ports") or ():
        target = int(port["target"])
        protocol = str(port.get("protocol", "tcp"))
        speaks = port.get("app_protocol")
        http = (
            protocol == "tcp" and target not in options.tcp and (speaks == "http" if speaks else target in HTTP_PORTS)
        )
        # one of the engine's choosing is none: nobody can rely on it from outside
        for published in published_ports(port):
            yield Port(published, target, str(port.get("host_ip", "")), protocol, http)
