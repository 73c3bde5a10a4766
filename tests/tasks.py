"""`inv test`: everything this repository is checked with, and everything that needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.engine.bases import BaseImages
from deploy.engine.install import run_as_root
from deploy.model.command import script
from deploy.model.errors import DeployError, UsageError, nearest
from deploy.tasks.app import App
from deploy.tasks.base import task

SUITES = ("lint", "unit", "stack", "lab")
ENGINE = ("stack", "lab")
PROGRAMS = ("age",)
FAULTS = "faults"
"""Every fault at every step of a deploy: half an hour, on demand."""
CLUSTERS = "clusters"
"""All of a cluster's life, the loss of managers and upgrades of its database too: an hour, on demand."""
ON_DEMAND = (FAULTS, CLUSTERS)
BIN = Path(sys.executable).parent
AT_ONCE = 3
"""Files of tests that run at the same time: much of them is waiting, for health checks and for links that are slow."""


@task(
    help={
        "suite": f"only this one: {', '.join(SUITES)}; or at length: {FAULTS}, every fault at every step, half an "
        f"hour; {CLUSTERS}, all of a cluster's life, an hour",
        "keyword": "only tests whose name matches, as pytest -k has it",
        "yes": "install and start Docker without asking when it is missing",
    }
)
def test(app: App, suite: str = "", keyword: str = "", yes: bool = False) -> None:
    """Run every check of this repository: lint, unit tests, a real engine here, remote hosts with sshd and engines.

    Sets up what is missing for that. Example: inv test --suite unit
    """
    if suite and suite not in (*SUITES, *ON_DEMAND):
        raise UsageError(f"there is no suite '{suite}'", nearest(suite, (*SUITES, *ON_DEMAND)))
    wanted = (suite,) if suite else SUITES
    if {*ENGINE, *ON_DEMAND} & set(wanted):
        app.require_engine(yes=yes)
        images = BaseImages(app.shell(), app.console, app.root)
        images.ensure(("debian:trixie-slim", *images.made_here()))
        _have_programs(app)
    failed = [name for name, commands in _runs(wanted, keyword) if not all(_run(app, one) for one in commands)]
    if failed:
        raise DeployError(f"failed: {', '.join(failed)}", f"again, alone: inv test --suite {failed[0].split()[0]}")
    app.console.good(f"Passed: {', '.join(wanted)}.")


def _have_programs(app: App) -> None:
    """Programs of this machine that tests of what uses them need, from Debian's packages."""
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        command = script('apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"', "apt", *lacking)
        with app.console.step(f"Install {', '.join(lacking)}"):
            run_as_root(app.shell(), command, "what the tests need could not be installed")


def _runs(suites: Sequence[str], keyword: str) -> Iterator[tuple[str, Iterator[list[str]]]]:
    """What to run, one after the other; what needs an engine shares one run, so that no processor rests at its end."""
    engine = [name for name in suites if name in ENGINE]
    for name in suites:
        if name not in ENGINE:
            yield name, _commands([name], keyword)
    if engine:
        yield " and ".join(engine), _commands(engine, keyword)


def _commands(suites: Sequence[str], keyword: str) -> Iterator[list[str]]:
    if "lint" in suites:
        yield [str(BIN / "ruff"), "check", "."]
        yield [str(BIN / "ruff"), "format", "--check", "."]
        yield [str(BIN / "mypy")]
        return
    select = ["-k", keyword] if keyword else []
    common = [str(BIN / "pytest"), "-q", "--durations=5", *select]
    if FAULTS in suites:
        yield [*common, "tests/lab/test_faults.py", "-rP", *_side_by_side(AT_ONCE, "load")]
    elif CLUSTERS in suites:
        files = sorted(str(one) for one in Path("tests/lab").glob("test_swarm*.py"))
        yield [*common, *files, *_side_by_side(AT_ONCE, "loadfile")]
    elif "unit" in suites:
        yield [*common, "tests/unit", *_side_by_side(2, "load")]
    else:
        yield [
            *common,
            *(f"tests/{name}" for name in suites),
            "-m",
            "not matrix and not clusters",
            *_side_by_side(AT_ONCE, "loadfile"),
        ]


def _side_by_side(workers: int, how: str) -> list[str]:
    """Several at once, each with hosts of its own."""
    return ["--numprocesses", str(workers), "--dist", how]


def _run(app: App, command: list[str]) -> bool:
    """Whether a command succeeded; its output goes where ours goes."""
    sys.stdout.flush()
    done = subprocess.run(command, cwd=app.root, env=os.environ | {"WINDLASS_TEST_ENGINE": "1"}, check=False)
    return done.returncode == 0
