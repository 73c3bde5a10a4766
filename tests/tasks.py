"""`inv test`: everything this repository is checked with, and everything that needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.engine.bases import BaseImages
from deploy.model.errors import DeployError, UsageError, nearest
from deploy.tasks.app import App
from deploy.tasks.base import task

SUITES = ("lint", "unit", "stack", "lab")
FAULTS = "faults"
"""Every fault at every step of a deploy: half an hour, on demand."""
BIN = Path(sys.executable).parent


@task(
    help={
        "suite": f"only this one: {', '.join(SUITES)}; or {FAULTS}, every fault at every step, in half an hour",
        "keyword": "only tests whose name matches, as pytest -k has it",
        "yes": "install and start Docker without asking when it is missing",
    }
)
def test(app: App, suite: str = "", keyword: str = "", yes: bool = False) -> None:
    """Run every check of this repository: lint, unit tests, a real engine here, remote hosts with sshd and engines.

    Sets up what is missing for that. Example: inv test --suite unit
    """
    if suite and suite not in (*SUITES, FAULTS):
        raise UsageError(f"there is no suite '{suite}'", nearest(suite, (*SUITES, FAULTS)))
    wanted = (suite,) if suite else SUITES
    if {"stack", "lab", FAULTS} & set(wanted):
        app.require_engine(yes=yes)
        images = BaseImages(app.shell(), app.console, app.root)
        images.ensure(("debian:trixie-slim", *images.made_here()))
    failed = [name for name in wanted if not all(_run(app, command) for command in _commands(name, keyword))]
    if failed:
        raise DeployError(f"failed: {', '.join(failed)}", f"again, alone: inv test --suite {failed[0]}")
    app.console.good(f"Passed: {', '.join(wanted)}.")


def _commands(suite: str, keyword: str) -> Iterator[list[str]]:
    if suite == "lint":
        yield [str(BIN / "ruff"), "check", "."]
        yield [str(BIN / "ruff"), "format", "--check", "."]
        yield [str(BIN / "mypy")]
        return
    select = ["-k", keyword] if keyword else []
    common = [str(BIN / "pytest"), "-q", "--durations=5", *select]
    if suite == FAULTS:
        yield [*common, "tests/lab/test_faults.py", "-rP", *_side_by_side(3, "load")]
    elif suite == "lab":
        yield [*common, "tests/lab", "-m", "not matrix", *_side_by_side(2, "loadfile")]
    else:
        yield [*common, f"tests/{suite}"]


def _side_by_side(workers: int, how: str) -> list[str]:
    """Several at once, each with hosts of its own: much of a deploy is waiting."""
    return ["--numprocesses", str(workers), "--dist", how]


def _run(app: App, command: list[str]) -> bool:
    """Whether a command succeeded; its output goes where ours goes."""
    sys.stdout.flush()
    done = subprocess.run(command, cwd=app.root, env=os.environ | {"WINDLASS_TEST_ENGINE": "1"}, check=False)
    return done.returncode == 0
