"""What should run on a host, worked out on this machine without touching anything."""

from __future__ import annotations

import dataclasses
import getpass
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.engine.compose import ComposeProject
from deploy.engine.context import folder_digest
from deploy.engine.images import ImageSource, image_sources
from deploy.engine.revision import revision_of
from deploy.model.checks import check_stack, require_none
from deploy.model.dockerignore import IgnoreRules
from deploy.model.fingerprint import digest, service_parts
from deploy.model.options import COMMANDS
from deploy.model.release import PublicPort, ReleaseRecord, ServiceRecord, new_release_id
from deploy.model.settings import Environment
from deploy.model.stack import Service, Stack


@dataclass(frozen=True)
class Prepared:
    """A release before it has a host."""

    environment: Environment
    root: Path
    stack: Stack
    sources: Mapping[str, ImageSource]
    record: ReleaseRecord
    warnings: tuple[str, ...]

    def pinned(self, images: Mapping[str, str]) -> Prepared:
        """The same with each service's image as the reference that will never mean another image."""
        services = {
            name: dataclasses.replace(service, image=images.get(name, service.image))
            for name, service in self.record.services.items()
        }
        return dataclasses.replace(self, record=dataclasses.replace(self.record, services=services))


def prepare(
    compose: ComposeProject, environment: Environment, root: Path, now: datetime, *, rebuild: bool = False
) -> Prepared:
    """Read the stack, check it, and work out what a release of it is made of.

    `rebuild` asks for new images although nothing they are made from here has changed: their base may have.
    Raises UsageError for files that cannot be read and DeployError listing every local problem.
    """
    stack, warnings = compose.stack()
    warnings += require_none(check_stack(stack), "the stack")
    sources = image_sources(stack, compose.name, salt=now.isoformat() if rebuild else "")
    revision = revision_of(root)
    record = ReleaseRecord(
        id=new_release_id(now, revision),
        environment=environment.name,
        created_at=now,
        created_by=whoami(),
        revision=revision,
        services={name: _record(service, stack, sources[name], root) for name, service in stack.services.items()},
        public=tuple(PublicPort(service.name, port) for service in stack.public for port in service.ports),
    )
    return Prepared(environment, root, stack, sources, record, warnings)


def whoami() -> str:
    """user@machine, for records that outlive this process."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _record(service: Service, stack: Stack, source: ImageSource, root: Path) -> ServiceRecord:
    return ServiceRecord(
        kind=service.kind,
        image=source.reference,
        source=source.source,
        replicas=service.replicas,
        exclusive=service.exclusive,
        health_path=service.options.health_path,
        networks=dict(_networks(service, stack)),
        commands={name: tuple(command) for name in COMMANDS if (command := service.options.command(name))},
        parts=service_parts(_portable(service, root), stack.document, source.source, _files(service, stack, root)),
    )


def _networks(service: Service, stack: Stack) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The networks a release makes for the service, with the names others find it by there."""
    for name, options in (service.definition.get("networks") or {}).items():
        if not (stack.document.get("networks") or {}).get(name, {}).get("external"):
            own = service.definition.get("container_name")
            yield name, (service.name, *((options or {}).get("aliases") or ()), *([own] if own else []))


def _portable(service: Service, root: Path) -> dict[str, Any]:
    """The definition without this checkout's place on this machine: a clone elsewhere must look the same."""
    definition = dict(service.definition)
    if "volumes" in definition:
        definition["volumes"] = [
            mount | {"source": str(Path(mount["source"]).relative_to(root))}
            if mount.get("type") == "bind" and Path(mount["source"]).is_relative_to(root)
            else mount
            for mount in definition["volumes"]
        ]
    return definition


def _files(service: Service, stack: Stack, root: Path) -> dict[str, str]:
    """The digest of every file of the project that the service gets, by its path in the project."""
    paths = [Path(mount["source"]) for mount in service.definition.get("volumes") or () if mount.get("type") == "bind"]
    for section in ("configs", "secrets"):
        for entry in service.definition.get(section) or ():
            file = (stack.document.get(section) or {}).get(entry["source"], {}).get("file")
            paths += [Path(file)] if file else []
    return {
        str(path.relative_to(root)): folder_digest(path, IgnoreRules(()))
        if path.is_dir()
        else digest(path.read_bytes().hex())
        for path in paths
        if path.is_relative_to(root) and path.exists()
    }
