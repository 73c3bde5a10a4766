"""Dockerfiles that ask to be read by an image of their own (`# syntax=docker/dockerfile:1`) where that cannot be had.

The builder reads them by itself then, as it does those that ask for nothing.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deploy.engine.dockerfiles import dockerfile_text
from deploy.model.dockerfile import frontend, without_frontend
from deploy.model.stack import Build

_OF_DOCKERFILES = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?")
"""Others read another language, which no builder knows by itself."""


@contextlib.contextmanager
def readable(builds: Mapping[str, Build], available: Callable[[str], bool]) -> Iterator[Mapping[str, str]]:
    """The Dockerfiles to take instead of the services' own, by service; they are there while the block runs.

    `available` tells whether an image can be had.
    """
    wanted = {name: frontend(dockerfile_text(build)) for name, build in builds.items()}
    known = {image: available(image) for image in set(wanted.values()) if _OF_DOCKERFILES.fullmatch(image)}
    with tempfile.TemporaryDirectory(prefix="windlass-dockerfiles-") as folder:
        yield {
            name: str(_rewritten(builds[name], Path(folder, name)))
            for name, image in wanted.items()
            if not known.get(image, True)
        }


def _rewritten(build: Build, file: Path) -> Path:
    file.write_text(without_frontend(dockerfile_text(build)))
    ignore = Path(f"{build.dockerfile_path}.dockerignore")
    if build.inline is None and ignore.is_file():  # BuildKit looks for it beside the Dockerfile
        shutil.copy(ignore, f"{file}.dockerignore")
    return file
