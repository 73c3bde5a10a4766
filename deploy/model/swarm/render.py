"""Rendering a stack into the documents for `docker stack deploy`: what every release brings, and what lives on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.places import Place, Places, bound_device
from deploy.model.render import Rendered, render_release
from deploy.model.stack import Service, Stack, published_ports, unescaped
from deploy.model.swarm import names
from deploy.model.swarm.alone import alone_entry, alone_port
from deploy.model.swarm.service import converted, memory_mounts

_EVERYWHERE = frozenset({"nfs", "nfs4", "cifs", "glusterfs", "ceph"})
"""Types of a volume of the local driver that is the same on every node."""
_APART = "apart"
"""A network of receivers, which need none: a cluster has no network "none", and who names none gets the stack's own."""


@dataclass(frozen=True)
class MountedFile:
    """A file of the project that a service mounts or gets as a config."""

    content: bytes = field(repr=False)
    inside: str = ""
    """Where it is in a folder that is mounted; empty for a file that is mounted by itself."""
    executable: bool = False


@dataclass(frozen=True)
class StackDocument:
    """A document and the files that it names, by their path beside it. Both hold secrets."""

    document: Mapping[str, Any] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Subject:
    """What documents are made from."""

    stack: Stack
    layout: HostLayout
    places: Places
    release: str
    images: Mapping[str, str]
    """What each service runs: a reference that every node can pull, by digest."""
    files: Mapping[str, tuple[MountedFile, ...]] = field(repr=False)
    """The content of what the project ships, by its path on this machine."""
    endpoint: str
    """vip or dnsrr, for services that do not say."""
    held: Mapping[int, str] = field(default_factory=dict)
    """UDP ports that services of the cluster publish on its nodes, each with the service's name there."""


def render_app(subject: Subject) -> StackDocument:
    """What every release brings, jobs left out: those run once, before."""
    services = [one for one in subject.stack.app if one.kind != Kind.JOB]
    return _Writer(subject, names.app_stack(subject.layout.project), lasting=False).document(services)


def render_beside(subject: Subject) -> StackDocument | None:
    """Those of them that may run while the same release serves elsewhere; None where there are none."""
    services = [one for one in subject.stack.app if one.kind != Kind.JOB and not one.exclusive]
    if not services:
        return None
    return _Writer(subject, names.app_stack(subject.layout.project), lasting=False).document(services)


def render_data(subject: Subject) -> StackDocument:
    """What lives on."""
    return _Writer(subject, names.data_stack(subject.layout.project), lasting=True).document(subject.stack.data)


def pinned(service: Service, stack: Stack, places: Places) -> str:
    """Why a service can only run on the node that keeps the project's data; empty when it can run anywhere."""
    for mount in service.definition.get("volumes") or ():
        source = str(mount.get("source") or "")
        if mount.get("type") == "volume" and source and _local((stack.document.get("volumes") or {}).get(source) or {}):
            return f"volume {source}"
        if mount.get("type") == "bind" and places.of(mount).place == Place.KEPT:
            return f"folder {places.relative(source)}"
    return "it keeps state" if service.kind == Kind.DATA else ""


def keeping(stack: Stack, places: Places) -> frozenset[str]:
    """Names of the services that run on the node with the data, and nowhere else."""
    return frozenset(
        name for name, one in stack.services.items() if pinned(one, stack, places) and not own_constraints(one)
    )


def own_constraints(service: Service) -> tuple[str, ...]:
    """Where its owner wants it to run."""
    placement = (service.definition.get("deploy") or {}).get("placement") or {}
    return tuple(placement.get("constraints") or ())


def _local(volume: Mapping[str, Any]) -> bool:
    """Whether a volume is another one on each node."""
    options = volume.get("driver_opts") or {}
    return str(volume.get("driver") or "local") == "local" and str(options.get("type") or "") not in _EVERYWHERE


class _Writer:
    """Collects what the services of one document need beside them."""

    def __init__(self, subject: Subject, stack: str, *, lasting: bool) -> None:
        self._subject = subject
        self._model = subject.stack.document
        self._stack = stack
        self._lasting = lasting
        self._files: dict[str, bytes] = {}
        self._configs: dict[str, Any] = {}
        self._secrets: dict[str, Any] = {}

    def document(self, services: Iterable[Service]) -> StackDocument:
        made = {one.name: self._service(one) for one in services}
        sections = {
            "networks": self._networks(made),
            "volumes": self._volumes(made),
            "configs": self._configs,
            "secrets": self._secrets,
        }
        found = {section: entries for section, entries in sections.items() if entries}
        return StackDocument({"services": made, **found}, self._files)

    def _service(self, service: Service) -> dict[str, Any]:
        subject, raw = self._subject, service.definition
        made = converted(service, subject.images[service.name], subject.endpoint, lasting=self._lasting)
        if networks := self._attachments(service):
            made["networks"] = networks
        if ports := [*_direct(service)]:
            made["ports"] = ports
        mounts: list[dict[str, Any]] = [*memory_mounts(raw)]
        configs = [self._given("configs", entry) for entry in raw.get("configs") or ()]
        for mount in raw.get("volumes") or ():
            if mount.get("type") == "bind" and subject.places.of(mount).place == Place.SHIPPED:
                configs += self._shipped(mount)
            else:
                mounts.append(self._mount(mount))
        secrets = [self._given("secrets", entry) for entry in raw.get("secrets") or ()]
        for key, found in (("volumes", mounts), ("configs", configs), ("secrets", secrets)):
            if found:
                made[key] = found
        self._place(service, made)
        return made

    def _place(self, service: Service, made: dict[str, Any]) -> None:
        layout, deploy = self._subject.layout, made["deploy"]
        keeps = pinned(service, self._subject.stack, self._subject.places)
        if keeps and not own_constraints(service):
            placement = dict(deploy.get("placement") or {})
            placement["constraints"] = [f"node.labels.{names.data_label(layout.project)} == yes"]
            deploy["placement"] = placement
        if keeps and _never_twice(made):
            port = alone_port(names.service_name(self._stack, service.name), self._subject.held)
            made["ports"] = [alone_entry(port)]
        if keeps:
            # whoever looks for what a container keeps finds it on its node as it would without a cluster
            project = layout.data_project if self._lasting else layout.rolling_project
            own = {"project": project, "service": service.name, "oneoff": "False"}
            made["labels"] = dict(made.get("labels") or {}) | {
                f"com.docker.compose.{key}": value for key, value in own.items()
            }
        if not self._lasting:
            deploy["labels"] = dict(deploy.get("labels") or {}) | {names.RELEASE: self._subject.release}

    def _attachments(self, service: Service) -> dict[str, Any]:
        if service.receives:
            return {_APART: {}}
        raw = service.definition.get("networks") or {}
        alias = service.definition.get("container_name")
        found = {}
        for name, options in raw.items():
            aliases = [*((options or {}).get("aliases") or ()), *([alias] if alias else [])]
            found[name] = {"aliases": aliases} if aliases else {}
        return found

    def _networks(self, services: Mapping[str, Any]) -> dict[str, Any]:
        used = {name for one in services.values() for name in one.get("networks") or ()}
        declared = self._model.get("networks") or {}
        project = self._subject.layout.project
        return {
            name: {"driver": "overlay", "internal": True}
            if name == _APART
            else {"name": _network_name(name, declared.get(name) or {}, project), "external": True}
            for name in sorted(used)
        }

    def _volumes(self, services: Mapping[str, Any]) -> dict[str, Any]:
        sources = {
            mount["source"]
            for one in services.values()
            for mount in one.get("volumes") or ()
            if mount["type"] == "volume" and mount.get("source")
        }
        declared = self._model.get("volumes") or {}
        return {name: self._volume(declared.get(name) or {}, name) for name in sorted(sources)}

    def _volume(self, raw: Mapping[str, Any], name: str) -> dict[str, Any]:
        """By the name that it has without a cluster. Each node makes its own where it has none of that name."""
        made: dict[str, Any] = {"name": raw.get("name") or name}
        if raw.get("external"):
            return made
        options = {key: str(value) for key, value in (raw.get("driver_opts") or {}).items()}
        if (device := bound_device(raw)) and self._subject.places.inside(device):
            options["device"] = str(self._subject.layout.shared / self._subject.places.relative(device))
        return (
            made
            | ({"driver": raw["driver"]} if raw.get("driver") else {})
            | ({"driver_opts": options} if options else {})
        )

    def _mount(self, mount: Mapping[str, Any]) -> dict[str, Any]:
        made = {key: mount[key] for key in ("type", "source", "target", "read_only", "consistency") if mount.get(key)}
        if mount["type"] == "bind":
            if self._subject.places.of(mount).place == Place.KEPT:
                inside = self._subject.places.relative(str(mount["source"]))
                made["source"] = str(self._subject.layout.shared / inside).replace("$", "$$")
            options = {key: value for key, value in (mount.get("bind") or {}).items() if key == "propagation"}
        else:
            known = {"volume": ("nocopy",), "tmpfs": ("size",)}.get(mount["type"], ())
            options = {key: value for key, value in (mount.get(mount["type"]) or {}).items() if key in known}
            if "size" in options:
                options["size"] = int(options["size"])
        return made | ({mount["type"]: options} if options else {})

    def _shipped(self, mount: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What is mounted of the project, as a config for each file: a node has nothing of the project on its disk."""
        entries = []
        for file in self._subject.files[str(mount["source"])]:
            target = str(PurePosixPath(str(mount["target"])) / file.inside) if file.inside else str(mount["target"])
            key = self._material("configs", PurePosixPath(target).name, file.content)
            entries.append({"source": key, "target": target, "mode": 0o555 if file.executable else 0o444})
        return entries

    def _given(self, section: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A config or secret of the compose file, as a service asks for it."""
        name = str(entry["source"])
        raw = (self._model.get(section) or {}).get(name) or {}
        made = {key: str(entry[key]) for key in ("uid", "gid") if entry.get(key)}
        target = str(entry.get("target") or (name if section == "secrets" else f"/{name}"))
        if mode := entry.get("mode"):
            made["mode"] = int(mode, 8) if isinstance(mode, str) else int(mode)  # type: ignore[assignment]
        if raw.get("external"):
            kept = self._configs if section == "configs" else self._secrets
            kept[name] = {"name": raw.get("name") or name, "external": True}
            return {"source": name, "target": target, **made}
        if "content" in raw:
            content = unescaped(str(raw["content"])).encode()
        else:
            content = self._subject.files[str(raw["file"])][0].content
        return {"source": self._material(section, name, content), "target": target, **made}

    def _material(self, section: str, name: str, content: bytes) -> str:
        """Its key in the document: named by content, since a cluster lets none change."""
        digest = hashlib.sha256(content).hexdigest()[:12]
        words = "".join(one if one.isalnum() or one in "-_." else "-" for one in name)[-40:]
        key = f"{words}-{digest}"
        file = f"files/{digest}"
        self._files[file] = content
        kept = self._configs if section == "configs" else self._secrets
        kept[key] = {"name": f"{self._stack}_{key}"[-64:].lstrip("-_."), "file": f"./{file}"}
        return key


def _never_twice(made: Mapping[str, Any]) -> bool:
    """Whether two containers of it are never to run on one node, and nothing keeps them from it."""
    deploy = made["deploy"]
    return deploy.get("replicas") == 1 and deploy["update_config"]["order"] == "stop-first" and not made.get("ports")


def _network_name(name: str, raw: Mapping[str, Any], project: str) -> str:
    return str(raw.get("name") or name) if raw.get("external") else names.network(project, name)


def _direct(service: Service) -> Iterable[dict[str, Any]]:
    """Ports that its own container holds on the node it runs on. One for the node alone would be open to everybody."""
    direct = {(port.published, port.target, port.protocol) for port in service.direct_ports if not port.local}
    for entry in service.definition.get("ports") or ():
        protocol = str(entry.get("protocol", "tcp"))
        for published in published_ports(entry):
            if (published, int(entry["target"]), protocol) in direct:
                yield {"target": int(entry["target"]), "published": published, "protocol": protocol, "mode": "host"}


def own_networks(stack: Stack, project: str) -> Mapping[str, Mapping[str, Any]]:
    """The networks that the cluster must have before, each with how it is declared."""
    used = {name for one in stack.services.values() for name in one.networks}
    declared = stack.document.get("networks") or {}
    return {
        names.network(project, name): declared.get(name) or {}
        for name in sorted(used)
        if not (declared.get(name) or {}).get("external")
    }


def render_once(
    stack: Stack, images: Mapping[str, str], layout: HostLayout, release_id: str, places: Places
) -> Rendered:
    """A compose document for what runs once in a release, on the manager: its services in the cluster's networks."""
    made = render_release(stack, images, layout, release_id, places)
    declared = stack.document.get("networks") or {}
    networks = {
        name: {"name": _network_name(name, declared.get(name) or {}, layout.project), "external": True}
        for name in made.document.get("networks") or {}
    }
    document = {**made.document, **({"networks": networks} if networks else {})}
    return dataclasses.replace(made, document=document)
