"""A project that moves from compose on its host to the cluster that the host manages, with its data, and back."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.lab.cluster import failures, joined, load_on, one_server, rolling_shop, say, status
from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load
from tests.project import Project, eventually

NODES = ("m1", "w1")
NUMBERS = itertools.count(1)
Cluster = dict[str, RemoteHost]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with rolling_shop(tmp_path_factory.mktemp("shop"), "move", NODES) as project:
        yield project


@pytest.fixture(scope="module")
def cluster(shop: Project) -> Cluster:
    """The shop as compose runs it on the first machine, with rows; then both made a cluster, beside it."""
    by(shop, "compose")
    first = raise_host(shop, "m1")
    shop.inv("prod.deploy", "--yes")
    sql(shop, first, "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    before = first.containers(shop.name)
    hosts = joined(shop, NODES)
    assert first.containers(shop.name) == before
    return hosts


def by(shop: Project, engine: str) -> None:
    settings = shop.root / "invoke.yaml"
    other = "compose" if engine == "swarm" else "swarm"
    settings.write_text(settings.read_text().replace(f"engine: {other}", f"engine: {engine}"))


def in_stack(host: RemoteHost, stack: str) -> list[str]:
    """Services that the cluster has in a stack."""
    named = f"label=com.docker.stack.namespace={stack}"
    return host.run("docker", "service", "ls", "--filter", named, "--format", "{{.Name}}").split()


def database(shop: Project, host: RemoteHost) -> list[str]:
    """Names of running containers that have the database's volume."""
    volume = f"volume={shop.name}_pg"
    return host.run("docker", "ps", "--filter", volume, "--format", "{{.Names}}").split()


def sql(shop: Project, host: RemoteHost, statement: str) -> str:
    (container,) = database(shop, host)
    return host.run("docker", "exec", container, "psql", "-U", "postgres", "-tAc", statement).strip()


def beats(shop: Project, host: RemoteHost) -> list[str]:
    """Which container each note of the worker was from, in turn."""
    volume = host.run("docker", "volume", "inspect", f"{shop.name}_ledger", "--format", "{{.Mountpoint}}").strip()
    return [line.split()[1] for line in host.sh(f"cat {volume}/beats").splitlines()]


def never_twice(shop: Project, host: RemoteHost) -> None:
    """The worker of one container never notes anything after one of the next has."""
    in_turn = [name for name, _ in itertools.groupby(beats(shop, host))]
    assert len(in_turn) == len({*in_turn})


def figures(loads: list[Load]) -> str:
    """Figures for the documentation."""
    (load,) = loads
    return f"{load.failed.total():,} of {load.sent:,} failed, ports away for {load.gap_s:.1f} s"


def only_away(causes: dict[str, int]) -> bool:
    """Whether requests failed for nothing but an edge that was not there, or had just begun to look for servers."""
    known = ("Connect", "IncompleteRead", "No server is available")
    return all(any(one in cause for one in known) for cause in causes)


def test_a_move_that_fails_leaves_what_served(shop: Project, cluster: Cluster) -> None:
    first, web = cluster["m1"], shop.root / "app" / "web.py"
    good, before = web.read_text(), first.containers(shop.name)
    by(shop, "swarm")
    web.write_text('print("no such setting")\nraise SystemExit(3)\n')
    try:
        with load_on({"m1": first}) as loads:
            done = shop.inv("prod.deploy", "--yes", expect=1)
    finally:
        web.write_text(good)

    assert "move     from compose" in done.stderr
    assert "no such setting" in done.stderr
    assert "serves by compose as before" in done.stderr
    print("a move that fails:", figures(loads))  # noqa: T201
    assert not failures(loads)
    assert first.containers(shop.name) == before
    assert first.run("docker", "service", "ls", "--quiet", "--filter", f"name={shop.name}") == ""
    assert first.run("docker", "network", "ls", "--quiet", "--filter", f"name=^{shop.name}_") == ""
    by(shop, "compose")
    shop.inv("prod.status")


def test_a_move_that_is_killed_is_taken_back_by_a_deploy_of_the_engine_before(shop: Project, cluster: Cluster) -> None:
    first = cluster["m1"]
    by(shop, "swarm")
    with one_server(first, f"{shop.name}_pg"):
        moving = shop.start("prod.deploy", "--yes")
        eventually(lambda: in_stack(first, f"{shop.name}-data"), 300)
        moving.kill()
        moving.communicate()
        by(shop, "compose")
        told = shop.attempt("prod.status").stderr
        shop.inv("prod.deploy", "--yes")

    assert "never ended" in told
    assert first.get("/")[0] == 200
    assert sql(shop, first, "SELECT count(*) FROM orders") == "1000"
    assert first.run("docker", "service", "ls", "--quiet", "--filter", f"name={shop.name}") == ""
    shop.inv("prod.status")
    never_twice(shop, first)


def test_it_moves_to_the_cluster_with_its_data(shop: Project, cluster: Cluster) -> None:
    first, text = cluster["m1"], f"release {next(NUMBERS)}"
    by(shop, "swarm")
    say(shop, text)
    with load_on({"m1": first}) as loads, one_server(first, f"{shop.name}_pg"):
        done = shop.inv("prod.deploy", "--yes")

    print("to the cluster:", figures(loads))  # noqa: T201
    assert "db is stopped, then started on its volume by the other engine" in done.stderr
    assert only_away(failures(loads)), failures(loads)
    assert all(host.get("/")[1].startswith(text) for host in cluster.values())
    assert sql(shop, first, "SELECT count(*) FROM orders") == "1000"
    assert "-data_db." in database(shop, first)[0]
    assert status(shop)["problems"] == []
    never_twice(shop, first)
    compose = f"label=com.docker.compose.project={shop.name}-edge"
    assert first.run("docker", "ps", "--all", "--quiet", "--filter", compose) == ""
    labels = [one["label"] for one in json.loads(shop.inv("db.backups", "--env", "prod", "--json").stdout)]
    assert labels[-1] == "pre-move"
    shop.inv("db.backup", "--env", "prod")


def test_what_compose_made_is_no_target_of_a_rollback_there(shop: Project, cluster: Cluster) -> None:
    assert cluster
    done = shop.attempt("prod.rollback", "--yes")
    assert done.returncode != 0
    assert "was made for compose" in done.stderr
    assert "move it back there" in done.stderr
    by(shop, "compose")
    assert "serves in a cluster" in shop.attempt("prod.status").stderr
    assert "serves by swarm" in shop.attempt("prod.rollback", "--yes").stderr
    assert "worker of" in shop.attempt("prod.deploy", "--host", "sandbox-w1", "--yes").stderr


def test_no_server_is_started_on_a_volume_that_the_cluster_has(shop: Project, cluster: Cluster) -> None:
    script = files("deploy.release").joinpath("scripts/data-up.sh").read_text()
    words = ("sh", "-s", f"/opt/{shop.name}", "30", f"{shop.name}-data", "1")
    inside = ["docker", "exec", "--interactive", cluster["m1"].container, *words]
    done = subprocess.run(inside, input=script, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "on the same volumes" in done.stderr


def test_a_way_back_that_is_killed_is_gone_on_with(shop: Project, cluster: Cluster) -> None:
    first = cluster["m1"]
    by(shop, "compose")
    moving = shop.start("prod.deploy", "--yes")
    eventually(lambda: not in_stack(first, f"{shop.name}-data"), 300)
    moving.kill()
    moving.communicate()
    by(shop, "swarm")
    shop.inv("prod.deploy", "--yes")

    assert all(host.get("/")[0] == 200 for host in cluster.values())
    assert sql(shop, first, "SELECT count(*) FROM orders") == "1000"
    assert status(shop)["problems"] == []
    never_twice(shop, first)


def test_it_moves_back_with_its_data(shop: Project, cluster: Cluster) -> None:
    first, text = cluster["m1"], f"release {next(NUMBERS)}"
    by(shop, "compose")
    say(shop, text)
    with load_on({"m1": first}) as loads, one_server(first, f"{shop.name}_pg"):
        done = shop.inv("prod.deploy", "--yes")

    print("back:", figures(loads))  # noqa: T201
    assert "move     from the cluster to compose" in done.stderr
    assert only_away(failures(loads)), failures(loads)
    assert first.get("/")[1].startswith(text)
    assert first.get("/", 7000) == (200, "tcp\n")
    assert sql(shop, first, "SELECT count(*) FROM orders") == "1000"
    assert database(shop, first) == [f"{shop.name}-data-db-1"]
    shop.inv("prod.status")
    never_twice(shop, first)
    for host in cluster.values():
        assert host.run("docker", "ps", "--all", "--quiet", "--filter", f"name={shop.name}[-_].*[.]") == ""
    assert first.run("docker", "service", "ls", "--quiet", "--filter", f"name={shop.name}") == ""
    assert f"windlass.data.{shop.name}" not in first.run("docker", "node", "inspect", "self")
    assert "was made for swarm" in shop.attempt("prod.rollback", "--yes").stderr
