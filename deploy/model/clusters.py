"""Folders of data that PostgreSQL servers keep: where they are, and which version's server can read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.model.errors import DeployError
from deploy.model.kinds import POSTGRES_IMAGES, image_name
from deploy.model.stack import Service, unescaped

_HOMES = ("/var/lib/postgresql", "/bitnami/postgresql")
"""Where images keep their data, or in a folder below."""
_SAID = re.compile(r"(?:^|[-_.])pg(\d+)(?!\d)")
_LEADING = re.compile(r"\d+")
_OWN_TAGS = frozenset({"postgres", "postgresql", "postgis"})
"""Images whose tags begin with the server's version; those of others begin with the extension's."""


@dataclass(frozen=True)
class Majors:
    """The two versions that must be the same: of the data that is there, and of the image that is to run on it."""

    service: str
    data: int | None
    """None where there is no data yet, or none that can be looked at."""
    image: int | None
    """None where it cannot be told."""
    volume: str = ""
    """What holds the data: a volume's name, or a folder's path."""

    @property
    def fit(self) -> bool:
        """Whether the server can be started on the data, as far as both are known."""
        return self.data is None or self.image is None or self.data == self.image


def runs_postgres(service: Service) -> bool:
    return image_name(service.runs) in POSTGRES_IMAGES


def data_mount(service: Service) -> Mapping[str, Any] | None:
    """The mount of a normalized definition that a PostgreSQL server's data is in; None where there is none."""
    own = str(service.environment.get("PGDATA") or "")
    for mount in service.definition.get("volumes") or ():
        target = str(mount.get("target", "")).rstrip("/")
        inside = any(f"{target}/".startswith(f"{home}/") for home in _HOMES)
        if (own and f"{own}/".startswith(f"{target}/")) or (not own and inside):
            found: Mapping[str, Any] = mount
            return found
    return None


def volume_of(service: Service, document: Mapping[str, Any]) -> str:
    """The name on the machine of the volume that a server's data is in; empty where it is in none with a name."""
    mount = data_mount(service)
    if mount is None or mount.get("type") != "volume" or not mount.get("source"):
        return ""
    raw = (document.get("volumes") or {}).get(mount["source"]) or {}
    return unescaped(str(raw.get("name") or mount["source"]))


def tag_major(reference: str) -> int | None:
    """What the tag of an image that nobody has yet says of its version: 17 of `postgres:17.2` and `…:0.8.0-pg17`."""
    tag = reference.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")[2]
    if said := _SAID.search(tag):
        return int(said[1])
    leading = _LEADING.match(tag) if image_name(reference) in _OWN_TAGS else None
    return int(leading[0]) if leading else None


def parse_majors(text: str) -> dict[str, Majors]:
    """By service, from lines of "SERVICE DATA IMAGE VOLUME", a "-" standing for what is not known."""
    found = {}
    for line in text.splitlines():
        try:
            service, data, image, volume = line.split("\t")
        except ValueError as error:
            raise DeployError("the versions of data and images could not be read", details=text) from error
        found[service] = Majors(service, _number(data), _number(image), "" if volume == "-" else volume)
    return found


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() else None
