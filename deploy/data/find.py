"""What there is to back up on a machine: looked at where it runs, so that nothing has to be said twice."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from deploy.data.file_store import FileStore
from deploy.data.mysql import Mysql
from deploy.data.mysql_store import MysqlStore
from deploy.data.postgres import Postgres
from deploy.data.postgres_store import PostgresStore
from deploy.data.qdrant_store import QdrantStore
from deploy.data.redis_store import RedisStore, Rest
from deploy.data.store import Store
from deploy.model.backup import DATABASES, StoreKind
from deploy.model.errors import UsageError
from deploy.model.kinds import POSTGRES_IMAGES, Kind, image_name
from deploy.model.options import Backup
from deploy.shell import Shell
from deploy.shell.packaged import packaged

MYSQL_IMAGES = frozenset({"mariadb", "mysql", "mysql-server", "percona", "percona-server"})
REDIS_IMAGES = frozenset({"redis", "redis-stack", "redis-stack-server", "redismod", "valkey"})
KINDS: Mapping[StoreKind, frozenset[str]] = {
    StoreKind.POSTGRES: POSTGRES_IMAGES,
    StoreKind.MYSQL: MYSQL_IMAGES,
    StoreKind.REDIS: REDIS_IMAGES,
    StoreKind.QDRANT: frozenset({"qdrant"}),
}
_MADE = re.compile(r"(^|[-_.])(static|statics|staticfiles|assets|cache|caches|tmp|temp|logs?|node_modules)([-_.]|$)")
"""Names of volumes that an application fills by itself: an older one's content would not fit a newer release."""
_NAMELESS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Mount:
    """A volume or a folder of the machine in a container."""

    volume: bool
    source: str
    """The volume's name, or the folder's path."""
    target: str
    writable: bool = True

    @property
    def as_option(self) -> str:
        """For `docker run --volume`."""
        return f"{self.source}:{self.target}" + ("" if self.writable else ":ro")


@dataclass(frozen=True)
class Running:
    """A container of one of the projects that are looked at."""

    id: str
    project: str
    service: str
    image: str
    """Its id."""
    running: bool
    mounts: tuple[Mount, ...] = ()
    swarm_service: str = ""
    """Its service's name on a cluster, which starts another container where one stops; empty elsewhere."""


@dataclass(frozen=True)
class Wanted:
    """What is known of the stack whose stores are looked for."""

    project: str
    """Compose puts it before the names of volumes."""
    runs: Mapping[str, str]
    """Each data service's image as the compose file, or what its own is built from, names it: that tells what it is."""
    skipped: Collection[str] = ()
    """Services that are said not to be backed up (`x-deploy: {backup: false}`), and those of `unknown`."""
    unknown: Collection[str] = ()
    """Services that keep data in a way that only their own tools can copy while they run, and we have none of."""
    named: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Services of which only some volumes and folders are backed up, with the names of these."""
    proofs: Mapping[str, str] = field(default_factory=dict)
    """Queries that must answer in a restored database (`x-deploy.proof`), by service."""
    keeping: Collection[str] | None = None
    """Services whose volumes and folders are kept; all of them where nothing is said."""
    receiving: Collection[str] = ()
    """Databases whose WAL is kept (`x-deploy.point_in_time`)."""
    folders: PurePosixPath | None = None
    """Where folders are that services write to: those elsewhere are the machine's, not the project's."""


def store_kind(image: str) -> StoreKind | None:
    """What kind of store an image runs; None for one whose files alone can be copied, or that has none."""
    name = image_name(image)
    return next((kind for kind, names in KINDS.items() if name in names), None)


def unknown_stores(services: Iterable[tuple[str, Kind, str, Backup]]) -> frozenset[str]:
    """Those of some services that keep data in a way we have no tool for.

    Each as name, kind, image, and what `x-deploy.backup` says: `true` copies the files of one as they are.
    """
    return frozenset(
        name for name, kind, image, backup in services if kind == Kind.DATA and backup is None and not store_kind(image)
    )


def named_of(services: Iterable[tuple[str, Backup]]) -> Mapping[str, Collection[str]]:
    """Services that say which of their volumes and folders are backed up."""
    return {name: backup for name, backup in services if isinstance(backup, tuple)}


def made_by_applications(running: Iterable[Running], wanted: Wanted) -> tuple[str, ...]:
    """Volumes that are left out for what their names say of them."""
    found = (
        name
        for one in running
        if one.service not in wanted.skipped and one.service not in wanted.named
        for mount in one.mounts
        if (name := _name(mount, wanted)) and _MADE.search(name)
    )
    return tuple(dict.fromkeys(found))


def database_services(images: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Names of those services, given as name and image, that run a database server."""
    return tuple(name for name, image in images if store_kind(image) in DATABASES)


def one_database(images: Iterable[tuple[str, str]], wanted: str) -> str:
    """The database service to work on. Raises UsageError when it is not clear which."""
    found = database_services(images)
    if wanted and wanted not in found:
        raise UsageError(f"'{wanted}' is not a database service", f"known: {', '.join(found) or 'none'}")
    if wanted:
        return wanted
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError("the stack has no database service", "this works with PostgreSQL, MariaDB and MySQL")
    raise UsageError(
        f"the stack has more than one database service: {', '.join(found)}", f"name one: --service {found[0]}"
    )


def look(shell: Shell, projects: Sequence[str]) -> tuple[Running, ...]:
    """The containers of some compose projects, in a fixed order, of each service those that run first; one round trip.

    A cluster keeps those that have ended for a while.
    """
    done = shell.run(packaged("data", "containers.sh", *projects))
    found = (_running(json.loads(line)) for line in done.stdout.splitlines())
    return tuple(sorted(found, key=lambda one: (projects.index(one.project), one.service, not one.running, one.id)))


def _running(raw: dict[str, Any]) -> Running:
    mounts = (
        Mount(one["Type"] == "volume", one.get("Name") or one["Source"], one["Destination"], one["RW"])
        for one in raw["mounts"]
        if one["Type"] in {"volume", "bind"}
    )
    return Running(
        raw["id"],
        raw["project"],
        raw["service"],
        raw["image"],
        raw["running"],
        tuple(mounts),
        raw["replicated"] or "",
    )


def stores_of(shell: Shell, running: Sequence[Running], wanted: Wanted, remedy: str = "") -> tuple[Store, ...]:
    """Every store of a stack, databases first: no row then points to a file that was not copied.

    Raises UsageError, with a `remedy`, naming a store whose server does not run: only that can be asked for its data.
    """
    first = {one.service: one for one in reversed(running) if one.service not in wanted.skipped}
    kinds = {
        name: kind for name, image in wanted.runs.items() if name not in wanted.skipped and (kind := store_kind(image))
    }
    for name in kinds:
        if name not in first or not first[name].running:
            raise UsageError(f"{name} does not run on {shell.name}", remedy)
    images = tuple(dict.fromkeys(one.image for one in running))
    servers = (_server(shell, kind, first[name]) for kind in KINDS for name, found in kinds.items() if found == kind)
    return (*servers, *_folders(shell, running, wanted, kinds, images))


def _folders(
    shell: Shell, running: Sequence[Running], wanted: Wanted, kinds: Mapping[str, StoreKind], images: Sequence[str]
) -> Iterator[Store]:
    """Volumes with a name and the project's own folders, each once: of a service that writes to it, where one does."""
    servers = {*kinds, *wanted.unknown}
    # no copy of a file that a running server writes to is any good
    seen = {mount.source for one in running if one.service in servers for mount in one.mounts}
    keeping = {one.service for one in running} if wanted.keeping is None else wanted.keeping
    mounts = [(one.service, mount) for one in running for mount in one.mounts]
    for service, mount in sorted(mounts, key=lambda pair: not pair[1].writable):
        name = _name(mount, wanted)
        named = wanted.named.get(service)
        made = name not in named if named is not None else bool(_MADE.search(name))
        left_out = made or service in wanted.skipped or service not in keeping
        if name and not left_out and mount.source not in seen:
            seen.add(mount.source)
            yield FileStore(shell, service, name, mount.source, images)


def _name(mount: Mount, wanted: Wanted) -> str:
    """What users call it; empty for what is not the project's to keep."""
    if mount.volume:
        return "" if _NAMELESS.fullmatch(mount.source) else mount.source.removeprefix(f"{wanted.project}_")
    folder = PurePosixPath(mount.source)
    if wanted.folders is None or not folder.is_relative_to(wanted.folders) or folder == wanted.folders:
        return ""
    return str(folder.relative_to(wanted.folders))


def _server(shell: Shell, kind: StoreKind, container: Running) -> Store:
    """The store of a container that runs a server of a known kind."""
    if kind == StoreKind.POSTGRES:
        return PostgresStore(Postgres(shell, container.id), container.service, container.image)
    if kind == StoreKind.MYSQL:
        return MysqlStore(Mysql(shell, container.id), container.service, container.image)
    if kind == StoreKind.QDRANT:
        return QdrantStore(shell, container.id, container.service, container.image)
    # on a cluster the next container gets another volume where one has no name
    lasting = {
        one.target: one.source
        for one in container.mounts
        if not (container.swarm_service and one.volume and _NAMELESS.fullmatch(one.source))
    }
    return RedisStore(shell, Rest(container.id, container.swarm_service, lasting), container.service, container.image)
