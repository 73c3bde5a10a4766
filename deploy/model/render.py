"""Rendering a stack into the compose documents of a release and of the data project.

The normalized model is taken as it is and only what must change is changed (see the design, section 3).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.model.fingerprint import digest
from deploy.model.kinds import restart_of
from deploy.model.layout import HostLayout
from deploy.model.places import Place, Places, bound_device, local_path
from deploy.model.stack import Port, Service, Stack, published_ports, unescaped

_NOT_FOR_HOSTS = ("build", "develop", "profiles")
"""What has had its effect when the model was read. A service of a profile that is on is a service like any other."""
_BRIDGE_NAME = "com.docker.network.bridge.name"
FILES_LABEL = "windlass.files"
"""On a data service: the digest of its shipped files. Compose replaces a container for another label, not for another
content behind the same mount, which its server would not look at again either."""


@dataclass(frozen=True)
class ShippedFile:
    """A file or folder of the project that goes to the host beside the compose document that mounts it."""

    local: Path
    remote: PurePosixPath
    """Relative to the folder of the compose document."""
    members: tuple[str, ...] | None = None
    """Of a folder: the files of it that go. None stands for a single file, or for all of a folder."""
    readable: bool = False
    """Whether everybody in a container may read it, as compose has it for secrets. On the host its folder is closed."""


@dataclass(frozen=True)
class ShippedText:
    """A file of the release that stands nowhere here: what a variable held."""

    text: str = field(repr=False)
    remote: PurePosixPath


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
    texts: tuple[ShippedText, ...]
    folders: tuple[str, ...]
    """Folders under the layout's `shared` that services write to."""


def render_release(
    stack: Stack, images: Mapping[str, str], layout: HostLayout, release_id: str, places: Places
) -> Rendered:
    """The compose document of one release: every service but the data ones, its ports left to the edge.

    `images` gives each service the reference to run, `places` says where what it mounts is on a host.
    """
    writer = _Writer(stack, layout, places, layout.release(release_id))
    data = {service.name for service in stack.data}
    services = {}
    for service in stack.app:
        definition = writer.service(service, images[service.name])
        _drop_dependencies(definition, data)
        if service.edge_ports:
            definition.pop("ports", None)
        _keep_stopped(definition)
        services[service.name] = definition
    networks = {name: _release_network(raw) for name, raw in (stack.document.get("networks") or {}).items()}
    return writer.finish(layout.release_project(release_id), services, networks)


def render_data(
    stack: Stack,
    images: Mapping[str, str],
    layout: HostLayout,
    places: Places,
    parts: Mapping[str, Mapping[str, str]] | None = None,
) -> Rendered:
    """The compose document of the long-lived data project. `parts` are the digests of each service's parts."""
    writer = _Writer(stack, layout, places, layout.data)
    app = {service.name for service in stack.app}
    services = {}
    for service in stack.data:
        definition = writer.service(service, images[service.name])
        _drop_dependencies(definition, app)
        _leave_ports(definition, service.edge_ports)
        values = {*_values_of(service, stack)}
        own = (parts or {}).get(service.name, {})
        files = {name: value for name, value in own.items() if name[:5] == "file " or name in values}
        if files:
            definition["labels"] = dict(definition.get("labels") or {}) | {FILES_LABEL: digest(files)}
        services[service.name] = definition
    used = {network for service in stack.data for network in service.networks}
    networks = {
        name: _release_network(raw) | ({} if raw.get("external") else {"name": layout.lasting_network(f"data-{name}")})
        for name, raw in (stack.document.get("networks") or {}).items()
        if name in used
    }
    return writer.finish(layout.data_project, services, networks)


def _values_of(service: Service, stack: Stack) -> Iterator[str]:
    """Names of the parts of a service that are configs and secrets with a content of their own."""
    for section in ("configs", "secrets"):
        for entry in service.definition.get(section) or ():
            if "content" in ((stack.document.get(section) or {}).get(entry["source"]) or {}):
                yield f"{section}.{entry['source']}"


def stack_volumes(stack: Stack, layout: HostLayout, places: Places) -> tuple[Volume, ...]:
    """The named volumes that a host must have, those declared external left out."""
    return tuple(
        Volume(raw["name"], raw.get("driver", ""), _volume_options(raw, layout, places))
        for raw in (stack.document.get("volumes") or {}).values()
        if not raw.get("external")
    )


def _volume_options(raw: Mapping[str, Any], layout: HostLayout, places: Places) -> Mapping[str, str]:
    options = {key: unescaped(str(value)) for key, value in (raw.get("driver_opts") or {}).items()}
    device = bound_device(raw)
    return options | {"device": str(layout.shared / places.relative(device))} if _kept_device(raw, places) else options


def _kept_device(raw: Mapping[str, Any], places: Places) -> bool:
    device = bound_device(raw)
    return bool(device) and not raw.get("external") and places.inside(device)


class _Writer:
    """Collects what the services of one document need beside them."""

    def __init__(self, stack: Stack, layout: HostLayout, places: Places, folder: PurePosixPath) -> None:
        self._model = stack.document
        self._layout = layout
        self._places = places
        self._folder = folder
        self._files: dict[PurePosixPath, ShippedFile] = {}
        self._texts: dict[PurePosixPath, ShippedText] = {}
        self._folders: set[str] = set()

    def service(self, service: Service, image: str) -> dict[str, Any]:
        definition: dict[str, Any] = copy.deepcopy(dict(service.definition))
        for key in [key for key in definition if key in _NOT_FOR_HOSTS or key.startswith("x-")]:
            del definition[key]
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
        for raw in (self._model.get("volumes") or {}).values():
            if _kept_device(raw, self._places):
                self._folders.add(self._places.relative(bound_device(raw)))
        for section in ("configs", "secrets"):
            used = {entry["source"] for service in services.values() for entry in service.get(section) or ()}
            if used:
                document[section] = {name: self._material(section, name) for name in sorted(used)}
        return Rendered(
            document, tuple(self._files.values()), tuple(self._texts.values()), tuple(sorted(self._folders))
        )

    def _bind_source(self, mount: Mapping[str, Any]) -> str:
        source = str(mount["source"])
        placement = self._places.of(mount)
        if placement.place == Place.HOST:
            return source
        if placement.place == Place.SHIPPED:
            return self._ship(source, placement.members)
        inside = self._places.relative(source)
        self._folders.add(inside)
        return _escaped(str(self._layout.shared / inside))

    def _material(self, section: str, name: str) -> dict[str, Any]:
        """A config or secret, its file shipped. The normalized name holds the project's: compose makes a new one.

        What a variable holds is known here and not on the host. A config may have its content in the document; compose
        knows no such thing for a secret, so that one becomes a file.
        """
        raw = self._model[section][name]
        material = {key: value for key, value in raw.items() if key != "name" or raw.get("external")}
        if "content" in material:
            material.pop("environment", None)
        if "file" in material and self._places.inside(material["file"]):
            material["file"] = self._ship(material["file"], None, readable=section == "secrets")
        if section == "secrets" and "content" in material:
            remote = PurePosixPath("values", name)
            self._texts[remote] = ShippedText(unescaped(material.pop("content")), remote)
            material["file"] = _escaped(str(self._folder / remote))
        return material

    def _ship(self, source: str, members: tuple[str, ...] | None, *, readable: bool = False) -> str:
        remote = PurePosixPath("files", self._places.relative(source))
        known = self._files.get(remote)
        self._files[remote] = ShippedFile(
            local_path(source), remote, members, readable=readable or bool(known and known.readable)
        )
        return _escaped(str(self._folder / remote))


def _escaped(text: str) -> str:
    """A text as a compose document has it."""
    return text.replace("$", "$$")


def _release_network(raw: Mapping[str, Any] | None) -> dict[str, Any]:
    """A network that can exist once per release: without its fixed name and without fixed addresses."""
    network = dict(raw or {})
    if network.get("external"):
        return network
    network.pop("name", None)
    network.pop("ipam", None)
    if _BRIDGE_NAME in (options := dict(network.get("driver_opts") or {})):
        del options[_BRIDGE_NAME]
        network["driver_opts"] = options
    return network


def _drop_dependencies(definition: dict[str, Any], absent: Iterable[str]) -> None:
    """Leave out what says that a service of another document comes first: it does. So do links, by their names."""
    missing = {*absent}
    dependencies = {name: how for name, how in (definition.get("depends_on") or {}).items() if name not in missing}
    links = [link for link in definition.get("links") or () if str(link).partition(":")[0] not in missing]
    for key, left in (("depends_on", dependencies), ("links", links)):
        if left:
            definition[key] = left
        else:
            definition.pop(key, None)


def _keep_stopped(definition: dict[str, Any]) -> None:
    """A release that was stopped must not come back with the engine: all that tells the two policies apart."""
    restart = restart_of(definition)
    if restart:
        definition["restart"] = "unless-stopped" if restart == "always" else restart
        (definition.get("deploy") or {}).pop("restart_policy", None)


def _leave_ports(definition: dict[str, Any], taken: Iterable[Port]) -> None:
    """Leave out the published ports that the edge has taken over."""
    theirs = {(port.published, port.target) for port in taken if port.protocol == "tcp"}
    ports = [
        port
        for port in definition.get("ports") or ()
        if not any((number, int(port["target"])) in theirs for number in published_ports(port))
        or port.get("protocol", "tcp") != "tcp"
    ]
    if ports:
        definition["ports"] = ports
    else:
        definition.pop("ports", None)


def _add_alias(definition: dict[str, Any], alias: str) -> None:
    if definition.get("network_mode"):  # no network of the project's, so nobody knows it by a name
        return
    networks = definition.get("networks") or {"default": None}
    definition["networks"] = {
        name: dict(network or {}) | {"aliases": [*(network or {}).get("aliases", ()), alias]}
        for name, network in networks.items()
    }
