"""The keeper: an image that holds Windlass itself, for a host that backs itself up while no client is there."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path

from deploy.engine.bases import BaseImages, recipe_folder
from deploy.engine.images import BUILD_ENVIRONMENT
from deploy.engine.platforms import is_native
from deploy.model.command import Command
from deploy.model.dockerfile import base_images
from deploy.model.errors import CommandError, DeployError
from deploy.model.fingerprint import digest
from deploy.shell import LocalShell
from deploy.ui import Step

PACKAGES = ("invoke", "rich")
"""What the tasks need that it runs. All of it, and of what it needs in turn, is pure Python, and so is copied as it is
here: the keeper is made of what was tried, and no package index has to be reached."""
_OURS = (".py", ".sh", ".bash")
_BESIDE = frozenset({"apps", "compose", "docker"})
"""Folders that an installed package has beside its modules, and that no keeper reads."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Keeper:
    """The image for a project's hosts of a platform, before it is built."""

    reference: str
    """Named by what it is made from: another version of Windlass has another one."""
    platform: str
    files: Mapping[str, bytes] = field(repr=False)
    """The build context."""


def keeper_name(project: str) -> str:
    """The repository of a project's keepers. Not under `<project>/`, where releases have theirs pruned."""
    return f"{project}-keeper"


@cache
def keeper_of(project: str, platform: str) -> Keeper:
    """The keeper that this version of Windlass makes."""
    files = {
        "Dockerfile": (recipe_folder().parent / "keeper" / "Dockerfile").read_bytes(),
        **{f"deploy/{name}": content for name, content in _windlass()},
        **{f"packages/{name}": content for name, content in _packages()},
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Keeper(f"{keeper_name(project)}:{digest([sums, platform])}", platform, files)


def build_keeper(shell: LocalShell, bases: BaseImages, keeper: Keeper, step: Step) -> None:
    """Build it, unless this machine has it. Raises DeployError with the end of the build's output."""
    if bases.present(keeper.reference, keeper.platform):
        return
    for base in base_images(keeper.files["Dockerfile"].decode(), {}, {}):
        bases.ensure_for(keeper.platform, base)
    with tempfile.TemporaryDirectory(prefix="windlass-keeper-") as folder:
        for name, content in keeper.files.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        command = Command("docker", "build", "--progress", "plain", "--tag", keeper.reference)
        command = command.option("--platform", None if is_native(keeper.platform) else keeper.platform)
        try:
            LocalShell(shell.cwd, shell.env | BUILD_ENVIRONMENT).run(command.then(folder), on_line=step.show)
        except CommandError as error:
            raise DeployError("the keeper cannot be built", "see above", details=error.stderr) from error


def _windlass() -> Iterator[tuple[str, bytes]]:
    """Our own modules and scripts, by their paths in the package."""
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*")):
        path = file.relative_to(package)
        if file.suffix in _OURS and path.parts[0] not in _BESIDE:
            yield path.as_posix(), file.read_bytes()


def _packages() -> Iterator[tuple[str, bytes]]:
    """The modules of PACKAGES and of what they need, as they are installed here."""
    wanted, seen = [*PACKAGES], set[str]()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        wanted += [match[0] for one in found.requires or () if "extra ==" not in one and (match := _NAME.match(one))]
        for file in found.files or ():
            if file.suffix == ".so":
                raise DeployError(f"{name} is not pure Python here: the keeper cannot take it over")
            # what an installer notes is another one on every machine
            if ".." not in file.parts and file.suffix != ".pyc" and not file.parts[0].endswith(".dist-info"):
                yield file.as_posix(), Path(str(file.locate())).read_bytes()
