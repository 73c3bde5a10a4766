"""What a stack mounts: whether it can be had here, and whether what is written to it stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.places import Place, Places, bind_mounts, bound_device, local_path
from deploy.model.stack import Service, Stack, unescaped

_OF_FILES = frozenset(
    f".{word}"
    for word in (
        *("cfg", "cnf", "conf", "config", "crt", "css", "html", "ini", "js", "json", "key", "pem", "php", "properties"),
        *("sh", "sql", "template", "tmpl", "toml", "txt", "xml", "yaml", "yml"),
    )
)
"""What only files are called: compose would make a folder of one that is not there."""


def check_places(stack: Stack, places: Places) -> Iterator[Problem]:
    """Everything that is mounted from the project's folder and is not there, or would not stay."""
    for service, mount in bind_mounts(stack):
        source, path = local_path(mount["source"]), ("services", service, "volumes", str(mount.get("target", "")))
        if not places.inside(mount["source"]):
            continue
        if not source.exists():
            if mount.get("read_only") or source.suffix in _OF_FILES:
                yield Problem(
                    f"{service}: {source} is mounted, and does not exist", "create it, or mend the path", path=path
                )
        elif _loses(mount, source, places):
            what = places.relative(mount["source"])
            keep = "mount a folder for that" if source.is_file() else f"x-deploy: {{keep: [{path[-1]}]}}"
            yield Problem(
                f"{service}: {'the project' if what == '.' else what} goes along with each release, and with it what "
                "is written to it",
                f"say :ro when nothing is; {keep} when it must not be lost",
                fatal=False,
                path=path,
            )


def _loses(mount: Mapping[str, Any], source: Path, places: Places) -> bool:
    """Whether something may be written to a mount that goes with its release. Files of settings are only read."""
    shipped = places.of(mount).place == Place.SHIPPED
    return shipped and not mount.get("read_only") and (source.is_dir() or source.suffix not in _OF_FILES)


@dataclass(frozen=True)
class Needed:
    """Something that a stack takes to be on the host already."""

    what: str
    """`path`, `volume`, `network`; or `kept`: a folder that must not be under `shared`."""
    name: str
    service: str
    path: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """That it is not there."""
        if self.what == "kept":
            return Problem(
                f"{self.service}: {self.name} was data on this host so far, and git knows files of it now: "
                "with this release what was written there would be gone from view",
                f"keep it with x-deploy: {{keep: [{self.path[-1]}]}}, or move shared/{self.name} on the host away",
                path=self.path,
            )
        if self.what == "path":
            here = " (which is this machine's own home)" if Path(self.name).is_relative_to(Path.home()) else ""
            remedy = f"make it there: mkdir -p {self.name}" if not Path(self.name).suffix else "put it there"
            return Problem(
                f"{self.service}: {self.name}{here} is not on the host", f"{remedy}, or mend the path", path=self.path
            )
        return Problem(
            f"{self.service}: the external {self.what} {self.name} is not on the host",
            f"make it there: docker {self.what} create {self.name}",
            path=self.path,
        )


def needed_on_host(stack: Stack, places: Places) -> Iterator[Needed]:
    """What the services use that must be on a host before, each once."""
    seen: set[tuple[str, str]] = set()
    for needed in _needed(stack, places):
        if (needed.what, needed.name) not in seen:
            seen.add((needed.what, needed.name))
            yield needed


def _needed(stack: Stack, places: Places) -> Iterator[Needed]:
    for name, mount in bind_mounts(stack):
        path = ("services", name, "volumes", str(mount.get("target", "")))
        placement = places.of(mount)
        if placement.place == Place.HOST and not stack.services[name].receives:
            yield Needed("path", unescaped(str(mount["source"])), name, path)
        elif placement.members is not None and not mount.get("read_only") and not places.has_data(mount["source"]):
            yield Needed("kept", places.relative(mount["source"]), name, path)
    for service in stack.services.values():
        yield from _files(service, stack, places)
        yield from _volumes(service, stack, places)
        for name in service.networks:
            network = (stack.document.get("networks") or {}).get(name) or {}
            if network.get("external"):
                yield Needed("network", str(network.get("name") or name), service.name, ("networks", name))


def _files(service: Service, stack: Stack, places: Places) -> Iterator[Needed]:
    for section in ("configs", "secrets"):
        for entry in service.definition.get(section) or ():
            file = ((stack.document.get(section) or {}).get(entry["source"]) or {}).get("file")
            if file and not places.inside(file):
                yield Needed("path", unescaped(str(file)), service.name, (section, str(entry["source"])))


def _volumes(service: Service, stack: Stack, places: Places) -> Iterator[Needed]:
    for mount in service.definition.get("volumes") or ():
        raw = (stack.document.get("volumes") or {}).get(mount.get("source", "")) or {}
        if mount.get("type") != "volume" or not raw:
            continue
        where, device = ("volumes", str(mount["source"])), bound_device(raw)
        if raw.get("external"):
            yield Needed("volume", str(raw.get("name") or mount["source"]), service.name, where)
        elif device and not places.inside(device):
            yield Needed("path", unescaped(device), service.name, where)
