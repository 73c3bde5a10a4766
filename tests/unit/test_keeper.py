"""What the keeper is made of: Windlass as it is here, and enough beside it to run on a machine that has nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.engine.keeper import keeper_of
from deploy.model.dockerfile import base_images
from tests.conftest import ROOT

KEEPER = keeper_of("shop", "linux/amd64")


def test_a_keeper_is_named_by_what_it_is_made_from() -> None:
    assert KEEPER.reference.startswith("shop-keeper:")
    assert keeper_of.__wrapped__("shop", "linux/amd64") == KEEPER
    assert keeper_of("shop", "linux/arm64").reference != KEEPER.reference


def test_a_keeper_holds_our_modules_and_scripts_and_nothing_of_a_checkout() -> None:
    ours = {name for name in KEEPER.files if name.startswith("deploy/")}

    for file in (*ROOT.glob("deploy/**/*.sh"), *ROOT.glob("deploy/**/*.py")):
        assert file.relative_to(ROOT).as_posix() in ours
    assert {Path(name).suffix for name in ours} == {".py", ".sh", ".bash"}
    assert base_images(KEEPER.files["Dockerfile"].decode(), {}, {}) == ("debian:trixie-slim",)


def test_what_it_holds_is_enough_for_a_run(tmp_path: Path) -> None:
    """Without site packages: on a host there is no other Python than the keeper's."""
    for name, content in KEEPER.files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    code = (
        "import deploy.tasks.nightly, deploy.release.prepare, deploy.release.site, deploy.release.stores\n"
        "from deploy.ui import Console\n"
        "with Console().step('try') as step: step.show('trying')\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{tmp_path / 'packages'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
