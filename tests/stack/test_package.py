"""What `pip install windlass` brings."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([BIN / "uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_script_and_recipe(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for file in (*ROOT.glob("deploy/**/*.sh"), *ROOT.glob("deploy/**/*.py")):
        assert file.relative_to(ROOT).as_posix() in names
    for file in (*ROOT.glob("docker/base/*"), *ROOT.glob("docker/sandbox/*")):
        assert f"deploy/{file.relative_to(ROOT).as_posix()}" in names
    assert "deploy/py.typed" in names


def test_two_lines_are_a_project(wheel: Path, tmp_path: Path) -> None:
    """Installed beside nothing of this checkout, but for the packages it needs."""
    environment = tmp_path / "venv"
    subprocess.run([BIN / "uv", "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([BIN / "uv", "pip", "install", "--quiet", "--python", python, wheel], check=True)
    project = tmp_path / "project"
    project.mkdir()
    (project / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")

    listed = subprocess.run(
        [environment / "bin" / "inv", "--list"], cwd=project, capture_output=True, text=True, check=True
    )
    code = "from deploy.engine.bases import recipe_folder as f; print(f(), [p.name for p in f().glob('postgres*')])"
    recipes = subprocess.run([python, "-c", code], cwd=project, capture_output=True, text=True, check=True)

    assert "prod.deploy" in listed.stdout
    assert str(ROOT) not in recipes.stdout
    assert "postgres-17.Dockerfile" in recipes.stdout
