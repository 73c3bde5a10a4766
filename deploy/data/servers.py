"""A server that is upgraded and the one that a compose file wants instead: their images, and where their data is."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.data.clusters import ClusterFacts
from deploy.data.find import Mount, Running
from deploy.data.postgres import Postgres
from deploy.model.clusters import data_mount, volume_of
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.stack import Service, unescaped
from deploy.shell import Shell

SOCKET_FOLDERS = frozenset({"/var/run/postgresql", "/run/postgresql"})


@dataclass(frozen=True)
class Wanted:
    """The server that a service is to have, as the compose file says."""

    service: str
    image: str
    """What the machine calls it."""
    command: tuple[str, ...]
    """Empty for the image's own."""
    environment: Mapping[str, str]
    """Of it what says where data is."""
    target: str
    """Where the volume is mounted."""


@dataclass(frozen=True)
class Old:
    """The server that runs."""

    server: Postgres
    image: str
    """Its id."""
    data: Mount
    """The volume with its data."""
    others: tuple[Mount, ...]
    """What else is mounted."""
    facts: ClusterFacts
    kept_by: str
    """Who starts it again where it ends: itself, by its container's id, or `service:NAME` of a cluster."""

    @property
    def volume(self) -> str:
        return self.data.source

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What else is mounted, without the folder of its socket."""
        return tuple(one for one in self.others if one.target not in SOCKET_FOLDERS)

    @property
    def kept(self) -> str:
        """The volume that its data is kept in."""
        return kept_volume(self.volume, self.facts.major)


def kept_volume(volume: str, major: int) -> str:
    return f"{volume}_pg{major}"


@dataclass(frozen=True)
class Names:
    """Of what is made for one upgrade, and gone afterwards."""

    new: str
    old: str
    data: str
    sockets: str

    @classmethod
    def fresh(cls) -> Names:
        word = f"windlass-scratch-{secrets.token_hex(4)}"
        return cls(f"{word}-new", f"{word}-old", f"{word}-data", f"{word}-sockets")


def require_place(local: Shell, service: Service, document: Mapping[str, Any], image: str, running: Running) -> Mount:
    """What the running server's data is mounted from. Raises UsageError where the new one's would be elsewhere."""
    name, mount = volume_of(service, document), data_mount(service)
    found = next((one for one in running.mounts if one.volume and one.source == name), None)
    if not name or mount is None or found is None:
        raise UsageError(
            f"{service.name}: its data is in no volume with a name, or the compose file names another one",
            "db.upgrade works on named volumes; elsewhere: inv db.backup, a new volume, inv db.restore",
        )
    look = Command("docker", "image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", image)
    environment = dict(line.partition("=")[::2] for line in local.run(look).stdout.splitlines())
    folder = str(service.environment.get("PGDATA") or environment.get("PGDATA") or mount["target"])
    if not f"{folder}/".startswith(f"{str(mount['target']).rstrip('/')}/"):
        raise UsageError(
            f"{image} keeps its data in {folder}, where the volume at {mount['target']} is not",
            f"mount it at a folder above that, as images of PostgreSQL 18 and newer want it: {mount['source']}:"
            "/var/lib/postgresql, then run this again",
        )
    return found


def wanted_server(service: Service, image: str) -> Wanted:
    """What the compose file says of a server, `image` being its image on the machine."""
    mount, own = data_mount(service), service.environment.get("PGDATA")
    command = tuple(unescaped(str(word)) for word in service.definition.get("command") or ())
    environment = {"PGDATA": unescaped(own)} if own else {}
    return Wanted(service.name, image, command, environment, str((mount or {}).get("target", "")))
