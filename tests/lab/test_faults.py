"""Deploys that are killed, cut off or starved, at every step: users notice nothing that the fault itself does not do to
them, and the next deploy succeeds by itself.

Most of the matrix takes half an hour and runs on demand: inv test --suite faults.
"""

from __future__ import annotations

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
LONG = ("Push", "Start the release", "Switch", "Hand over", "Drain")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OVERLAY = "compose.prod.yaml"
QUICK = """\
services:
  backend:
    healthcheck: {start_period: 10s, start_interval: 200ms}
  worker:
    healthcheck: {test: [CMD, test, -s, /ledger/beats], interval: 5s, start_period: 10s, start_interval: 200ms}
  nginx:
    healthcheck: {test: [CMD, nginx, -t], interval: 5s, start_period: 10s, start_interval: 200ms}
"""
"""Checks of its own for every service: without one it counts as started after some seconds only."""
MIGRATING = """\
    x-deploy: {pending: "false", migrate: sleep 2}
"""
WITHIN_S = 0.25
"""How long a step has been at work when the fault comes."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A shop of its own: tests here leave their edits behind in releases."""
    with new_shop(tmp_path_factory.mktemp("faults"), "faults") as project:
        (project.root / OVERLAY).write_text(QUICK)
        yield project


@pytest.fixture(scope="module")
def live(project: Project) -> RemoteHost:
    """A host that serves a first release."""
    host = raise_host(project)
    project.inv(*DEPLOY)
    return host


@contextmanager
def users(host: RemoteHost) -> Iterator[Load]:
    """Reads and writes, none of which may fail."""
    with Load(host.address, 80, (Request("/"), Request("/", str)), clients=4, pause_s=0.04) as load:
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
    """Every signal at the end of every step and inside the long ones; all but some of them only in the whole matrix."""
    telling = {
        (signal.SIGKILL, "Prepare the edge", True),
        (signal.SIGKILL, "Drain", False),
        (signal.SIGTERM, "Switch", False),
        (signal.SIGTERM, "Hand over", True),
        (signal.SIGINT, "Push", False),
    }
    for how in SIGNALS:
        for step, ended in (*((step, True) for step in STEPS), *((step, False) for step in LONG)):
            yield pytest.param(
                how,
                step,
                ended,
                marks=[] if (how, step, ended) in telling else [pytest.mark.matrix],
                id=_id(how, step, ended),
            )


def _id(how: signal.Signals, step: str, ended: bool) -> str:
    return f"{how.name} {'after' if ended else 'inside'} {step}"


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
        (signal.SIGKILL, "Migrate"),
        *(
            pytest.param(how, step, marks=pytest.mark.matrix, id=_id(how, step, ended=False))
            for how in SIGNALS
            for step in ("Back up before", "Migrate")
            if (how, step) != (signal.SIGKILL, "Migrate")
        ),
    ],
)
def test_the_client_is_killed_around_a_migration(
    project: Project, live: RemoteHost, text: str, how: signal.Signals, step: str
) -> None:
    (project.root / OVERLAY).write_text(QUICK.replace("  worker:\n", f"{MIGRATING}  worker:\n"))
    try:
        with users(live):
            terminal = until(project, step)
            os.kill(terminal.pid, how)
            terminal.end()
            next_succeeds(project, live, text)
    finally:
        (project.root / OVERLAY).write_text(QUICK)


@pytest.mark.parametrize(
    "step", [*(pytest.param(step, marks=pytest.mark.matrix) for step in STEPS if step != "Switch"), "Switch"]
)
def test_the_cable_is_pulled(project: Project, live: RemoteHost, text: str, step: str) -> None:
    """Between client and host only: users have another one."""
    with users(live):
        terminal = until(project, step)
        live.sh("iptables -I INPUT -p tcp --dport 22 -j DROP; iptables -I OUTPUT -p tcp --sport 22 -j DROP")
        try:
            terminal.expect("the connection was lost|cannot open a channel|cannot start", 90)
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
    eventually(live.engine_answers)

    next_succeeds(project, live, text)


def test_lasting_containers_start_again_though_a_network_of_theirs_is_gone(
    project: Project, live: RemoteHost, text: str
) -> None:
    """What an undo does that meets an engine which is down: the network goes later, the container still names it."""
    lasting = (f"{project.name}-data-db-1", f"{project.name}-edge-edge-1")
    live.run("docker", "network", "create", "gone")
    for name in lasting:
        live.run("docker", "network", "connect", "gone", name)
    live.sh("pkill -9 -x dockerd")
    eventually(live.engine_answers)
    live.run("docker", "network", "rm", "gone")
    assert "not found" in live.sh(f"docker start {lasting[0]} 2>&1 || true")

    next_succeeds(project, live, text)


def test_the_host_restarts_right_after_the_switch(project: Project, live: RemoteHost, text: str) -> None:
    terminal = until(project, "Switch", ended=True)
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.end()
    live.stop_engine()
    live.start_engine()

    eventually(lambda: live.get("/") == (200, f"{text} hello\n"), 60)
    next_succeeds(project, live, text)


def test_the_disk_fills_up_during_the_push(project: Project, tmp_path: Path, text: str) -> None:
    small = raise_host(project, "small")
    small.give_engine_memory("3g")
    eventually(small.engine_answers)
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
