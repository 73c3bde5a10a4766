"""Rendering a stack into the compose documents of a release and of the data project.

The normalized model is taken as it is and only what must change is changed (see the design, section 3).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.model.layout import HostLayout
from deploy.model.stack import Service, Stack

_NOT_FOR_HOSTS = ("build", "x-deploy", "develop")


@dataclass(frozen=True)
class ShippedFile:
    """A file or folder of the project that goes to the host beside the compose document that mounts it."""

    local: Path
    remote: PurePosixPath
    """Relative to the folder of the compose document."""


@dataclass(frozen=True)
class Volume:
    """A named volume, shared by all releases."""

    name: str
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rendered:
    """A compose document and what has to stand beside it. `document` holds the values of secrets."""

    document: Mapping[str, Any] = field(repr=False)
    files: tuple[ShippedFile, ...]
    folders: tuple[str, ...]
    """Folders under the layout's `shared` that services write to."""


def render_release(
    stack: Stack, images: Mapping[str, str], layout: HostLayout, release_id: str, root: Path
) -> Rendered:
    """The compose document of one release: every service but the data ones, its ports left to the edge.

    `images` gives each service the reference to run; `root` is the project's folder on this machine: what lies inside
    is shipped, what lies outside is taken to exist on the host.
    """
    writer = _Writer(stack, layout, root, layout.release(release_id))
    data = {service.name for service in stack.data}
    services = {}
    for service in stack.app:
        definition = writer.service(service, images[service.name])
        _drop_dependencies(definition, data)
        if service in stack.public:
            definition.pop("ports", None)
        if definition.get("restart") == "always":
            # a release that was stopped must not come back with the engine; that is all that tells the two apart
            definition["restart"] = "unless-stopped"
        services[service.name] = definition
    networks = {name: _release_network(raw) for name, raw in (stack.document.get("networks") or {}).items()}
    return writer.finish(layout.release_project(release_id), services, networks)


def render_data(stack: Stack, images: Mapping[str, str], layout: HostLayout, root: Path) -> Rendered:
    """The compose document of the long-lived data project."""
    writer = _Writer(stack, layout, root, layout.data)
    app = {service.name for service in stack.app}
    services = {}
    for service in stack.data:
        definition = writer.service(service, images[service.name])
        _drop_dependencies(definition, app)
        services[service.name] = definition
    used = {network for service in stack.data for network in service.networks}
    networks = {
        name: _release_network(raw) | ({} if raw.get("external") else {"name": layout.lasting_network(f"data-{name}")})
        for name, raw in (stack.document.get("networks") or {}).items()
        if name in used
    }
    return writer.finish(layout.data_project, services, networks)


def stack_volumes(stack: Stack) -> tuple[Volume, ...]:
    """The named volumes that a host must have, those declared external left out."""
    return tuple(
        Volume(raw["name"], raw.get("driver", ""), raw.get("driver_opts") or {})
        for raw in (stack.document.get("volumes") or {}).values()
        if not raw.get("external")
    )


class _Writer:
    """Collects what the services of one document need beside them."""

    def __init__(self, stack: Stack, layout: HostLayout, root: Path, folder: PurePosixPath) -> None:
        self._model = stack.document
        self._layout = layout
        self._root = root
        self._folder = folder
        self._files: dict[PurePosixPath, ShippedFile] = {}
        self._folders: set[str] = set()

    def service(self, service: Service, image: str) -> dict[str, Any]:
        definition: dict[str, Any] = copy.deepcopy(dict(service.definition))
        for key in _NOT_FOR_HOSTS:
            definition.pop(key, None)
        definition["image"] = image
        definition["pull_policy"] = "never"
        if own_name := definition.pop("container_name", None):
            _add_alias(definition, own_name)
        for network in (definition.get("networks") or {}).values():
            for fixed in ("ipv4_address", "ipv6_address", "mac_address"):
                (network or {}).pop(fixed, None)
        for mount in definition.get("volumes") or ():
            if mount.get("type") == "bind":
                mount["source"] = self._bind_source(mount)
        return definition

    def finish(self, project: str, services: dict[str, Any], networks: dict[str, Any]) -> Rendered:
        document: dict[str, Any] = {"name": project, "services": services}
        if networks:
            document["networks"] = networks
        volumes = {
            name: {"name": raw["name"], "external": True} for name, raw in (self._model.get("volumes") or {}).items()
        }
        if volumes:
            document["volumes"] = volumes
        for section in ("configs", "secrets"):
            used = {entry["source"] for service in services.values() for entry in service.get(section) or ()}
            if used:
                document[section] = {name: self._material(self._model[section][name]) for name in sorted(used)}
        return Rendered(document, tuple(self._files.values()), tuple(sorted(self._folders)))

    def _bind_source(self, mount: Mapping[str, Any]) -> str:
        source = Path(mount["source"])
        if not source.is_relative_to(self._root):
            return str(source)
        if mount.get("read_only") or source.is_file():
            return self._ship(source)
        inside = str(source.relative_to(self._root))
        self._folders.add(inside)
        return str(self._layout.shared / inside)

    def _material(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """A config or secret, its file shipped. The normalized name holds the project's: compose makes a new one."""
        material = {key: value for key, value in raw.items() if key != "name" or raw.get("external")}
        if "file" in material:
            source = Path(material["file"])
            material["file"] = self._ship(source) if source.is_relative_to(self._root) else str(source)
        return material

    def _ship(self, source: Path) -> str:
        remote = PurePosixPath("files", source.relative_to(self._root).as_posix())
        self._files[remote] = ShippedFile(source, remote)
        return str(self._folder / remote)


def _release_network(raw: Mapping[str, Any] | None) -> dict[str, Any]:
    """A network that can exist once per release: without its fixed name and without fixed addresses."""
    network = dict(raw or {})
    if network.get("external"):
        return network
    network.pop("name", None)
    network.pop("ipam", None)
    return network


def _drop_dependencies(definition: dict[str, Any], absent: Iterable[str]) -> None:
    dependencies = definition.get("depends_on") or {}
    for name in absent:
        dependencies.pop(name, None)
    if not dependencies:
        definition.pop("depends_on", None)


def _add_alias(definition: dict[str, Any], alias: str) -> None:
    networks = definition.get("networks") or {"default": None}
    definition["networks"] = {
        name: dict(network or {}) | {"aliases": [*(network or {}).get("aliases", ()), alias]}
        for name, network in networks.items()
    }
