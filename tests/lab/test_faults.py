"""Deploys that are killed, cut off or starved, at every step: users notice nothing that the fault itself does not do to
them, and the next deploy succeeds by itself.

Most of the matrix takes an hour and runs on demand: inv test --suite faults.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import RemoteHost, new_shop, raise_host
from tests.lab.terminal import Terminal
from tests.load import Load, Request
from tests.project import Project, eventually

DEPLOY = ("prod.deploy", "--host", "sandbox", "--yes")
STEPS = (
    "Push",
    "Stage the release",
    "Bring up the data services",
    "Make the release's networks",
    "Start the release",
    "Watch the public addresses",
    "Prepare the edge",
    "Switch",
    "Hand over",
    "Drain",
    "Remove old releases",
)
MIGRATING = """\
services:
  backend:
    x-deploy:
      pending: "false"
      migrate: sleep 2
"""
NUMBERS = itertools.count()
WITHIN_S = 0.25
"""How long a step has been at work when the fault comes."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A shop of its own: tests here leave their edits behind in releases."""
    with new_shop(tmp_path_factory.mktemp("faults"), "faults") as project:
        yield project


@pytest.fixture(scope="module")
def live(project: Project) -> RemoteHost:
    """A host that serves a first release."""
    host = raise_host(project)
    project.inv(*DEPLOY)
    return host


@pytest.fixture
def text(project: Project) -> Iterator[str]:
    """What the page says once the release that is on its way in serves."""
    web = project.root / "app" / "web.py"
    good = web.read_text()
    said = f"release {next(NUMBERS)}"
    web.write_text(good.replace('"v1"', f'"{said}"'))
    yield said
    web.write_text(good)


@contextmanager
def users(host: RemoteHost) -> Iterator[Load]:
    """Reads and writes, none of which may fail."""
    with Load(host.address, 80, (Request("/"), Request("/", str))) as load:
        yield load
    print(f"{load.failed.total()} of {load.sent} requests failed, slowest {load.slowest_s:.2f} s")  # noqa: T201
    assert load.failed == {}
    assert load.sent > 100


def until(project: Project, step: str, *, ended: bool = False) -> Terminal:
    """A deploy that is in the middle of a step, or has just ended it."""
    terminal = Terminal(project, *DEPLOY)
    terminal.expect(f"✓ {re.escape(step)}" if ended else re.escape(step), 60)
    if not ended:
        time.sleep(WITHIN_S)
    return terminal


def next_succeeds(project: Project, host: RemoteHost, text: str) -> None:
    project.inv(*DEPLOY)
    assert host.get("/") == (200, f"{text} hello\n")
    project.inv("prod.status", "--host", "sandbox")


def moments() -> Iterator[object]:
    """Every signal at every step; all but some of them only when the whole matrix is asked for."""
    telling = {
        (signal.SIGKILL, "Prepare the edge", False),
        (signal.SIGKILL, "Drain", False),
        (signal.SIGTERM, "Switch", False),
        (signal.SIGTERM, "Hand over", False),
        (signal.SIGINT, "Push", False),
    }
    killed = [(signal.SIGKILL, step, ended) for step in STEPS for ended in (False, True)]
    stopped = [(how, step, False) for how in (signal.SIGTERM, signal.SIGINT) for step in STEPS]
    for moment in (*killed, *stopped):
        yield pytest.param(*moment, marks=[] if moment in telling else [pytest.mark.matrix])


@pytest.mark.parametrize(("how", "step", "ended"), [*moments()])
def test_the_client_is_killed(
    project: Project, live: RemoteHost, text: str, how: signal.Signals, step: str, ended: bool
) -> None:
    with users(live):
        terminal = until(project, step, ended=ended)
        os.kill(terminal.pid, how)
        terminal.end()
        next_succeeds(project, live, text)


@pytest.mark.parametrize(
    ("how", "step"),
    [
        pytest.param(signal.SIGKILL, "Back up before", marks=pytest.mark.matrix),
        pytest.param(signal.SIGTERM, "Back up before", marks=pytest.mark.matrix),
        pytest.param(signal.SIGINT, "Migrate", marks=pytest.mark.matrix),
        pytest.param(signal.SIGTERM, "Migrate", marks=pytest.mark.matrix),
        (signal.SIGKILL, "Migrate"),
    ],
)
def test_the_client_is_killed_around_a_migration(
    project: Project, live: RemoteHost, text: str, how: signal.Signals, step: str
) -> None:
    (project.root / "compose.prod.yaml").write_text(MIGRATING)
    try:
        with users(live):
            terminal = until(project, step)
            os.kill(terminal.pid, how)
            terminal.end()
            next_succeeds(project, live, text)
    finally:
        (project.root / "compose.prod.yaml").unlink()


@pytest.mark.parametrize(
    "step", [*(pytest.param(step, marks=pytest.mark.matrix) for step in STEPS if step != "Switch"), "Switch"]
)
def test_the_cable_is_pulled(project: Project, live: RemoteHost, text: str, step: str) -> None:
    """Between client and host only: users have another one."""
    with users(live):
        terminal = until(project, step)
        live.sh("iptables -I INPUT -p tcp --dport 22 -j DROP; iptables -I OUTPUT -p tcp --sport 22 -j DROP")
        try:
            terminal.expect("the connection was lost|cannot open a channel", 90)
            assert terminal.end() == 1
        finally:
            live.sh("iptables -D INPUT -p tcp --dport 22 -j DROP; iptables -D OUTPUT -p tcp --sport 22 -j DROP")
        next_succeeds(project, live, text)


def test_a_client_that_sleeps_is_taken_over_from(project: Project, live: RemoteHost, text: str) -> None:
    """A laptop that was closed: its deploy is neither dead nor alive."""
    with users(live):
        terminal = until(project, "Start the release")
        os.kill(terminal.pid, signal.SIGSTOP)
        time.sleep(27)  # what makes it a holder without a sign of life
        done = project.inv(*DEPLOY)
        os.kill(terminal.pid, signal.SIGKILL)
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.end()

    assert "taking over when its lock ends" in done.stderr
    assert live.get("/") == (200, f"{text} hello\n")


@pytest.mark.parametrize(
    "step",
    ["Start the release", *(pytest.param(step, marks=pytest.mark.matrix) for step in ("Push", "Switch", "Hand over"))],
)
def test_the_engine_is_killed_and_comes_back(project: Project, live: RemoteHost, text: str, step: str) -> None:
    """Which stops every container: an outage that no deploy can prevent, and the next one ends."""
    terminal = until(project, step)
    live.sh("pkill -9 -x dockerd")
    terminal.end()
    eventually(lambda: live.run("docker", "info", check=False))

    next_succeeds(project, live, text)


def test_the_host_restarts_right_after_the_switch(project: Project, live: RemoteHost, text: str) -> None:
    terminal = until(project, "Switch", ended=True)
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.end()
    live.sh("touch /run/no-engine && pkill -TERM -x dockerd && while pgrep -x dockerd; do sleep 0.1; done")
    live.sh("rm /run/no-engine")

    eventually(lambda: live.get("/") == (200, f"{text} hello\n"), 60)
    next_succeeds(project, live, text)


def test_the_disk_fills_up_during_the_push(project: Project, tmp_path: Path, text: str) -> None:
    small = raise_host(project, "small")
    small.sh(
        "touch /run/no-engine && pkill -TERM -x dockerd && while pgrep -x dockerd; do sleep 0.1; done;"
        "mount -t tmpfs -o size=3g tmpfs /var/lib/docker && rm /run/no-engine"
    )
    eventually(lambda: small.run("docker", "info", check=False))
    deploy = ("prod.deploy", "--host", small.spec, "--yes")
    terminal = Terminal(project, *deploy)
    terminal.expect("Push")
    small.sh("head -c 3G /dev/zero >/var/lib/docker/full 2>/dev/null || true")
    terminal.expect("docker load failed", 120)
    assert terminal.end() == 1
    small.sh("rm /var/lib/docker/full")

    project.inv(*deploy)
    assert small.get("/") == (200, f"{text} hello\n")


def test_a_freeze_keeps_everybody_out_and_says_why(project: Project, live: RemoteHost, text: str) -> None:
    before = live.get("/")
    project.inv("prod.lock", "--host", "sandbox", expect=2)
    project.inv("prod.lock", "--message", "payment run", "--host", "sandbox")

    assert "payment run" in project.inv(*DEPLOY, expect=1).stderr
    assert "payment run" in project.inv("prod.rollback", "--host", "sandbox", "--yes", expect=1).stderr
    assert "payment run" in project.inv("prod.status", "--host", "sandbox").stdout
    assert live.get("/") == before

    assert "payment run" in project.inv("prod.unlock", "--host", "sandbox").stderr
    next_succeeds(project, live, text)
