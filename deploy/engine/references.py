"""The reference stacks that ship with the project, in a checkout or an installed package, and copies of them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from deploy.engine.bases import recipe_folder
from deploy.engine.discover import EXAMPLE
from deploy.engine.files import write_whole
from deploy.engine.sources import read_document
from deploy.model.command import Command
from deploy.model.errors import UsageError, nearest
from deploy.model.scaffold import scaffold
from deploy.model.settings import slug
from deploy.shell import LocalShell

DISTRIBUTION = "windlass-deploy"
"""On package indexes; the name without the end is another project's."""
PARTS = ("compose", "docker", "apps")
"""Folders that have one of each stack's name."""
NOT_COPIED = frozenset(["__pycache__", "node_modules", "dist", "coverage", ".venv", ".git"])


@dataclass(frozen=True)
class ReferenceStack:
    """A stack that others can be made from."""

    name: str
    description: str
    """The first line of its compose file, in which it says what it is."""
    services: tuple[str, ...]
    """Those of development and production."""
    root: Path
    """What its parts lie in."""

    @property
    def example(self) -> Path:
        """What its env files are made from."""
        own = self.root / "compose" / self.name / EXAMPLE
        return own if own.is_file() else self.root / EXAMPLE


def reference_stacks() -> tuple[ReferenceStack, ...]:
    """Those that are there, by name."""
    root = recipe_folder().parents[1]
    return tuple(_reference(file, root) for file in sorted((root / "compose").glob("*/compose.yaml")))


def reference_stack(name: str) -> ReferenceStack:
    """Raises UsageError for one that is not there."""
    known = {stack.name: stack for stack in reference_stacks()}
    if name not in known:
        raise UsageError(f"there is no reference stack '{name}'", nearest(name, [*known]))
    return known[name]


def new_repository(stack: ReferenceStack, folder: Path) -> None:
    """Make a repository of a stack, complete or not at all. Raises UsageError for a folder that has something in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "name a folder that is not there yet, or an empty one")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for path in _files(stack):
            target = unfinished / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(stack.root / path, target, follow_symlinks=False)
        texts = scaffold(stack.name, slug(folder.name), stack.description, _requirement())
        for path, text in ({**texts, EXAMPLE: stack.example.read_text()}).items():
            write_whole(unfinished / path, text, mode=0o644)
        unfinished.chmod(0o755)
        unfinished.replace(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _reference(file: Path, root: Path) -> ReferenceStack:
    first = file.read_text().partition("\n")[0]
    names: dict[str, None] = {}
    for part in ("compose.yaml", "dev.yaml", "prod.yaml"):
        document: Mapping[str, Any] = read_document(file.parent, part) or {}
        names |= dict.fromkeys(document.get("services") or {})
    description = first.removeprefix("#").strip() if first.startswith("#") else ""
    return ReferenceStack(file.parent.name, description, tuple(names), root)


def _files(stack: ReferenceStack) -> Iterator[str]:
    """The files of a stack's parts relative to its root: those of a commit and new ones, where git knows them."""
    folders = [f"{part}/{stack.name}" for part in PARTS if (stack.root / part / stack.name).is_dir()]
    listing = Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders)
    known = LocalShell(stack.root).run(listing, check=False) if (stack.root / ".git").exists() else None
    if known and known.ok:
        found = (name for name in known.stdout.split("\0") if name and (stack.root / name).is_file())
    else:
        found = (path for folder in folders for path in _walked(stack.root / folder, stack.root))
    yield from (path for path in found if path != f"compose/{stack.name}/{EXAMPLE}")


def _walked(folder: Path, root: Path) -> Iterator[str]:
    for current, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_COPIED]
        yield from ((Path(current) / name).relative_to(root).as_posix() for name in files)


def _requirement() -> str:
    """The Windlass that is installed, as pip names it: by its commit where it comes from a repository (PEP 610)."""
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return DISTRIBUTION
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    if source := origin.get("vcs_info"):
        return f"{DISTRIBUTION} @ {source['vcs']}+{origin['url']}@{source['commit_id']}"
    return f"{DISTRIBUTION}=={installed.version}"
