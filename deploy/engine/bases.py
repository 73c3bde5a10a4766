"""Base images: the official ones where a registry answers, else made here from Debian's packages under the same tags.

A recipe is one file, `docker/base/<name>.Dockerfile`, whose first line says `# provides: <tags>`. An image that was
made from one carries its digest, and is made anew when the recipe has changed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.engine.dockerfiles import dockerfile_text
from deploy.engine.platforms import is_native, without_variant
from deploy.model.command import Command
from deploy.model.dockerfile import base_images
from deploy.model.errors import CommandError, DeployError
from deploy.model.stack import Service
from deploy.shell import LocalShell
from deploy.ui import Console, Step

PULL_TIMEOUT_S = 900
_PROVIDES = re.compile(r"^# provides: (.+)$", re.MULTILINE)
_COPIED = re.compile(r"^(?:COPY|ADD) (?:--\S+ )*(\S+) ", re.MULTILINE)
MADE_FROM = "windlass.recipe"
"""Label of an image that was made here: the digest of its recipe. The official ones have none."""
_DEBIAN = re.compile(r"debian:(bookworm|trixie|forky|sid)(-slim)?")


def recipe_folder() -> Path:
    """`docker/base` of this checkout, or its copy inside an installed package."""
    package = Path(__file__).parents[1]
    inside = package / "docker" / "base"
    return inside if inside.is_dir() else package.parent / "docker" / "base"


@dataclass(frozen=True)
class Recipe:
    """How to make an image here."""

    file: Path
    provides: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        return base_images(self.file.read_text(), {}, {})

    def digest(self, others: Mapping[str, Recipe]) -> str:
        """Sixteen hexadecimal digits over everything that the image is made from, recipes of what it needs too."""
        text = self.file.read_text()
        sums = hashlib.sha256(text.encode())
        for source in _COPIED.findall(text):
            path = self.file.parent / source
            for file in sorted([path, *path.rglob("*")] if path.is_dir() else [path]):
                if file.is_file():
                    sums.update(str(file.relative_to(self.file.parent)).encode() + file.read_bytes())
        for needed in self.needs:
            if other := others.get(needed):
                sums.update(other.digest(others).encode())
        return sums.hexdigest()[:16]


def needed_images(services: Iterable[Service]) -> tuple[str, ...]:
    """Every image that building and running these services starts from."""
    needed: list[str] = []
    for service in services:
        if service.build is None:
            needed.append(service.image)
        else:
            build = service.build.definition
            contexts, target = build.get("additional_contexts") or {}, str(build.get("target") or "")
            needed += base_images(dockerfile_text(service.build), build.get("args") or {}, contexts, target)
    return tuple(dict.fromkeys(needed))


class BaseImages:
    """Obtains images for the engine of this machine. Remembers for its lifetime whether a registry answers."""

    def __init__(self, shell: LocalShell, console: Console, project_root: Path) -> None:
        self._shell = shell
        self._console = console
        self._root = project_root
        self._registry_answers = True

    def ensure(self, references: Iterable[str]) -> None:
        """Make every image present. Raises DeployError for one that can neither be pulled nor made."""
        for reference in references:
            if not self.present(reference) or self._outdated(reference):
                self._obtain(reference)

    def ensure_for(self, platform: str, reference: str) -> None:
        """Make an image present as the one for a platform. Raises DeployError when it cannot be pulled."""
        if is_native(platform):
            self.ensure([reference])
        elif not self.present(reference, platform):
            error = self._pull(reference, platform)
            if error is not None or not self.present(reference, platform):
                raise DeployError(
                    f"{reference}: cannot be had for {platform} on this machine",
                    f"reach a registry, or have it on the host before: docker pull {reference}",
                    details=error or "",
                )

    def refresh(self, references: Iterable[str]) -> None:
        """Take newer versions of images from their registry, where one answers."""
        for reference in references:
            if self._pull(reference) is not None:
                self._console.note(f"{reference} is kept as it is on this machine")

    def reads_dockerfiles(self, reference: str) -> bool:
        """Whether an image that Dockerfiles want to be read by can be had; it is taken then."""
        if self.present(reference) or (self._registry_answers and self._pull(reference) is None):
            return True
        self._console.note(f"{reference} cannot be had: Dockerfiles that ask for it are read by the builder itself")
        return False

    def made_here(self) -> tuple[str, ...]:
        """An image of every recipe, by its first name."""
        return tuple(dict.fromkeys(recipe.provides[0] for recipe in self._recipes().values()))

    def present(self, reference: str, platform: str = "") -> bool:
        command = Command("docker", "image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", reference)
        found = self._shell.run(command, check=False)
        return found.ok and without_variant(platform) in {"", found.stdout.strip()}

    def _outdated(self, reference: str) -> bool:
        """Whether an image was made here from a recipe that has changed since."""
        recipe = self._recipes().get(reference)
        if recipe is None:
            return False
        form = f'{{{{index .Config.Labels "{MADE_FROM}"}}}}'
        made_from = self._shell.run(Command("docker", "image", "inspect", "--format", form, reference)).stdout.strip()
        return made_from not in {"", recipe.digest(self._recipes())}

    def _obtain(self, reference: str) -> None:
        error = self._pull(reference)
        if error is None:
            return
        recipe = self._recipes().get(reference)
        if recipe:
            self.ensure(recipe.needs)
        elif not _DEBIAN.fullmatch(reference):
            raise DeployError(
                f"{reference}: cannot be pulled, and there is no recipe for it",
                f"reach a registry, or add docker/base/<name>.Dockerfile that says '# provides: {reference}'",
                details=error,
            )
        with self._console.step(f"Make {reference} from Debian's packages, as it cannot be pulled") as step:
            if recipe:
                self._build(recipe, step)
            else:
                self._bootstrap(reference, step)

    def _pull(self, reference: str, platform: str = "") -> str | None:
        """None when the image has come, else why not. After one silence nothing that can be made here is asked for."""
        if not (self._registry_answers or platform) and (_DEBIAN.fullmatch(reference) or reference in self._recipes()):
            return "no registry answers"
        with self._console.step(f"Pull {reference}") as step:
            try:
                command = Command("docker", "pull", "--quiet").option("--platform", platform or None)
                self._shell.run(command.then(reference), timeout_s=PULL_TIMEOUT_S)
            except CommandError as error:
                self._registry_answers = False
                step.result = "no registry gives it"
                return error.stderr
        return None

    def _recipes(self) -> Mapping[str, Recipe]:
        return _recipes_in((recipe_folder(), self._root / "docker" / "base"))

    def _build(self, recipe: Recipe, step: Step) -> None:
        command = Command("docker", "build", "--progress", "plain").each("--tag", recipe.provides)
        command = command.option("--label", f"{MADE_FROM}={recipe.digest(self._recipes())}")
        command = command.then("--file", str(recipe.file), str(recipe.file.parent))
        self._shell.run(command, on_line=step.show)

    def _bootstrap(self, reference: str, step: Step) -> None:
        """A Debian root file system, straight from the bootstrap tool into `docker import`."""
        suite = reference.removeprefix("debian:").removesuffix("-slim")
        build = Command(str(recipe_folder() / "debian.sh"), suite)
        if os.getuid():
            build = Command("sudo", "-n", *build)
        take = Command("docker", "import", "--change", 'CMD ["bash"]', "-", reference)
        done = 0
        with self._shell.start(build) as source, self._shell.start(take) as sink:
            while chunk := source.read(1 << 16):
                sink.write(chunk)
                done += len(chunk)
                step.progress(done)
            trouble = source.read_stderr(1 << 16)
            if source.wait():
                raise DeployError(
                    f"{reference}: cannot be made here",
                    "this needs root (or sudo without a password) on Debian or Ubuntu; elsewhere, reach a registry",
                    details=trouble.decode(errors="replace"),
                )
            sink.close_stdin()
            if sink.wait():
                raise DeployError(f"{reference}: docker import failed", details=sink.read_stderr(1 << 16).decode())


@cache
def _recipes_in(folders: tuple[Path, ...]) -> dict[str, Recipe]:
    """Tag to recipe; a project's own recipes win over ours."""
    recipes: dict[str, Recipe] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.Dockerfile")):
            if provides := _PROVIDES.search(file.read_text()):
                recipe = Recipe(file, tuple(provides[1].split()))
                recipes |= dict.fromkeys(recipe.provides, recipe)
    return recipes
