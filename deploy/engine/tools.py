"""Programs that backups need on any machine, each in an image of its own that is made here."""

from __future__ import annotations

from pathlib import Path

from deploy.engine.bases import BaseImages, recipe_folder
from deploy.engine.images import missing
from deploy.engine.platforms import is_native
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell import LocalShell
from deploy.ui import Console


def make_age(local: LocalShell, console: Console, root: Path, image: str, platform: str = "") -> None:
    """See that this machine has age in an image. Raises DeployError where it cannot be made."""
    if platform and not is_native(platform):
        raise DeployError(
            f"age cannot be made for {platform} on this machine",
            "order this from a machine of that kind, or one that has it",
        )
    if not missing(local, [image]):
        return
    BaseImages(local, console, root).ensure(["debian:trixie-slim"])
    with console.step(f"Build {image}"):
        folder = recipe_folder().parent / "age"
        local.run(Command("docker", "build", "--quiet", "--tag", image, str(folder)))
