"""`inv test`: everything this repository is checked with, and everything that needs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.engine.bases import BaseImages
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import nearest
from deploy.tasks.app import App
from deploy.tasks.base import task

SUITES = ("lint", "unit", "stack", "lab")
FAULTS = "faults"
"""Every fault at every step of a deploy: an hour, on demand."""
BASES = ("debian:trixie-slim", "python:3.13-slim", "node:20-alpine", "nginx:alpine", "postgres:17", "haproxy:3.0")
BIN = Path(sys.executable).parent


@task(
    help={
        "suite": f"only this one: {', '.join(SUITES)}; or {FAULTS}, every fault at every step, which takes an hour",
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
        BaseImages(app.shell(), app.console, app.root).ensure(BASES)
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
    if suite == FAULTS:
        yield [str(BIN / "pytest"), "tests/lab/test_faults.py", "-q", "--durations=5", "-rP", *select]
    else:
        yield [str(BIN / "pytest"), f"tests/{suite}", "-q", "--durations=5", "-m", "not matrix", *select]


def _run(app: App, command: list[str]) -> bool:
    """Whether a command succeeded; its output goes where ours goes."""
    sys.stdout.flush()
    done = subprocess.run(command, cwd=app.root, env=os.environ | {"WINDLASS_TEST_ENGINE": "1"}, check=False)
    return done.returncode == 0
