"""What a project takes of a host's disk, and how its databases are backed up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from deploy.model.backup import Label, Manifest

_KB = 1024


@dataclass(frozen=True)
class Usage:
    """Bytes on disk."""

    releases_bytes: int = 0
    backups_bytes: int = 0
    shared_bytes: int = 0
    """Folders that services write to."""
    images: int = 0
    images_bytes: int = 0
    """At most: layers that images share are counted in each of them."""


def parse_usage(text: str) -> Usage:
    """From what `usage.sh` printed."""
    pairs = [line.partition("=")[::2] for line in text.splitlines()]
    folders = {name: int(value) * _KB for name, value in pairs if value.isdigit() and name != "image"}
    images = [int(value) for name, value in pairs if name == "image"]
    return Usage(
        releases_bytes=folders.get("releases", 0),
        backups_bytes=folders.get("backups", 0),
        shared_bytes=folders.get("shared", 0),
        images=len(images),
        images_bytes=sum(images),
    )


Newest = Mapping[str, Manifest | None]
"""For each of some services the newest backup that has it; None where there is none."""


def newest_backups(manifests: Iterable[Manifest], services: Iterable[str]) -> Newest:
    """The newest of some complete backups that has each of some services; None where there is none.

    One that was recovered as of a moment does not count: it is as old as that.
    """
    found: dict[str, Manifest | None] = dict.fromkeys(services)
    for manifest in sorted(manifests, key=lambda one: one.started_at):
        if manifest.label != Label.POINT_IN_TIME:
            found |= dict.fromkeys(manifest.services & found.keys(), manifest)
    return found


def backup_problems(newest: Newest, now: datetime, max_age: timedelta, what: str = "backup") -> tuple[str, ...]:
    """Stores whose newest backup is older than it may be, in sentences; a maximum of 0 allows any age.

    `what` says which backups are meant: all, or those of a kind.
    """
    if not max_age:
        return ()
    return tuple(
        f"{service} has no {what}"
        if manifest is None
        else f"the newest {what} of {service} is {(now - manifest.started_at) // timedelta(hours=1)} h old"
        for service, manifest in newest.items()
        if manifest is None or now - manifest.started_at > max_age
    )
