"""Finding an environment's files when `invoke.yaml` does not name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.engine.sources import documents, is_shared, project_files
from deploy.model.errors import UsageError
from deploy.model.findings import ComposeFiles, EnvFile, choose_compose_files, choose_env_file, examples
from deploy.model.settings import Environment

EXAMPLE = ".env.example"


def compose_files(root: Path, environment: Environment) -> tuple[Path, ...]:
    """The files of an environment, absolute. Raises UsageError naming what is missing."""
    return tuple(root / path for path in find_compose_files(root, environment).paths)


def find_compose_files(root: Path, environment: Environment) -> ComposeFiles:
    """The files of an environment, and why these. Raises UsageError naming what is missing."""
    if environment.compose:
        for file in (root / name for name in environment.compose):
            if not file.is_file():
                raise UsageError(
                    f"invoke.yaml: deploy.environments.{environment.name}.compose: no file {file}", "mend the path"
                )
        return ComposeFiles(environment.compose, "invoke.yaml names them, or its stack")
    found = choose_compose_files(
        project_files(root), environment.name, local=environment.local, document=documents(root)
    )
    if found:
        return found
    raise UsageError(
        f"no compose file found in {root}",
        f"add compose.yaml, or name the files under deploy.environments.{environment.name}.compose in invoke.yaml",
    )


def find_env_file(root: Path, environment: Environment, files: Sequence[Path]) -> EnvFile:
    """Where an environment's variables are or are to be, and why there."""
    names = _names(root, files)
    shared = not environment.local and environment.env_file not in names and is_shared(root, ".env")
    return choose_env_file(names, environment.name, environment.env_file, shared=shared, folders=_folders(root, files))


def env_example(root: Path, files: Sequence[Path], environment: str) -> Path | None:
    """What an env file is made from: an example beside the compose files, else in the project's folder."""
    folders = _folders(root, files)
    found = examples(_names(root, files), environment, (*folders[1:], ""))
    return root / found[0] if found else None


def _folders(root: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """The project's folder and those of its compose files, relative to the former."""
    inside = (file.parent.relative_to(root).as_posix() for file in files if file.is_relative_to(root))
    return tuple(dict.fromkeys(("", *(folder for folder in inside if folder != "."))))


def _names(root: Path, files: Sequence[Path]) -> frozenset[str]:
    """Names of the files at the project's top, right below it, and beside its compose files."""
    folders = {file.parent for file in files if file.is_relative_to(root)}
    beside = (file.relative_to(root).as_posix() for folder in folders for file in folder.iterdir() if file.is_file())
    return project_files(root) | frozenset(beside)
