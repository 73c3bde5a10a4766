"""The rooms of the house, and which way its arrows point."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# a room may import itself and what is listed; `ui` is a leaf that everybody may talk through
MAY_IMPORT = {
    "model": set(),
    "ui": {"model"},
    "shell": {"model"},
    "engine": {"model", "shell", "ui"},
    "remote": {"model", "shell", "ui"},
    "data": {"model", "shell", "ui"},
    "push": {"model", "shell", "ui", "engine"},
    "release": {"model", "shell", "ui", "engine", "remote", "data", "push"},
    "tasks": {"model", "shell", "ui", "engine", "remote", "data", "release"},
}
MODULES = sorted((ROOT / "deploy").rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("deploy."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows_point_down(file: Path) -> None:
    room = file.relative_to(ROOT / "deploy").parts[0]
    if room in MAY_IMPORT:
        assert set(imports(file)) <= MAY_IMPORT[room] | {room}


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text())) or not file.read_text().strip()


def test_every_script_says_what_it_is_for() -> None:
    for file in (*(ROOT / "deploy").rglob("*.sh"), *(ROOT / "deploy").rglob("*.bash")):
        assert file.read_text().startswith("# "), file


def test_listing_tasks_loads_nothing_heavy() -> None:
    """`inv --list` and completion run at every TAB: what is heavy must wait until it is needed."""
    code = (
        "import sys; from invoke.main import program; "
        "sys.argv[0] = 'inv'\n"
        "try: program.run('inv --list')\n"
        "except SystemExit: pass\n"
        "heavy = {'fabric', 'paramiko', 'rich', 'backports', 'psutil', 'cryptography'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "dev.up" in done.stdout
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(
    ("dialect", "files"),
    [
        ("sh", (*ROOT.glob("deploy/**/*.sh"), *ROOT.glob("docker/**/*.sh"), ROOT / "inv")),
        ("bash", tuple(ROOT.glob("deploy/**/*.bash"))),
    ],
)
def test_shell_scripts_are_clean(dialect: str, files: tuple[Path, ...]) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "shellcheck"), f"--shell={dialect}", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
