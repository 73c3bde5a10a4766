"""Several hosts: waves, what becomes of them when one host fails, and two runs that want the same hosts."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.conftest import RemoteHost, new_shop, raise_host
from tests.load import Load, Request
from tests.project import Project

SPECS = ("sandbox", "sandbox-b", "sandbox-c")
ALL = ",".join(SPECS)
DEPLOY = ("prod.deploy", "--yes", "--host")
COMPOSE = """\
services:
  backend:
    build: app
    environment: {GREETING: hello, ADDRESS: "${DEPLOY_ADDRESS:-}"}
    healthcheck: {test: [CMD, python, /app/check.py], interval: 10s, start_period: 20s, start_interval: 250ms}
    ports: ["80:8000"]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A shop with nothing but its backend, which knows on which host it is."""
    with new_shop(tmp_path_factory.mktemp("fleet"), "fleet") as project:
        (project.root / "compose.yaml").write_text(COMPOSE)
        yield project


@dataclass(frozen=True)
class Fleet:
    """Three hosts that serve a first release, and what was said when they got it."""

    hosts: tuple[RemoteHost, ...]
    said: str

    def served(self) -> list[str]:
        return [host.get("/")[1].removesuffix(" hello\n") for host in self.hosts]


@pytest.fixture(scope="module")
def fleet(project: Project) -> Fleet:
    hosts = tuple(raise_host(project, spec.removeprefix("sandbox").removeprefix("-")) for spec in SPECS)
    return Fleet(hosts, project.inv(*DEPLOY, ALL).stderr)


@contextlib.contextmanager
def users(fleet: Fleet) -> Iterator[None]:
    """Reads and writes on every host, none of which may fail."""
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(host.address, 80, (Request("/"), Request("/", str)), clients=2, pause_s=0.05))
            for host in fleet.hosts
        ]
        yield
    for load in loads:
        assert load.failed == {}
        assert load.sent > 50


def outcomes(stderr: str) -> list[str]:
    """The summary's second column."""
    table = stderr[stderr.index("outcome  ") :]
    return [re.split(r"\s{2,}", line)[1] for line in table.splitlines()[1:] if line.startswith(SPECS)]


def test_one_host_goes_first_and_the_others_after_it(project: Project, fleet: Fleet) -> None:
    canary, others = fleet.said.split("Wave 2 of 2: sandbox-b, sandbox-c\n")

    assert fleet.served() == ["v1"] * 3
    assert "on sandbox, sandbox-b, sandbox-c: release" in canary, "one plan for all"
    assert canary.count("✓ Build backend") == 1
    assert "sandbox    ✓ Switch" in canary
    assert "sandbox-b" not in canary.partition("Wave 1 of 2: sandbox\n")[2]
    assert "sandbox-b  ✓ Switch" in others
    assert outcomes(others) == ["deployed"] * 3
    assert outcomes(project.inv(*DEPLOY, ALL).stderr) == ["nothing to do"] * 3
    plans = json.loads(project.inv("prod.plan", "--host", ALL, "--json").stdout)
    assert [plan["host"] for plan in plans] == [*SPECS]
    assert len({plan["previous"] for plan in plans}) == 1


def test_a_failed_wave_goes_back_and_the_canary_stays(project: Project, fleet: Fleet, text: str) -> None:
    before = fleet.served()
    web, last = project.root / "app" / "web.py", fleet.hosts[2].address
    web.write_text(f"import os\nif os.environ['ADDRESS'] == '{last}': exit('no ink here')\n{web.read_text()}")
    with users(fleet):
        done = project.inv(*DEPLOY, ALL, expect=1)

    assert fleet.served() == [text, *before[1:]]
    assert outcomes(done.stderr) == ["deployed", "returned to the release before", "failed"]
    assert re.search(r"^sandbox-c .*no ink here", done.stderr, re.MULTILINE)
    assert "2 of 3 hosts did not get the release" in done.stderr
    history = json.loads(project.inv("prod.releases", "--host", "sandbox-b", "--json").stdout)
    assert [entry["outcome"] for entry in history[:2]] == ["rolled back", "deployed"]


def test_a_host_that_cannot_be_reached_is_found_before_anything_is_built(
    project: Project, fleet: Fleet, text: str
) -> None:
    before, gone = fleet.served(), "nobody@127.0.0.1:1"
    done = project.inv(*DEPLOY, f"{gone},sandbox-b", expect=1)

    assert f"{gone}: cannot connect to 127.0.0.1 port 1" in done.stderr
    assert "Build" not in done.stderr
    assert fleet.served() == before

    done = project.inv(*DEPLOY, f"{gone},sandbox-b", "--skip-unreachable")

    assert fleet.served() == [before[0], text, before[2]]
    assert re.search(rf"^{gone} +skipped: unreachable$", done.stderr, re.MULTILINE)


def test_a_host_that_cannot_be_asked_keeps_nobody_from_the_others(project: Project, fleet: Fleet) -> None:
    gone, (first, *_, last) = "nobody@127.0.0.1:1", SPECS
    hosts = ("--host", f"{first},{gone},{last}")
    status = project.inv("prod.status", *hosts, expect=1)
    releases = project.inv("prod.releases", *hosts, expect=1)
    document = json.loads(project.inv("prod.status", *hosts, "--json", expect=1).stdout)

    shown = [f"{project.name} on {first}", f"{project.name} on {last}"]
    for said in (status.stdout, releases.stdout):
        titles = [line.partition(":")[0] for line in said.splitlines() if line.startswith(f"{project.name} on ")]
        assert titles == shown
    assert f"✗ {gone}: cannot connect to 127.0.0.1 port 1" in status.stderr
    assert "1 of 3 hosts could not be asked" in releases.stderr
    assert [host["host"] for host in document] == [first, gone, last]
    assert len(fleet.hosts) == len(document)


def test_of_two_runs_that_share_a_host_one_changes_nothing(project: Project, fleet: Fleet, text: str) -> None:
    before = fleet.served()
    every, single = project.start(*DEPLOY, ALL), project.start(*DEPLOY, "sandbox-c")
    said = [process.communicate()[1] for process in (every, single)]
    codes = [every.returncode, single.returncode]

    assert sorted(codes) == [0, 1], said
    assert "sandbox-c: another deploy is going on: " in said[codes.index(1)]
    assert fleet.served() == ([text] * 3 if every.returncode == 0 else [*before[:2], text])


def test_ctrl_c_undoes_what_every_host_has_begun(project: Project, fleet: Fleet, text: str) -> None:
    before, both = fleet.served(), (*DEPLOY, "sandbox-b,sandbox-c", "--wave", "2")
    with users(fleet):
        deploy = project.start(*both)
        assert deploy.stderr
        for line in deploy.stderr:
            if "✓ Make the release's networks" in line:
                break
        deploy.send_signal(signal.SIGINT)
        _, err = deploy.communicate()

    assert deploy.returncode == 130
    assert outcomes(err) == ["interrupted"] * 2
    assert fleet.served() == before
    project.inv(*both)
    assert fleet.served() == [before[0], text, text]
