"""What `pip install windlass-deploy` brings."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

BIN = Path(sys.executable).parent
FOLDERS = ("deploy/apps/", "deploy/compose/", "deploy/docker/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_script_and_recipe(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for file in (*ROOT.glob("deploy/**/*.sh"), *ROOT.glob("deploy/**/*.py")):
        assert file.relative_to(ROOT).as_posix() in names
    for file in (one for folder in ("base", "sandbox") for one in ROOT.glob(f"docker/{folder}/*") if one.is_file()):
        assert f"deploy/{file.relative_to(ROOT).as_posix()}" in names
    assert "deploy/py.typed" in names


def test_the_wheel_holds_the_reference_stacks_as_they_are_committed(wheel: Path) -> None:
    """Nothing that git ignores: what stands around in a checkout may be large, or a secret."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(FOLDERS)}
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "apps", "compose", "docker"]
    known = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()

    assert names == {f"deploy/{name}" for name in known if (ROOT / name).is_file()}
    assert "deploy/.env.example" in zipfile.ZipFile(wheel).namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the wheel and the packages it needs, and nothing of this checkout."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([BIN / "uv", "pip", "install", "--quiet", "--python", python, wheel], check=True)
    return environment / "bin"


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_lines_are_a_project(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    code = "from deploy.engine.bases import recipe_folder as f; print(f(), [p.name for p in f().glob('postgres*')])"
    recipes = run(installed / "python", "-c", code, cwd=tmp_path)

    assert "prod.deploy" in run(installed / "inv", "--list", cwd=tmp_path)
    assert str(ROOT) not in recipes
    assert "postgres-17.Dockerfile" in recipes


def test_a_new_repository_needs_nothing_but_the_package(installed: Path, tmp_path: Path) -> None:
    """Neither a project nor git: `windlass` makes the first, and its tasks know it."""
    listed = json.loads(run(installed / "windlass", "stack.list", "--json", cwd=tmp_path))
    run(installed / "windlass", "stack.new", "timetracker", "shop", cwd=tmp_path)
    seen = json.loads(run(installed / "inv", "stack.inspect", "--json", cwd=tmp_path / "shop"))

    assert "timetracker" in {stack["name"] for stack in listed}
    assert seen["project"] == "shop"
    kinds = {one["subject"]: one["value"] for one in seen["environments"]["prod"] if one["topic"] == "kind"}
    assert kinds == {"db": "data", "backend": "web", "worker": "worker", "frontend": "web", "nginx": "web"}
