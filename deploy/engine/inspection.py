"""Looking at a project as it is in its folder: nothing is built or connected to, and nothing has to be set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import compose_files, env_example, find_compose_files, find_env_file
from deploy.engine.held import Held, seal_of
from deploy.engine.lines import SourceLines
from deploy.engine.sources import read_sources
from deploy.model.findings import ComposeFiles, EnvFile, Source
from deploy.model.settings import Environment
from deploy.model.stack import Stack
from deploy.shell import LocalShell

PASSES = "1"
"""What a variable is taken to be that is required and not set yet: a valid port, size, number and text at once."""


@dataclass(frozen=True)
class Inspection:
    """One environment of a project as it was found."""

    stack: Stack
    sources: Mapping[str, Source]
    files: ComposeFiles
    env_file: EnvFile
    example: str
    """What the env file is made from; empty when there is no example."""
    missing: tuple[str, ...]
    """Variables that the compose files require and nothing sets yet."""
    made_up: tuple[str, ...]
    """Secrets whose value is an example's."""
    raw: Mapping[str, Mapping[str, str | None]]
    """The environment of each service before variables are put in."""


def inspect(shell: LocalShell, root: Path, environment: Environment) -> Inspection:
    """Raises UsageError where there are no compose files, or compose does not accept them."""
    files = find_compose_files(root, environment)
    paths = tuple(root / path for path in files.paths)
    example = env_example(root, paths, environment.name)
    found = readable(shell, root, environment)
    compose, missing = found.compose, found.missing
    env_file = find_env_file(root, environment, paths)
    there = (root / env_file.path).is_file()
    stack, _ = compose.stack()
    return Inspection(
        stack=stack,
        sources=read_sources(stack.services.values(), root),
        files=files,
        env_file=env_file,
        example=example.relative_to(root).as_posix() if example else "",
        missing=missing if there or not example else (),
        made_up=compose.made_up() if there else (),
        raw=compose.raw_environments(),
    )


@dataclass(frozen=True)
class Readable:
    """An environment's compose files, with something for every variable that they do not do without."""

    compose: ComposeProject
    missing: tuple[str, ...]
    """Variables that are required, and that nothing sets yet."""
    stood_in: frozenset[str]
    """Variables whose values are not known here: those, and what an encrypted env file or a command would tell."""


def readable(shell: LocalShell, root: Path, environment: Environment) -> Readable:
    """An environment's files as they can be read without asking anybody for a secret.

    An env file that is not there yet is stood in for by its example. Raises UsageError without any compose files.
    """
    paths = compose_files(root, environment)
    env_file, example = root / find_env_file(root, environment, paths).path, env_example(root, paths, environment.name)
    held = Held(sealed=seal_of(env_file) is not None)
    compose = ComposeProject(
        shell, environment.project, paths, env_file if env_file.is_file() or not example else example, held
    )
    missing = frozenset(compose.missing_variables())
    references = [one for file in SourceLines(paths, root).written() for one in file.references if held.sealed]
    hidden = {*environment.secrets, *(one.name for one in references)} - shell.environ().keys()
    blank = missing | environment.secrets.keys() | {one.name for one in references if one.default is None}
    given = dict.fromkeys(blank - shell.environ().keys(), PASSES)
    if given:
        compose = ComposeProject(
            LocalShell(shell.cwd, {**shell.env, **given}), compose.name, paths, compose.env_file, held
        )
    told = () if held.sealed else tuple(sorted(missing - environment.secrets.keys()))
    return Readable(compose, told, missing | hidden)
