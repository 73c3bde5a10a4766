"""The digest of everything a build reads from this machine: equal digests mean that building again changes nothing.

Times and permissions other than the executable bit do not count, so a fresh clone of a commit gives the digest that the
host's release was recorded with, and a deploy of it says that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from deploy.engine.dockerfiles import dockerfile_text
from deploy.model.dockerignore import IgnoreRules
from deploy.model.errors import UsageError
from deploy.model.fingerprint import digest
from deploy.model.migrations import Framework
from deploy.model.stack import Build

EXECUTABLE = 0o100
CACHES = ("cache_from", "cache_to")
"""Parts of a build definition that say where it is quick, and nothing of what comes of it."""


def build_digest(build: Build, service: str) -> str:
    """Sixteen hexadecimal digits over the build definition, its Dockerfile and the files of its contexts.

    A context that is not a folder of this machine (a repository's address) counts by its name. Raises UsageError when
    the context or the Dockerfile is missing.
    """
    definition = {key: value for key, value in build.definition.items() if key not in CACHES}
    definition["context"] = build.context
    if build.local:
        if not Path(build.context).is_dir():
            raise UsageError(
                f"services.{service}.build.context: no folder {build.context}", "mend the path in the compose file"
            )
        if build.inline is None and not build.dockerfile_path.is_file():
            raise UsageError(
                f"services.{service}.build.dockerfile: no file {build.dockerfile_path}",
                "mend the path in the compose file",
            )
        definition["context"] = folder_digest(Path(build.context), ignore_rules(build))
        if build.inline is None:
            definition["dockerfile"] = digest(dockerfile_text(build))
    definition["additional_contexts"] = {
        name: folder_digest(Path(source), IgnoreRules(())) if Path(source).is_dir() else source
        for name, source in (definition.get("additional_contexts") or {}).items()
    }
    return digest(definition)


def folder_digest(folder: Path, rules: IgnoreRules) -> str:
    """A digest over names, contents, link targets and executable bits of what the rules leave in."""
    return files_digest(context_files(folder, rules))


def files_digest(files: Iterable[tuple[Path, str]]) -> str:
    """The same of files, links and folders, each given with the name that counts."""
    total = hashlib.sha256()
    for path, relative in sorted(files, key=lambda found: found[1]):
        total.update(f"{relative}\0".encode())
        if path.is_symlink():
            total.update(b"link\0" + os.readlink(path).encode() + b"\0")  # noqa: PTH115  # the text itself, unresolved
        elif path.is_file():
            total.update(b"x\0" if path.stat().st_mode & EXECUTABLE else b"-\0")
            with path.open("rb") as content:
                total.update(hashlib.file_digest(content, "sha256").digest())
        else:
            total.update(b"folder\0")
    return total.hexdigest()[:16]


def context_files(folder: Path, rules: IgnoreRules) -> Iterator[tuple[Path, str]]:
    """Files, links and folders that a build sees, each with its path relative to the context."""
    for current, folders, files in os.walk(folder):
        here = Path(current)
        below = here.relative_to(folder).as_posix()
        prefix = "" if below == "." else f"{below}/"
        kept = []
        for name in folders:
            ignored = rules.ignores(prefix + name)
            if not ignored:
                yield here / name, prefix + name
            if (not ignored or rules.has_exceptions) and not (here / name).is_symlink():
                kept.append(name)
        folders[:] = kept
        for name in files:
            if not rules.ignores(prefix + name):
                yield here / name, prefix + name


def migrations_in(build: Build, framework: Framework) -> tuple[str, ...]:
    """Names of the migrations that a build sees, in the order of their files."""
    names = {
        relative: framework.name_of(relative, partial(path.read_text, errors="replace"))
        for path, relative in context_files(Path(build.context), ignore_rules(build))
        if relative.endswith(".py") and path.is_file()
    }
    return tuple(names[relative] for relative in sorted(names) if names[relative])


def ignore_rules(build: Build) -> IgnoreRules:
    """What a build does not see of its context."""
    file = ignore_file(build)
    return IgnoreRules(file.read_text().splitlines() if file else ())


def ignore_file(build: Build) -> Path | None:
    """The ignore file beside the Dockerfile wins over the one of the context, as in BuildKit."""
    files = (Path(f"{build.dockerfile_path}.dockerignore"), Path(build.context, ".dockerignore"))
    return next((file for file in files if file.is_file()), None)
