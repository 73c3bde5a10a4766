"""Writing a project's files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from deploy.model.envfile import decoded, fill_example, read
from deploy.model.errors import UsageError
from deploy.shell.reading import read_file


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that appears complete or not at all. Raises UsageError where there can be none."""
    if path.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder", "name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "name another place") from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def env_text(path: Path) -> str:
    """The text of an env file, line ends as they are. Raises UsageError where it cannot be read or is not UTF-8."""
    return decoded(read_file(path), path.name)


def read_env_file(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables of an env file, as compose reads it; none where there is no file. Holds the values of secrets.

    `environ` is the environment that compose would have. Raises UsageError with file and line.
    """
    return dict(read(env_text(path), environ, path.name)) if os.path.lexists(path) else {}


def read_plain_env_file(path: Path) -> dict[str, str]:
    """The same of a file whose values have one line each. Raises UsageError for a value of several lines."""
    values = read_env_file(path)
    for name, value in values.items():
        if "\n" in value:
            raise UsageError(f"{path.name}: {name} has several lines", "a variable for restic has one")
    return values


def put_aside(path: Path, root: Path, now: datetime) -> Path:
    """Keep a copy of a file that is about to be replaced, where git does not see it; where that is."""
    write_whole(root / ".windlass" / ".gitignore", "*\n", mode=0o644)
    copy = root / ".windlass" / "env" / f"{path.name.lstrip('.')}-{now:%Y%m%dT%H%M%S}"
    write_whole(copy, env_text(path))
    return copy


def create_env_file(path: Path, example: Path) -> tuple[str, ...]:
    """Make an environment file from an example; the names of the variables that got a generated secret."""
    text, names = fill_example(env_text(example), source=example.name)
    write_whole(path, text)
    return names
