"""Volumes: data that is somewhere else than it seems, and volumes that nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.model.checks.problem import Problem
from deploy.model.kinds import image_name
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import ComposeFile, Subject, Tagged, at
from deploy.model.stack import Service

_KNOWN = {
    "mariadb": "/var/lib/mysql",
    "mongo": "/data/db",
    "mysql": "/var/lib/mysql",
    "percona": "/var/lib/mysql",
    "percona/percona-server": "/var/lib/mysql",
}
"""Where databases keep their data, as the images say it in VOLUME."""
_POSTGRES = frozenset(
    {
        "postgres",
        "postgis/postgis",
        "pgvector/pgvector",
        "ankane/pgvector",
        "timescale/timescaledb",
        "supabase/postgres",
    }
)
_MOVED = 18
"""The first major version of PostgreSQL whose images have their data in a folder of its version."""
_ELSEWHERE = re.compile(r"(^|\s)(-D\s?/|--datadir|--dbpath|(-c\s*)?data_directory)")
"""Words of a command that name another folder."""


@dataclass(frozen=True)
class _Data:
    """Where a database writes, and what is there."""

    service: Service
    folder: str
    declared: str
    """What its image makes a volume of when nothing is mounted there."""

    @property
    def mounts(self) -> Mapping[str, str]:
        """By target: volume, bind or tmpfs; `anonymous` for a volume without a name."""
        found = {self.declared: "anonymous"}
        for mount in self.service.definition.get("volumes") or ():
            kind = str(mount.get("type"))
            found[str(mount.get("target")).rstrip("/")] = (
                "anonymous" if kind == "volume" and not mount.get("source") else kind
            )
        for entry in _listed(self.service.definition.get("tmpfs")):
            found[entry.partition(":")[0].rstrip("/")] = "tmpfs"
        return found

    @property
    def lies_in(self) -> tuple[str, str]:
        """The deepest mount above the folder, and what it is; the container itself where there is none."""
        above = [target for target in self.mounts if PurePosixPath(self.folder).is_relative_to(target)]
        deepest = max(above, key=len, default="")
        return deepest, self.mounts[deepest] if deepest else "container"

    @property
    def misplaced(self) -> str:
        """A mount that was meant for the data and does not get it; empty when there is none."""
        folder = PurePosixPath(self.folder)
        found = (
            target
            for target, kind in self.mounts.items()
            if kind in {"volume", "bind"}
            and (folder.is_relative_to(target) or PurePosixPath(target).is_relative_to(self.declared))
        )
        return next(found, "")

    @property
    def wanted(self) -> str:
        """Where a volume has to be mounted."""
        return self.declared if PurePosixPath(self.folder).is_relative_to(self.declared) else self.folder


def _databases(subject: Subject) -> Iterator[_Data]:
    for service in subject.stack.data:
        words = _listed(service.definition.get("entrypoint")) + _listed(service.definition.get("command"))
        if service.definition.get("volumes_from") or _ELSEWHERE.search(" ".join(words)):
            continue
        image = _repository(service.runs)
        if image in _KNOWN:
            yield _Data(service, _KNOWN[image], _KNOWN[image])
        elif image in _POSTGRES and (major := _major(service.runs)):
            new = major >= _MOVED
            declared = "/var/lib/postgresql" if new else "/var/lib/postgresql/data"
            own = service.environment.get("PGDATA")
            yield _Data(service, own or (f"{declared}/{major}/docker" if new else declared), declared)


@rule(
    "anonymous-volume",
    Severity.ERROR,
    "A database's data is in a volume without a name",
    why="""
    Without a mount the engine makes a volume with a random name, which belongs to one container: with `docker compose
    down`, or on another host, the data is gone. `db.backup` does not copy it.
    """,
    fix="`volumes: [pg:/var/lib/postgresql/data]` beside the service, and `volumes: {pg: }` at the top level.",
)
def anonymous_volume(subject: Subject) -> Iterator[Problem]:
    for data in _databases(subject):
        _, kind = data.lies_in
        if kind in {"anonymous", "container"} and not data.misplaced:
            inside = "in its container itself" if kind == "container" else "in a volume without a name"
            yield Problem(
                f"{data.service.name} keeps its data ({data.folder}) {inside}, which goes with the container",
                f"mount a volume with a name there: {data.service.name}_data:{data.wanted}",
                path=at(data.service),
            )


@rule(
    "data-folder",
    Severity.ERROR,
    "A volume is mounted where the database does not write",
    why="""
    Images of PostgreSQL up to 17 write to `/var/lib/postgresql/data`, and a volume mounted above that stays empty,
    because the image makes one of its own there. Those from 18 on write to `/var/lib/postgresql/18/docker`, and do not
    start with a volume at `/var/lib/postgresql/data`.
    """,
    fix="Up to 17 mount it at `/var/lib/postgresql/data`, from 18 on at `/var/lib/postgresql`.",
)
def data_folder(subject: Subject) -> Iterator[Problem]:
    for data in _databases(subject):
        _, kind = data.lies_in
        if kind in {"anonymous", "container"} and data.misplaced:
            yield Problem(
                f"{data.service.name} ({data.service.runs}) writes to {data.folder}, and not to what is mounted at "
                f"{data.misplaced}",
                f"mount it at {data.wanted}",
                path=at(data.service, "volumes", data.misplaced),
            )


@rule(
    "tmpfs-data",
    Severity.WARNING,
    "A database's data is in memory",
    why="It is gone with every restart, and counts as memory of the container.",
    fix="Mount a volume with a name, unless nobody needs the data.",
)
def tmpfs_data(subject: Subject) -> Iterator[Problem]:
    for data in _databases(subject):
        where, kind = data.lies_in
        if kind == "tmpfs":
            yield Problem(
                f"{data.service.name} keeps its data in memory ({where}): a restart loses it",
                f"mount a volume with a name there: {data.service.name}_data:{where}",
                path=at(data.service, "tmpfs", where),
            )


@rule(
    "unwritten-volume",
    Severity.WARNING,
    "A volume that is read and that nobody writes",
    why="What should be in it, static files or uploads of another service, never gets there: it is empty.",
    fix="Mount it, without `:ro`, in the service that writes it; or leave it out.",
)
def unwritten_volume(subject: Subject) -> Iterator[Problem]:
    declared = subject.stack.document.get("volumes") or {}
    readers: dict[str, tuple[Service, str]] = {}
    written: set[str] = set()
    for service in subject.stack.services.values():
        taken = {str(entry).partition(":")[0] for entry in service.definition.get("volumes_from") or ()}
        for mount in service.definition.get("volumes") or ():
            name = str(mount.get("source") or "")
            if mount.get("type") != "volume" or not name:
                continue
            if mount.get("read_only") and not taken:
                readers.setdefault(name, (service, str(mount.get("target"))))
            else:
                written.add(name)
    for name, (service, target) in readers.items():
        options = declared.get(name) or {}
        if name not in written and not (options.get("external") or options.get("driver_opts")):
            yield Problem(
                f"{service.name} reads the volume {name}, and no service writes to it: it is empty",
                "mount it where its files come from, or leave it out",
                path=at(service, "volumes", target),
            )


@rule(
    "unused-volume",
    Severity.WARNING,
    "A volume that is declared and mounted nowhere",
    why="Often the name is misspelt where it is mounted, or the mount was forgotten, and data is kept nowhere.",
    fix="Mount it, or take it out of the top level's `volumes`.",
)
def unused_volume(subject: Subject) -> Iterator[Problem]:
    mounted = {name for file in subject.files for name in _mounted(file)}
    mounted |= {
        str(mount.get("source"))
        for service in subject.stack.services.values()
        for mount in service.definition.get("volumes") or ()
    }
    for file in subject.files:
        declared = file.document.get("volumes")
        for name, raw in declared.items() if isinstance(declared, Mapping) else ():
            if name not in mounted and not isinstance(raw, Tagged):
                yield Problem(
                    f"the volume {name} is mounted nowhere",
                    "mount it in the service whose data it is for, or take it out",
                    path=("volumes", name),
                )


def _mounted(file: ComposeFile) -> Iterator[str]:
    """Names of volumes that the services of a file mount, those of profiles that are off too."""
    services = file.document.get("services")
    for name in services if isinstance(services, Mapping) else ():
        mounts = file.service(name).get("volumes")
        mounts = mounts.value if isinstance(mounts, Tagged) else mounts
        for mount in mounts if isinstance(mounts, list) else ():
            yield str(mount.get("source")) if isinstance(mount, Mapping) else str(mount).partition(":")[0]


def _repository(reference: str) -> str:
    """`docker.io/library/postgres:17` to `postgres`; other registries are left as they are."""
    name = image_name(reference)
    vendor = reference.split("@", 1)[0].rpartition("/")[0].removeprefix("docker.io").strip("/")
    return name if vendor in {"", "library"} else f"{vendor}/{name}"


def _major(reference: str) -> int:
    """Of a PostgreSQL image; 0 where its tag does not say it."""
    tag = reference.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")[2]
    found = re.search(r"pg(\d+)", tag) or re.match(r"(\d+)", tag)
    return int(found[1]) if found else 0


def _listed(value: object) -> list[str]:
    """What compose has as a text, a list or nothing."""
    return [value] if isinstance(value, str) else [str(one) for one in value] if isinstance(value, list) else []
