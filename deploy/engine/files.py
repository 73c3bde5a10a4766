"""Writing a project's files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from deploy.model.envfile import fill_example
from deploy.model.errors import UsageError


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
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


def read_env_file(path: Path) -> dict[str, str]:
    """Variables of an env file, as compose reads it; none where there is no file. Holds the values of secrets.

    Raises UsageError for a value of several lines.
    """
    from dotenv import dotenv_values

    values = {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    for name, value in values.items():
        if "\n" in value:
            raise UsageError(f"{path.name}: {name} has several lines", "a variable for restic has one")
    return values


def create_env_file(path: Path, example: Path) -> tuple[str, ...]:
    """Make an environment file from an example; the names of the variables that got a generated secret."""
    text, names = fill_example(example.read_text())
    write_whole(path, text)
    return names
