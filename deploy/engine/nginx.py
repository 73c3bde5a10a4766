"""Reading the settings of nginx that services mount, are given, or have built in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from deploy.engine.dockerfiles import recipe_of
from deploy.model.places import local_path
from deploy.model.rules import ConfigFile
from deploy.model.stack import Service, Stack

FOLDERS = ("/etc/nginx", "/etc/angie", "/usr/local/openresty/nginx/conf")
MOST_FILES = 50
_MOST_CHARS = 256 * 1024


def nginx_files(stack: Stack, root: Path) -> Mapping[str, tuple[ConfigFile, ...]]:
    """By service, what of this machine's files nginx reads there; services without any are left out."""
    found = {}
    for name, service in stack.services.items():
        paths = dict.fromkeys(path for source in _sources(service, stack) for path in _files(source))
        if files := tuple(ConfigFile(_relative(path, root), text) for path in paths if (text := _text(path))):
            found[name] = files
    return found


def _sources(service: Service, stack: Stack) -> Iterator[Path]:
    """Files and folders of this machine that end up in one of the folders."""
    for mount in service.definition.get("volumes") or ():
        if mount.get("type") == "bind" and _is_read(str(mount.get("target"))):
            yield local_path(str(mount["source"]))
    for entry in service.definition.get("configs") or ():
        raw = (stack.document.get("configs") or {}).get(entry.get("source")) or {}
        if raw.get("file") and _is_read(str(entry.get("target") or "")):
            yield local_path(str(raw["file"]))
    build = service.build
    if not build or not build.local:
        return
    contexts = {name.lower(): str(path) for name, path in (build.definition.get("additional_contexts") or {}).items()}
    for copy in recipe_of(build).copies:
        folder = contexts.get(copy.source) if copy.source else build.context
        if folder and _is_read(copy.target):
            yield from (Path(folder, path.lstrip("/")) for path in copy.paths)


def _is_read(target: str) -> bool:
    return target.startswith(FOLDERS)


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    elif source.is_dir():
        yield from sorted(islice((path for path in source.rglob("*") if path.is_file()), MOST_FILES))


def _text(path: Path) -> str:
    """Empty for what is no text or cannot be read."""
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(_MOST_CHARS)
    except (OSError, UnicodeDecodeError):
        return ""


def _relative(path: Path, root: Path) -> str:
    whole = Path(os.path.normpath(path))
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)
