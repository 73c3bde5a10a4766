"""Two reference stacks on one cluster of three nodes: updates under load, a lost node, the way back, proved backups."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.cluster import joined, services, status
from tests.lab.conftest import RemoteHost
from tests.lab.test_procgenie import API, new_request
from tests.load import Load, Request
from tests.project import Project, copy_of_this_checkout, eventually, swept, unique

NODES = ("m1", "w1", "w2")
PORT = 8081
"""ProcGenie's public port beside TimeTracker's 80."""
SETTINGS = """\
deploy:
  stack: {stack}
  environments:
    prod:
      engine: swarm
      hosts: [{hosts[0]}]
      nodes: [{hosts[1]}, {hosts[2]}]
"""
USERS = (Request("/"), Request(f"{API}/requests"), Request(f"{API}/requests", new_request))
VERSION = "apps/procgenie/api/src/version.ts"


@pytest.fixture(scope="module")
def cluster(timetracker: Project) -> dict[str, RemoteHost]:
    """Three machines, joined by the first project."""
    hosts = [f"sandbox-{name}" for name in NODES]
    (timetracker.root / "invoke.yaml").write_text(SETTINGS.format(stack="timetracker", hosts=hosts))
    found = joined(timetracker, NODES)
    timetracker.env["ALLOWED_HOSTS"] = ",".join(host.address for host in found.values())
    return found


@pytest.fixture(scope="module")
def procgenie(
    timetracker: Project, cluster: dict[str, RemoteHost], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A second project, which reaches the same machines as any others."""
    name = unique("pg")
    with swept(name):
        project = Project(copy_of_this_checkout(tmp_path_factory.mktemp("second")), name, {"HTTP_PORT": str(PORT)})
        (project.root / "invoke.yaml").write_text(SETTINGS.format(stack="procgenie", hosts=NODES))
        config = project.root / "ssh_config"
        for node in cluster:
            text = (timetracker.root / ".windlass" / f"sandbox-{node}" / "ssh_config").read_text()
            with config.open("a") as file:
                file.write(text.replace(f"Host sandbox-{node}\n", f"Host {node}\n"))
        project.env["INVOKE_SSH_CONFIG_PATH"] = str(config)
        yield project


@pytest.fixture(scope="module")
def live(timetracker: Project, cluster: dict[str, RemoteHost]) -> dict[str, RemoteHost]:
    """The nodes with TimeTracker's first release."""
    done = timetracker.inv("prod.deploy", "--yes")
    assert "pending: backend" in done.stderr
    return cluster


@pytest.fixture(scope="module")
def both(procgenie: Project, live: dict[str, RemoteHost]) -> dict[str, RemoteHost]:
    """The nodes with ProcGenie beside it."""
    procgenie.inv("prod.deploy", "--yes")
    return live


def says(project: Project, version: str) -> None:
    """What the API's next release says it is."""
    text = (project.root / VERSION).read_text()
    before = text[text.index('"') : text.rindex('"') + 1]
    project.edit(VERSION, before, f'"{version}"')


def version(host: RemoteHost) -> str:
    found: str = json.loads(host.get(f"{API}/version", PORT)[1])["version"]
    return found


def proved(project: Project) -> set[str]:
    """Stores of the newest backup, which has been proved."""
    newest = json.loads(project.inv("db.backups", "--env", "prod", "--json").stdout)[-1]
    assert newest["proved"]
    return {one["name"] for one in newest["parts"] if one["kind"] != "roles"}


def test_the_stack_answers_on_every_node(live: dict[str, RemoteHost]) -> None:
    assert all(host.get("/api/health")[0] == 200 for host in live.values())


def test_another_release_rolls_over_under_load(timetracker: Project, live: dict[str, RemoteHost]) -> None:
    manage = timetracker.root / "apps" / "timetracker" / "backend" / "manage.py"
    manage.write_text(manage.read_text() + "# another\n")
    with Load(live["w1"].address, 80, (Request("/"), Request("/api/health")), clients=4) as load:
        done = timetracker.inv("prod.deploy", "--yes")

    assert load.sent > 100
    assert not load.failed
    assert "= nginx      keep" in done.stderr


def test_what_it_keeps_is_backed_up_and_proved(timetracker: Project, live: dict[str, RemoteHost]) -> None:
    assert live
    timetracker.inv("db.backup", "--env", "prod")
    timetracker.inv("db.drill", "--env", "prod")
    assert proved(timetracker) == {"db/timetracker", "backend/media_data"}


def test_the_rules_show_what_a_cluster_leaves_out(timetracker: Project) -> None:
    assert "no-new-privileges" in timetracker.inv("prod.check", "--local").stdout


def test_a_second_project_answers_beside_the_first(procgenie: Project, both: dict[str, RemoteHost]) -> None:
    assert all((version(host), host.get("/api/health")[0]) == ("1.0.0", 200) for host in both.values())
    assert {row["part"] for row in status(procgenie)["services"]} == {"app", "data", "edge"}  # type: ignore[attr-defined]


def test_updates_in_a_row_lose_no_request_at_any_node(procgenie: Project, both: dict[str, RemoteHost]) -> None:
    loads = [Load(host.address, PORT, USERS, clients=6, pause_s=0.1) for host in both.values()]
    with loads[0], loads[1], loads[2]:
        for number in (1, 2):
            says(procgenie, f"1.{number}.0")
            procgenie.inv("prod.deploy", "--yes")

    assert [load.failed for load in loads] == [{}, {}, {}]
    assert all(load.sent > 100 for load in loads)
    assert all(version(host) == "1.2.0" for host in both.values())


def test_a_node_that_loses_its_power_during_an_update_holds_it_up_and_breaks_nothing(
    procgenie: Project, both: dict[str, RemoteHost]
) -> None:
    lost, before = both["w2"], services(both["m1"], procgenie.name)
    says(procgenie, "1.3.0")
    deploying = procgenie.start("prod.deploy", "--yes")
    eventually(lambda: services(both["m1"], procgenie.name) != before, 300)
    lost.cut_power()
    try:
        _, said = deploying.communicate(timeout=400)
        assert deploying.returncode == 0, said
        assert version(both["m1"]) == version(both["w1"]) == "1.3.0"
    finally:
        lost.return_power()

    eventually(lambda: procgenie.attempt("prod.status").returncode == 0, 300)
    eventually(lambda: version(lost) == "1.3.0", 180)


def test_the_whole_stack_goes_back_under_load(procgenie: Project, both: dict[str, RemoteHost]) -> None:
    loads = [Load(host.address, PORT, USERS, clients=6, pause_s=0.1) for host in both.values()]
    with loads[0], loads[1], loads[2]:
        procgenie.inv("prod.rollback", "--yes")

    assert [load.failed for load in loads] == [{}, {}, {}]
    assert all(version(host) == "1.2.0" for host in both.values())
    assert len({*services(both["m1"], procgenie.name).values()}) == 1


def test_every_store_of_it_is_backed_up_and_proved(procgenie: Project, both: dict[str, RemoteHost]) -> None:
    assert both
    procgenie.inv("db.backup", "--env", "prod")
    procgenie.inv("db.drill", "--env", "prod")
    assert proved(procgenie) == {"postgres/procgenie", "redis"}
