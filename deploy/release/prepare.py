"""What should run on a host, worked out on this machine without touching anything."""

from __future__ import annotations

import dataclasses
import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.data.archive import FREE_MB, KEPT_MB, SLOT
from deploy.engine.compose import ComposeProject
from deploy.engine.context import files_digest, migrations_in
from deploy.engine.examine import Examined, examine_project
from deploy.engine.images import ImageSource, image_sources
from deploy.engine.lines import SourceLines
from deploy.engine.revision import revision_of
from deploy.model.command import Command
from deploy.model.fingerprint import digest, service_parts
from deploy.model.layout import HostLayout
from deploy.model.migrations import framework_of
from deploy.model.options import COMMANDS
from deploy.model.places import Place, Places, bind_mounts, local_path
from deploy.model.receiver import with_receivers
from deploy.model.release import PublicPort, ReleaseRecord, ServiceRecord, new_release_id
from deploy.model.settings import Environment
from deploy.model.stack import Service, Stack
from deploy.shell.packaged import packaged


@dataclass(frozen=True)
class Prepared:
    """A release before it has a host."""

    environment: Environment
    root: Path
    stack: Stack
    places: Places
    """Where what services mount is on a host."""
    lines: SourceLines
    """Where in the compose files something stands."""
    sources: Mapping[str, ImageSource]
    record: ReleaseRecord
    warnings: tuple[str, ...]
    platform: str
    """What its images are for: `linux/amd64`."""
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """What the env file says: not to be shown."""

    def pinned(self, images: Mapping[str, str]) -> Prepared:
        """The same with each service's image as the reference that will never mean another image."""
        services = {
            name: dataclasses.replace(service, image=images.get(name, service.image))
            for name, service in self.record.services.items()
        }
        return dataclasses.replace(self, record=dataclasses.replace(self.record, services=services))


def prepare(
    compose: ComposeProject,
    environment: Environment,
    root: Path,
    now: datetime,
    *,
    architecture: Callable[[], str],
    rebuild: bool = False,
) -> Prepared:
    """Read the stack, check it, and work out what a release of it is made of for hosts of an architecture.

    `architecture` is called once the stack is read, so that the host may be looked at meanwhile.
    DOCKER_DEFAULT_PLATFORM, where it is set, says against that what images are for, as it does for docker itself.
    `rebuild` asks for new images although nothing they are made from here has changed: their base may have.
    Raises UsageError for files that cannot be read and DeployError listing every local problem.
    """
    examined = examine_project(compose, environment, root)
    warnings = examined.notes(f"inv {environment.name}.check")
    return release_of(
        examined, compose, environment, root, now, architecture=architecture, rebuild=rebuild, warnings=warnings
    )


def release_of(
    examined: Examined,
    compose: ComposeProject,
    environment: Environment,
    root: Path,
    now: datetime,
    *,
    architecture: Callable[[], str],
    rebuild: bool = False,
    warnings: tuple[str, ...] = (),
) -> Prepared:
    """What a release is made of, whatever is wrong with the stack."""
    stack, places, lines = examined.stack, examined.places, examined.lines
    platform = os.environ.get("DOCKER_DEFAULT_PLATFORM") or f"linux/{architecture()}"
    sources = image_sources(stack, compose.name, platform, salt=now.isoformat() if rebuild else "")
    stack = with_receivers(stack, HostLayout(environment.project, environment.path), receive_wal())
    # a receiver runs its database's own image, whoever builds that
    sources |= {name: sources[one.receives] for name, one in stack.services.items() if one.receives}
    revision = revision_of(root)
    record = ReleaseRecord(
        id=new_release_id(now, revision),
        environment=environment.name,
        created_at=now,
        created_by=whoami(),
        revision=revision,
        services={name: _record(service, stack, sources[name], places) for name, service in stack.services.items()},
        public=tuple(PublicPort(service.name, port) for service in stack.public for port in service.edge_ports),
        engine=environment.engine,
    )
    variables = compose.variables()
    return Prepared(environment, root, stack, places, lines, sources, record, warnings, platform, variables)


def receive_wal() -> Command:
    """What a receiver of WAL runs."""
    return packaged("data", "receive-wal.sh", SLOT, KEPT_MB, FREE_MB)


def whoami() -> str:
    """user@machine, for records that outlive this process."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _record(service: Service, stack: Stack, source: ImageSource, places: Places) -> ServiceRecord:
    return ServiceRecord(
        kind=service.kind,
        image=source.reference,
        source=source.source,
        replicas=service.replicas,
        exclusive=service.exclusive,
        health_path=service.options.health_path,
        networks=dict(_networks(service, stack)),
        commands={name: tuple(command) for name in COMMANDS if (command := service.options.command(name))},
        base=service.base if service.build else "",
        may_end=service.may_end,
        outside=tuple(_outside(service, stack)),
        parts=service_parts(_portable(service, places), stack.document, source.source, _files(service, stack, places)),
        backup=service.options.backup,
        proof=service.options.proof,
        receives=service.receives,
        migrations=_migrations(service),
    )


def _migrations(service: Service) -> tuple[str, ...] | None:
    migrate = service.options.command("migrate")
    framework = framework_of(migrate) if migrate else None
    return migrations_in(service.build, framework) if framework and service.build and service.build.local else None


def _networks(service: Service, stack: Stack) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The networks a release makes for the service, with the names others find it by there."""
    links = [
        str(link).partition(":")[::2]
        for other in stack.services.values()
        for link in other.definition.get("links") or ()
    ]
    linked = [alias for name, alias in links if name == service.name and alias and alias != name]
    for name, options in (service.definition.get("networks") or {}).items():
        if not (stack.document.get("networks") or {}).get(name, {}).get("external"):
            own = service.definition.get("container_name")
            aliases = ((options or {}).get("aliases") or (), [own] if own else [], linked)
            yield name, tuple(dict.fromkeys([service.name, *(alias for some in aliases for alias in some)]))


def _outside(service: Service, stack: Stack) -> Iterator[str]:
    """Networks of the service that are on the host before, by the names they have there."""
    for name in service.networks:
        network = (stack.document.get("networks") or {}).get(name) or {}
        if network.get("external"):
            yield str(network.get("name") or name)


def _portable(service: Service, places: Places) -> dict[str, Any]:
    """The definition without this checkout's place on this machine: a clone elsewhere must look the same."""
    definition = dict(service.definition)
    if "volumes" in definition:
        definition["volumes"] = [
            mount | {"source": places.relative(mount["source"])}
            if mount.get("type") == "bind" and places.inside(mount["source"])
            else mount
            for mount in definition["volumes"]
        ]
    return definition


def _files(service: Service, stack: Stack, places: Places) -> dict[str, str]:
    """The digest of every file and folder of the project that travels with the service, by its path in the project."""
    shipped = {
        str(mount["source"]): placement.members
        for name, mount in bind_mounts(stack)
        if name == service.name and (placement := places.of(mount)).place == Place.SHIPPED
    }
    for section in ("configs", "secrets"):
        for entry in service.definition.get(section) or ():
            file = (stack.document.get(section) or {}).get(entry["source"], {}).get("file")
            if file and places.inside(file):
                shipped[str(file)] = None
    return {
        places.relative(source): files_digest((path / name, name) for name in members)
        if members is not None
        else digest(path.read_bytes().hex())
        for source, members in shipped.items()
        if (path := local_path(source)).is_file() or members is not None
    }
