"""Three managers and a worker that has the data: the cluster outlives its first manager."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.cluster import joined, one_server, rolling_shop, say, services, status
from tests.lab.conftest import RemoteHost
from tests.project import Project, docker, eventually

pytestmark = pytest.mark.clusters
MANAGERS = ("m1", "m2", "m3")
NODES = (*MANAGERS, "w1")
MIGRATE = "    x-deploy: {migrate: sh -c 'date >>/ledger/migrated'}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with rolling_shop(tmp_path_factory.mktemp("shop"), "managers", NODES, managers=len(MANAGERS)) as project:
        project.edit("compose.yaml", '    volumes: ["ledger:/ledger"]\n', f'    volumes: ["ledger:/ledger"]\n{MIGRATE}')
        yield project


@pytest.fixture(scope="module")
def live(shop: Project) -> dict[str, RemoteHost]:
    """The cluster with a first release, its data on the worker."""
    data = f"sandbox-w1=windlass.data.{shop.name}=yes"
    cluster = joined(shop, NODES, "--managers", str(len(MANAGERS)), "--label", data)
    shop.inv("prod.deploy", "--yes")
    return cluster


def records(shop: Project, host: RemoteHost) -> str:
    """All of a host's records: each file with its mode, its owner and its hash, and what is current."""
    return host.sh(
        f"cd /opt/{shop.name} && readlink current && "
        "find releases journal.jsonl data/state.json -type f -printf '%p %m %u ' -exec sha256sum {} \\; | sort"
    )


def lock(shop: Project, host: RemoteHost) -> str:
    """The project's lock in the cluster; empty where nobody has it."""
    return host.run("docker", "config", "inspect", f"windlass.{shop.name}.lock", check=False).replace("[]", "")


def newest(shop: Project) -> dict[str, str]:
    """Which state of the records each node is said to have."""
    rows = json.loads(shop.attempt("prod.status", "--json").stdout)["nodes"]
    return {row["node"].removeprefix("sandbox-"): row["records"] for row in rows}


def test_the_data_is_where_the_label_is(shop: Project, live: dict[str, RemoteHost]) -> None:
    volumes = {name: host.run("docker", "volume", "ls", "--quiet") for name, host in live.items()}

    assert f"{shop.name}_pg" in volumes["w1"]
    assert f"{shop.name}_ledger" in volumes["w1"]
    assert all(f"{shop.name}_" not in volumes[name] for name in MANAGERS)
    assert live["w1"].containers(f"{shop.name}-data")


def test_what_runs_once_ran_where_its_volume_is(shop: Project, live: dict[str, RemoteHost]) -> None:
    (worker,) = live["w1"].containers(f"{shop.name}-app").values()
    assert len(live["w1"].run("docker", "exec", worker, "cat", "/ledger/migrated").splitlines()) == 1


def test_all_managers_and_the_node_with_the_data_have_the_records(shop: Project, live: dict[str, RemoteHost]) -> None:
    first = records(shop, live["m1"])

    assert "stack.json 600" in first
    assert all(records(shop, host) == first for host in live.values())
    assert newest(shop) == dict.fromkeys(NODES, "newest")


def test_backups_are_taken_and_listed_where_the_data_is(shop: Project, live: dict[str, RemoteHost]) -> None:
    shop.inv("db.backup", "--env", "prod")
    (backup,) = json.loads(shop.inv("db.backups", "--env", "prod", "--json").stdout)

    assert backup["id"] in live["w1"].run("ls", f"/opt/{shop.name}/backups")
    assert backup["id"] not in live["m1"].run("ls", f"/opt/{shop.name}/backups")

    # users see the page meanwhile, at every node, which is told by a manager and not by the node with the data
    restoring = shop.start("db.restore", "latest", "--env", "prod", "--yes")
    eventually(lambda: live["m3"].get("/")[0] == 503, 180)
    _, said = restoring.communicate()
    assert restoring.returncode == 0, said
    eventually(lambda: {host.get("/")[0] for host in live.values()} == {200})


def test_a_change_through_another_manager_is_kept_off_while_one_goes_on(
    shop: Project, live: dict[str, RemoteHost]
) -> None:
    say(shop, "release 2")
    deploying = shop.start("prod.deploy", "--yes")
    eventually(lambda: lock(shop, live["m3"]), 300)
    done = shop.attempt("prod.scale", "backend=3", "--host", "sandbox-m2")
    _, said = deploying.communicate()

    assert deploying.returncode == 0, said
    assert "before" in said.lower() or "Back up" in said
    assert done.returncode != 0
    assert "sandbox-m1: another deploy is going on" in done.stderr
    assert "Traceback" not in done.stderr
    assert not lock(shop, live["m1"])
    assert live["m3"].get("/")[1].startswith("release 2")
    labels = {one["label"] for one in json.loads(shop.inv("db.backups", "--env", "prod", "--json").stdout)}
    assert "pre-migrate" in labels


def test_what_a_killed_client_left_is_taken_back_through_another_manager(
    shop: Project, live: dict[str, RemoteHost]
) -> None:
    page, before = live["w1"].get("/")[1], services(live["m1"], shop.name)
    say(shop, "release 3")
    deploying = shop.start("prod.deploy", "--yes")
    eventually(lambda: services(live["m1"], shop.name) != before, 300)
    deploying.kill()
    deploying.communicate()
    assert lock(shop, live["m2"])

    assert "never ended" in str(status(shop, expect=1)["problems"])
    shop.inv("prod.rollback", "--yes", "--host", "sandbox-m2")
    assert not lock(shop, live["m1"])
    assert services(live["m1"], shop.name) == before
    assert live["w1"].get("/")[1] == page
    assert records(shop, live["m1"]) == records(shop, live["m2"])


def test_a_node_that_was_cut_off_gets_no_second_server_on_its_data(shop: Project, live: dict[str, RemoteHost]) -> None:
    data, tasks = live["w1"], ("docker", "service", "ps", "--format", "{{.DesiredState}}", f"{shop.name}-data_db")
    before = live["m1"].run(*tasks)
    with one_server(data, f"{shop.name}_pg"):
        data.unplug()
        try:
            eventually(lambda: live["m1"].run(*tasks) != before, 180)
        finally:
            data.plug_in()
        eventually(lambda: shop.attempt("prod.status").returncode == 0, 180)


def test_the_cluster_is_worked_with_while_its_first_manager_is_lost(shop: Project, live: dict[str, RemoteHost]) -> None:
    """It had the registry, too. When it is back it gets the records, and is worked through again."""
    lost = live["m1"]
    docker("pause", lost.container)
    try:
        eventually(lambda: "node sandbox-m1 is" in shop.attempt("prod.status").stderr, 180)
        say(shop, "release 4")
        done = shop.inv("prod.deploy", "--yes")
        assert "working through sandbox-m2" in done.stderr
        assert "Move the cluster's registry" in done.stderr
        assert "sandbox-m1" in done.stderr.rpartition("does not have the records")[0].splitlines()[-1]
        assert all(live[name].get("/")[1].startswith("release 4") for name in ("m2", "m3", "w1"))
        assert shop.inv("prod.exec", "nginx", "nginx -v").returncode == 0
        assert "started release 4" in shop.attempt("prod.logs", "--service", "backend").stdout
        shop.inv("prod.maintenance", "on")
        assert {live[name].get("/")[0] for name in ("m2", "m3", "w1")} == {503}
        shop.inv("prod.maintenance", "off")
        shop.inv("prod.rollback", "--yes")
        assert live["m3"].get("/")[1].startswith("release 2")
    finally:
        docker("unpause", lost.container)
    eventually(lambda: shop.attempt("prod.status").returncode == 0, 300)
    assert newest(shop)["m1"].startswith("older")

    say(shop, "release 5")
    done = shop.inv("prod.deploy", "--yes")
    assert "Give sandbox-m1 the records of sandbox-m2" in done.stderr
    assert "live on the cluster of sandbox-m1" in done.stderr
    assert lost.get("/")[1].startswith("release 5")
    assert newest(shop) == dict.fromkeys(NODES, "newest")
    assert records(shop, lost) == records(shop, live["m3"])
    outcomes = [one["outcome"] for one in json.loads(shop.inv("prod.releases", "--json").stdout)]
    assert outcomes.count("rolled back") == 2


def test_what_keeps_changes_off_keeps_them_off_every_manager(shop: Project, live: dict[str, RemoteHost]) -> None:
    assert live
    shop.inv("prod.lock", "--message", "payment run")
    try:
        done = shop.attempt("prod.deploy", "--yes", "--rebuild", "--host", "sandbox-m3")
    finally:
        shop.inv("prod.unlock", "--host", "sandbox-m2")
    assert done.returncode != 0
    assert "payment run" in done.stdout + done.stderr
    assert "nothing to do" in shop.inv("prod.deploy", "--yes").stderr
