"""A rehearsal: the next release's migrations on a copy of the data, on a network that leads nowhere else."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from deploy.model.backup import Content, Label, Manifest, StoreKind
from deploy.model.journal import Entry
from deploy.model.kinds import Kind
from deploy.model.locks import Blocked
from deploy.model.release import ReleaseRecord, ServiceRecord

SCRATCH_LABEL = "windlass.scratch"
NETWORK = "rehearsal"
_KEPT = frozenset(
    [
        "cap_add",
        "cap_drop",
        "command",
        "configs",
        "cpus",
        "entrypoint",
        "environment",
        "group_add",
        "healthcheck",
        "image",
        "init",
        "mem_limit",
        "platform",
        "pull_policy",
        "read_only",
        "secrets",
        "security_opt",
        "shm_size",
        "stop_signal",
        "sysctls",
        "tmpfs",
        "ulimits",
        "user",
        "working_dir",
    ]
)
"""What of a definition a rehearsal takes over: the rest may lead to what serves (networks, ports, devices, the host's
namespaces), or means nothing there."""
_HARMLESS = (PurePosixPath("/etc"), PurePosixPath("/usr/share"))
"""Folders of the host that may be looked into: no socket lies there, and no data."""
_HOST = re.compile(r"(?i)(?=.*[a-z.])[a-z0-9_][a-z0-9_.-]*")
_LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104  # nothing is bound to it here


@dataclass(frozen=True)
class Scratch:
    """Where a rehearsal takes place."""

    project: str
    """The compose project of its containers: none of the names that a release or the data services have."""
    network: str
    owner: str
    """Whose it is: the value of SCRATCH_LABEL, by which what is left of it is found."""
    files: tuple[PurePosixPath, ...]
    """Folders on the host with what the release mounts of its own files."""


def rehearsal_document(
    app: Mapping[str, Any],
    data: Mapping[str, Any],
    migrating: Iterable[str],
    beside: Mapping[str, Sequence[str]],
    scratch: Scratch,
) -> dict[str, Any]:
    """The compose document of a rehearsal, from those of a release and its data services.

    It has the `migrating` services, and of the data services those `beside` the databases, with the names each is to be
    found by. None of them has a network but the scratch's, a volume that has a name, or anything of the host's but
    files that can only be read.
    """
    services = {name: _alone(app["services"][name], scratch, ()) for name in migrating}
    services |= {name: _alone(data["services"][name], scratch, names) for name, names in beside.items()}
    document: dict[str, Any] = {
        "name": scratch.project,
        "services": services,
        "networks": {NETWORK: {"name": scratch.network, "external": True}},
    }
    for section in ("configs", "secrets"):
        used = {entry["source"] for one in services.values() for entry in one.get(section) or ()}
        material = {**(data.get(section) or {}), **(app.get(section) or {})}
        if used:
            document[section] = {name: material[name] for name in sorted(used)}
    return document


def _alone(definition: Mapping[str, Any], scratch: Scratch, names: Sequence[str]) -> dict[str, Any]:
    kept = {key: value for key, value in definition.items() if key in _KEPT}
    limits = ((definition.get("deploy") or {}).get("resources") or {}).get("limits")
    if limits:
        kept["deploy"] = {"resources": {"limits": limits}}
    mounts = [_mount(one, scratch.files) for one in definition.get("volumes") or ()]
    if mounts:
        kept["volumes"] = mounts
    return kept | {
        "labels": {SCRATCH_LABEL: scratch.owner},
        "networks": {NETWORK: {"aliases": [*names]} if names else None},
    }


def _mount(mount: Mapping[str, Any], files: Sequence[PurePosixPath]) -> Mapping[str, Any]:
    """A mount that nobody else has: files of the release as they are, anything else as an empty, nameless volume."""
    if mount.get("type") == "tmpfs":
        return mount
    if mount.get("type") == "bind":
        source = PurePosixPath(str(mount.get("source") or "/").replace("$$", "$"))
        seen = [*files, *(_HARMLESS if mount.get("read_only") else ())]
        if any(source.is_relative_to(folder) for folder in seen):
            return {**mount, "read_only": True}
    return {"type": "volume", "target": mount["target"]}


def names_of(service: str, record: ServiceRecord, container: str) -> tuple[str, ...]:
    """Every name that a data service is found by where it serves: its own, its aliases, and its container's."""
    aliases = (name for names in record.networks.values() for name in names)
    return tuple(dict.fromkeys([service, *aliases, container]))


def beside(record: ReleaseRecord, migrating: Iterable[str], databases: Iterable[str]) -> tuple[str, ...]:
    """Data services that migrating ones share a network with, other than the databases: they may be asked for."""
    networks = {network for name in migrating for network in record.services[name].networks}
    restored = {*databases}
    return tuple(
        name
        for name, one in record.services.items()
        if one.kind == Kind.DATA and name not in restored and networks & {*one.networks}
    )


def unchanged(live: ReleaseRecord | None, record: ReleaseRecord, migrating: Iterable[str]) -> bool:
    """Whether every migrating service is the live release's to the last byte: then it has nothing new to run."""
    return live is not None and all(
        (one := live.services.get(name)) is not None
        and one.image == record.services[name].image
        and one.commands == record.services[name].commands
        for name in migrating
    )


def elsewhere(environment: Mapping[str, str | None], known: Iterable[str]) -> tuple[str, ...]:
    """Variables that name a machine which a rehearsal cannot reach, each with that machine; never with more of it."""
    reachable = {*known} | _LOCAL
    found = ((name, _host_in(name, value or "")) for name, value in sorted(environment.items()))
    return tuple(f"{name} ({host})" for name, host in found if host and host not in reachable)


def _host_in(name: str, value: str) -> str:
    """The machine that a value names: in an address, or by the variable's own name."""
    if "://" in value:
        scheme = value.partition("://")[0]
        try:
            return "" if scheme in {"http", "https"} else urlsplit(value).hostname or ""
        except ValueError:
            return ""
    host = value.partition(":")[0]
    return host if re.search(r"(?i)(^|_)(pg)?host(name)?$", name) and _HOST.fullmatch(host) else ""


Rows = dict[str, tuple[int | None, int | None]]
"""Tables that have another number of rows after migrations, with that before and that after; nothing for no table."""


@dataclass(frozen=True)
class Rehearsed:
    """Migrations of one service that ran through."""

    service: str
    names: tuple[str, ...]
    """What was pending, where that could be asked."""
    took_s: float
    """With the start of their container."""


@dataclass(frozen=True)
class Report:
    """What a rehearsal found."""

    backup: str
    rehearsed: tuple[Rehearsed, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    rewritten: tuple[str, ...] = ()
    """Tables whose every row was written anew."""
    rows: Rows = field(default_factory=dict)

    @property
    def took_s(self) -> float:
        return sum(one.took_s for one in self.rehearsed)


def changed_rows(before: str, had: Mapping[str, Content], has: Mapping[str, Content]) -> Rows:
    """Tables that have another number of rows than they had; `before` stands before their names."""
    counts = {name: (_count(had.get(name)), _count(has.get(name))) for name in sorted({*had, *has})}
    return {f"{before}{called(name)}": pair for name, pair in counts.items() if pair[0] != pair[1]}


def called(table: str) -> str:
    """`public.orders` as people call it."""
    return table.removeprefix("public.")


def _count(content: Content | None) -> int | None:
    return None if content is None else content.count


def restorable(backup: Manifest) -> frozenset[str]:
    """Services of which a backup has a database."""
    return frozenset(part.service for part in backup.parts if part.kind == StoreKind.POSTGRES)


def usable(
    backups: Iterable[Manifest], journal: Iterable[Entry], needed: Collection[str], *, since: datetime
) -> Manifest | None:
    """The newest backup that has the databases as they are now, and is no older than `since`.

    One from before a migration or a restore is of another schema than the next release will find.
    """
    backups = tuple(backups)
    changes = [entry.at for entry in journal if entry.migrated or entry.reversed]
    changes += [one.started_at for one in backups if one.label == Label.PRE_RESTORE]
    found = (
        one
        for one in backups
        if one.label not in {Label.PRE_RESTORE, Label.PULLED}
        and restorable(one) >= {*needed}
        and one.started_at >= max([since, *changes])
    )
    return max(found, key=lambda one: one.started_at, default=None)
