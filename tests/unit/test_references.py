"""The reference stacks, and repositories made from them. Without Docker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.engine import references
from deploy.engine.references import new_repository, reference_stack, reference_stacks
from deploy.model.errors import UsageError
from tests.conftest import ROOT

INV = Path(sys.executable).parent / "inv"
STACKS = [stack.name for stack in reference_stacks()]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_says_what_it_is_and_has_all_its_parts(name: str) -> None:
    stack = reference_stack(name)

    assert len(stack.description) > len("a word or two")
    assert stack.services
    assert stack.example.is_file()
    assert (ROOT / "docker" / name).is_dir()
    assert (ROOT / "apps" / name).is_dir()


@pytest.mark.parametrize("name", STACKS)
def test_a_new_repository_is_whole(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    new_repository(reference_stack(name), folder)

    made = files(folder)
    assert {
        "tasks.py",
        "invoke.yaml",
        "requirements.txt",
        "README.md",
        ".env.example",
        ".gitignore",
        ".dockerignore",
        ".github/workflows/ci.yaml",
        f"compose/{name}/compose.yaml",
        f"compose/{name}/dev.yaml",
        f"compose/{name}/prod.yaml",
    } <= made
    assert not {
        path for path in made if "node_modules" in path or "__pycache__" in path or path.endswith("/.env.example")
    }
    assert (folder / ".env.example").read_text() == reference_stack(name).example.read_text()
    assert yaml.safe_load((folder / "invoke.yaml").read_text())["deploy"] == {"project": "my-shop", "stack": name}
    assert (folder / "tasks.py").read_text().count("\n") <= 3
    for path in made:
        assert (folder / path).stat().st_mode & 0o400


def test_its_workflow_is_one_that_is_understood(tmp_path: Path) -> None:
    new_repository(reference_stack("timetracker"), tmp_path / "shop")

    workflow = yaml.safe_load((tmp_path / "shop/.github/workflows/ci.yaml").read_text())
    runs = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]

    assert set(workflow["jobs"]) == {"test", "release"}
    assert "inv dev.test" in runs
    assert not [run for run in runs if "secrets." in run], "a secret reaches a script by its environment only"


def test_its_tasks_are_there_at_once(tmp_path: Path) -> None:
    new_repository(reference_stack("timetracker"), tmp_path / "shop")
    done = subprocess.run(
        [INV, "--list"],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "prod.deploy" in done.stdout


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(UsageError, match="is not empty"):
        new_repository(reference_stack("timetracker"), tmp_path)

    assert files(tmp_path) == {"mine"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    new_repository(reference_stack("timetracker"), folder)
    assert (folder / "tasks.py").is_file()


def test_what_cannot_be_copied_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(references, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        new_repository(reference_stack("timetracker"), tmp_path / "shop")

    assert list(tmp_path.iterdir()) == []


def test_an_installed_package_needs_no_git_and_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What compilers and package managers left in it is not copied."""
    stack = reference_stack("timetracker")
    new_repository(stack, tmp_path / "a" / "shop")
    installed = tmp_path / "site-packages"
    for part in ("compose", "docker", "apps"):
        shutil.copytree(tmp_path / "a" / "shop" / part, installed / part, dirs_exist_ok=True, symlinks=True)
    (installed / "docker" / "base").mkdir()
    shutil.copy(ROOT / ".env.example", installed)
    for left in ("apps/timetracker/backend/__pycache__/x.pyc", "apps/timetracker/frontend/node_modules/x/y.js"):
        (installed / left).parent.mkdir(parents=True, exist_ok=True)
        (installed / left).write_text("x")
    monkeypatch.setattr(references, "recipe_folder", lambda: installed / "docker" / "base")

    new_repository(reference_stack("timetracker"), tmp_path / "b" / "shop")

    assert files(tmp_path / "b" / "shop") == files(tmp_path / "a" / "shop")


def test_a_stack_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="there is no reference stack 'timetraker'") as caught:
        reference_stack("timetraker")
    assert caught.value.remedy == "did you mean 'timetracker'?"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, "windlass-deploy==1.2"),
        ('{"url": "file:///home/ada/windlass", "dir_info": {}}', "windlass-deploy==1.2"),
        (
            '{"url": "https://git.example.com/windlass", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}',
            "windlass-deploy @ git+https://git.example.com/windlass@c0ffee",
        ),
    ],
)
def test_it_requires_the_windlass_that_made_it(
    origin: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "windlass_deploy-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: windlass-deploy\nVersion: 1.2\n")
    if origin:
        (info / "direct_url.json").write_text(origin)
    monkeypatch.syspath_prepend(tmp_path / "site")

    new_repository(reference_stack("timetracker"), tmp_path / "shop")

    assert (tmp_path / "shop" / "requirements.txt").read_text() == f"{expected}\n"
