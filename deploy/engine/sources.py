"""Reading what findings are made from: the folders that services are built from, and a project's own file names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from deploy.engine.dockerfiles import recipe_of
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.findings.source import Source, is_told_by
from deploy.model.recipe import Recipe
from deploy.model.stack import Service
from deploy.shell import LocalShell
from deploy.shell.reading import read_text

MOST_FILES = 20_000
DEEPEST = 5
MOST_BYTES = 64 * 1024
SKIPPED = frozenset(
    ["node_modules", "venv", "vendor", "__pycache__", "site-packages", "target", "_build", "deps", "coverage", "dist"]
)


def read_sources(services: Iterable[Service], root: Path) -> Mapping[str, Source]:
    """The source of each service that has one here: its build context, else the project's folder that it mounts."""
    folders: dict[Path, tuple[frozenset[str], Mapping[str, str]]] = {}
    found = {}
    for service in services:
        folder, recipe, mounted = _made_from(service, root)
        if folder is None:
            continue
        if folder not in folders:
            files = frozenset(_files(folder))
            folders[folder] = (
                files,
                {path: text for path in files if is_told_by(path) and (text := _text(folder / path))},
            )
        files, texts = folders[folder]
        found[service.name] = Source(str(folder), files, texts, recipe, mounted)
    return found


def project_files(root: Path) -> frozenset[str]:
    """Names of the files at a project's top and in the folders right below it."""
    return frozenset(_files(root, deepest=1))


def read_document(root: Path, path: str) -> Mapping[str, Any] | None:
    """A compose file's content; None when it uses tags that compose alone knows, or cannot be read."""
    import yaml

    try:
        found = yaml.safe_load(read_text(root / path))
    except (UsageError, yaml.YAMLError, ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else {}


def documents(root: Path) -> partial[Mapping[str, Any] | None]:
    return partial(read_document, root)


def is_shared(root: Path, path: str) -> bool:
    """Whether a file belongs to the project: git tracks it, or there is no git."""
    shell = LocalShell(root)
    if not shell.run(Command("git", "rev-parse", "--is-inside-work-tree"), check=False).ok:
        return True
    return shell.run(Command("git", "ls-files", "--error-unmatch", path), check=False).ok


def _made_from(service: Service, root: Path) -> tuple[Path | None, Recipe, str]:
    mounts = [
        (Path(mount["source"]), str(mount["target"]))
        for mount in service.definition.get("volumes") or ()
        if mount.get("type") == "bind"
    ]
    if service.build and service.build.local:
        context = Path(service.build.context)
        mounted = next((target for source, target in mounts if source == context), "")
        return (context if context.is_dir() else None), recipe_of(service.build), mounted
    if service.build is None:
        inside = ((source, target) for source, target in mounts if source.is_relative_to(root) and source.is_dir())
        source, target = next(inside, (None, ""))
        return source, Recipe(), target
    return None, Recipe(), ""


def _files(folder: Path, *, deepest: int = DEEPEST) -> Iterator[str]:
    """Paths of files relative to a folder, of a deep tree only those near its top."""
    count = 0
    for current, folders, files in os.walk(folder):
        below = Path(current).relative_to(folder)
        depth = len(below.parts)
        folders[:] = (
            [name for name in sorted(folders) if name not in SKIPPED and name not in {".git", ".venv"}]
            if depth < deepest
            else []
        )
        for name in files:
            count += 1
            if count > MOST_FILES:
                return
            yield (below / name).as_posix()


def _text(path: Path) -> str:
    """A small file's text; empty when it is none."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return ""
        return path.read_text(errors="replace")
    except OSError:
        return ""
