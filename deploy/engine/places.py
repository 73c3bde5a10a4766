"""Telling the project's own files from its data: by what git knows, and without it by what folders are called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deploy.model.command import Command
from deploy.model.places import Place, Placement, Places, bind_mounts, local_path
from deploy.model.stack import Stack
from deploy.shell import LocalShell

PLACEHOLDERS = frozenset({".gitignore", ".gitkeep", ".keep", ".empty"})
"""Files that are in git so that their folder is: it holds data all the same."""
SYSTEM = ("/dev", "/etc", "/lib", "/proc", "/run", "/sys", "/tmp", "/usr", "/var/lib/docker", "/var/log", "/var/run")  # noqa: S108
"""Folders of a host that belong to it, whoever may write there."""
DATA_WORDS = frozenset(
    [
        "backup",
        "backups",
        "cache",
        "data",
        "db",
        "log",
        "logs",
        "media",
        "pgdata",
        "spool",
        "state",
        "storage",
        "tmp",
        "upload",
        "uploads",
        "var",
        "volume",
        "volumes",
    ]
)
"""What folders of data are called; asked only where there is no git to know better."""


def find_places(stack: Stack, root: Path) -> Places:
    """Where every bind mount's source is. A folder that is data to one service is data to all that mount it."""
    known = known_to_git(root)
    sources = {str(mount["source"]): local_path(mount["source"]) for _, mount in bind_mounts(stack)}
    kept = {
        local_path(mount["source"])
        for service, mount in bind_mounts(stack)
        if local_path(mount["source"]).is_relative_to(root)
        and (
            mount.get("target") in stack.services[service].options.keep
            or (not mount.get("read_only") and _is_data(local_path(mount["source"]), root, known))
        )
    }
    writable = {local_path(mount["source"]) for _, mount in bind_mounts(stack) if not mount.get("read_only")}
    found: dict[str, Placement] = {}
    for source, path in sources.items():
        if not path.is_relative_to(root):
            found[source] = Placement(Place.HOST)
        elif kept & {path, *path.parents}:
            found[source] = Placement(Place.KEPT)
        elif path.is_dir():
            only_known = known if path in writable or path == root else None
            files = _files(path, root, only_known)
            found[source] = Placement(
                Place.SHIPPED, tuple(sorted(name for name in files if not kept & {*(path / name).parents}))
            )
        else:
            found[source] = Placement(Place.SHIPPED)
    return Places(root, found)


def data_folders(document: Mapping[str, Any], root: Path) -> frozenset[str]:
    """Sources of bind mounts that services write data to, in the project or elsewhere on the host."""
    mounts = [mount for raw in (document.get("services") or {}).values() for mount in raw.get("volumes") or ()]
    writable = {str(one["source"]) for one in mounts if one.get("type") == "bind" and not one.get("read_only")}
    known = known_to_git(root) if writable else None
    return frozenset(
        source
        for source in writable
        if (
            _is_data(local_path(source), root, known)
            if local_path(source).is_relative_to(root)
            else not (source == "/" or source.startswith(SYSTEM))
        )
    )


def known_to_git(root: Path) -> frozenset[str] | None:
    """Files below a folder that are tracked, or would be: not ignored. None where git knows nothing of the folder."""
    listing = Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    try:
        done = LocalShell(root).run(listing, check=False)
    except OSError:  # no git
        return None
    names = frozenset(name for name in done.stdout.split("\0") if name)
    return names if done.ok and names else None


def _is_data(path: Path, root: Path, known: Iterable[str] | None) -> bool:
    """Whether a writable mount's source is a folder of data."""
    if path.is_file():
        return False
    if not path.is_dir():
        return True
    if known is None:
        words = re.split(r"[^a-z]+", path.name.lower())
        return not any(path.iterdir()) or bool(DATA_WORDS & {*words})
    inside = "" if path == root else f"{path.relative_to(root).as_posix()}/"
    return not any(name.startswith(inside) and Path(name).name not in PLACEHOLDERS for name in known)


def _files(folder: Path, root: Path, known: Iterable[str] | None) -> Iterator[str]:
    """Files below a folder, relative to it; of a folder that a service writes to only what git knows."""
    if known is not None:
        for name in known:
            path = root / name
            if path.is_relative_to(folder) and (path.is_symlink() or path.exists()):
                yield path.relative_to(folder).as_posix()
        return
    for current, folders, files in os.walk(folder):
        here = Path(current)
        folders[:] = [name for name in folders if name != ".git"]
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            yield (here / name).relative_to(folder).as_posix()
