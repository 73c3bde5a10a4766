"""What we say about builds, held against a real BuildKit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.engine.bases import BaseImages, recipe_folder
from deploy.engine.context import context_files
from deploy.model.dockerignore import IgnoreRules
from deploy.model.errors import DeployError
from deploy.push.stream import Saved
from deploy.shell import LocalShell
from deploy.ui import Console

TREE = (
    "a.txt",
    "a.pyc",
    "src/a.pyc",
    "src/deep/b.pyc",
    "src/keep/me.txt",
    "src/drop/me.txt",
    "node_modules/x/y.js",
    "app/node_modules/z.js",
    "docs/a.md",
    "docs/keep.md",
    "build/out",
    "tools/build/in",
    ".git/config",
    ".env",
    "x/.env",
)
IGNORES = (
    "",
    "*.pyc\n",
    "**/*.pyc\n**/node_modules\n.git\n",
    "*\n!src\n!docs/keep.md\n",
    "src\n!src/keep\n",
    "docs/*\n!docs/keep.md\n/build\n",
    "# a comment\n\n  build/  \n./x/.env\n",
    "**\n!**/*.md\n",
    "src/**\n!src/deep/*.pyc\n",
    "[ad]*.txt\nsrc/?rop\n",
    ".*\n!.env\n",
    "a.txt\n!a.txt\na.txt\n",
)


@pytest.mark.parametrize("ignore", IGNORES)
def test_the_context_is_what_buildkit_copies(tmp_path: Path, ignore: str) -> None:
    context = tmp_path / "context"
    for name in TREE:
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (context / ".dockerignore").write_text(ignore)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    out = tmp_path / "out"

    subprocess.run(
        ["docker", "buildx", "build", "--quiet", "--output", f"type=local,dest={out}", "--file", dockerfile, context],
        check=True,
        capture_output=True,
    )

    copied = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    ours = {name for path, name in context_files(context, IgnoreRules(ignore.splitlines())) if path.is_file()}
    # BuildKit copies neither file when it is ignored; the ignore file itself is no matter of taste
    assert ours - {".dockerignore"} == copied - {".dockerignore"}


def test_every_recipe_says_what_it_provides_and_starts_from_another_or_from_debian() -> None:
    recipes = list(recipe_folder().glob("*.Dockerfile"))

    assert recipes
    for recipe in recipes:
        first = recipe.read_text().splitlines()[0]
        assert first.startswith("# provides: "), recipe


def test_an_image_that_nobody_can_give_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DeployError) as caught:
        BaseImages(LocalShell(), Console(), tmp_path).ensure(["windlass.invalid/no/such:1"])

    assert "there is no recipe for it" in caught.value.message
    assert "# provides: windlass.invalid/no/such:1" in caught.value.remedy


def test_a_project_may_bring_a_recipe_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "docker" / "base"
    folder.mkdir(parents=True)
    tag = "windlass.invalid/mine:1"
    (folder / "mine.Dockerfile").write_text(f"# provides: {tag}\nFROM debian:trixie-slim\nCMD true\n")
    images = BaseImages(LocalShell(), Console(), tmp_path)
    try:
        images.ensure([tag])
        assert images.present(tag)
    finally:
        subprocess.run(["docker", "image", "rm", tag], check=False, capture_output=True)


def test_an_image_is_made_anew_when_its_recipe_has_changed(tmp_path: Path) -> None:
    folder = tmp_path / "docker" / "base"
    (folder / "beside").mkdir(parents=True)
    tag = "windlass.invalid/changing:1"
    recipe, copied = folder / "changing.Dockerfile", folder / "beside" / "said"
    recipe.write_text(f"# provides: {tag}\nFROM debian:trixie-slim\nCOPY beside /beside\nCMD true\n")
    copied.write_text("one")

    def made() -> str:
        BaseImages(LocalShell(), Console(), tmp_path).ensure([tag])
        command = ["docker", "image", "inspect", "--format", "{{.Id}}", tag]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    try:
        first = made()
        assert made() == first
        copied.write_text("two")
        second = made()
        assert second != first
        assert made() == second
    finally:
        subprocess.run(["docker", "image", "rm", tag], check=False, capture_output=True)


def test_an_image_that_is_not_there_cannot_be_sent() -> None:
    with pytest.raises(DeployError, match="'docker save wltest/never:built' failed on this machine"):
        list(Saved(LocalShell(), ("wltest/never:built",)).members())
