"""Three sandboxes as one cluster: a stack is rolled over under load, returns as a whole, and goes back."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest

from tests.lab.cluster import containers, failures, joined, load_on, rolling_shop, say, services, status
from tests.lab.conftest import RemoteHost
from tests.project import Project, docker, eventually

NODES = ("m1", "w1", "w2")
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with rolling_shop(tmp_path_factory.mktemp("shop"), "swarm", NODES) as project:
        yield project


@pytest.fixture(scope="module")
def cluster(shop: Project) -> dict[str, RemoteHost]:
    """Three machines, joined."""
    return joined(shop, NODES, "--label", "sandbox-w1=zone=b")


@pytest.fixture(scope="module")
def live(shop: Project, cluster: dict[str, RemoteHost]) -> dict[str, RemoteHost]:
    """The cluster with a first release."""
    shop.inv("prod.deploy", "--yes")
    return cluster


def test_machines_are_joined_and_labelled_and_reach_the_registry(cluster: dict[str, RemoteHost]) -> None:
    lead = cluster["m1"]
    assert len(lead.run("docker", "node", "ls", "--quiet").split()) == 3
    assert "zone:b" in lead.run("docker", "node", "inspect", "sandbox-w1", "--format", "{{.Spec.Labels}}")
    for host in cluster.values():
        host.run("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5577")


def test_joining_again_changes_nothing(shop: Project, cluster: dict[str, RemoteHost]) -> None:
    before = containers(cluster["m1"], "windlass-registry")
    done = shop.inv("host.setup", "--swarm", "--host", ",".join(one.spec for one in cluster.values()))

    assert "0 of them new" in done.stderr
    assert containers(cluster["m1"], "windlass-registry") == before


def test_the_registry_takes_nobody_without_the_clusters_certificate(cluster: dict[str, RemoteHost]) -> None:
    address = cluster["m1"].address
    told = cluster["w1"].run(
        "docker", "manifest", "inspect", "--insecure", f"{address}:5578/windlass/none:none", check=False
    )
    assert told == ""
    assert cluster["w1"].run("bash", "-c", f"exec 3<>/dev/tcp/{cluster['w2'].address}/5577", check=False) == ""
    with pytest.raises(AssertionError, match="refused"):
        cluster["w1"].run("bash", "-c", f"exec 3<>/dev/tcp/{cluster['w2'].address}/5577")


def test_the_page_answers_on_every_node(live: dict[str, RemoteHost]) -> None:
    for host in live.values():
        assert host.get("/")[1].startswith("v1")
        assert host.get("/", 7000) == (200, "tcp\n")


def test_nothing_to_do_restarts_nothing(shop: Project, live: dict[str, RemoteHost]) -> None:
    before = {name: containers(host, shop.name) for name, host in live.items()}
    assert "nothing to do" in shop.inv("prod.deploy", "--yes").stderr
    assert {name: containers(host, shop.name) for name, host in live.items()} == before


def test_a_rolling_update_loses_no_request(shop: Project, live: dict[str, RemoteHost]) -> None:
    database = containers(live["m1"], f"{shop.name}-data_db")
    text = f"release {next(NUMBERS)}"
    say(shop, text)
    with load_on(live) as loads:
        done = shop.inv("prod.deploy", "--yes")

    assert not failures(loads)
    assert "until that has ended, requests are answered by both versions" in done.stderr
    assert all(host.get("/")[1].startswith(text) for host in live.values())
    assert containers(live["m1"], f"{shop.name}-data_db") == database


def test_a_release_that_fails_returns_as_a_whole(shop: Project, live: dict[str, RemoteHost]) -> None:
    web, nginx = shop.root / "app" / "web.py", shop.root / "nginx" / "default.conf"
    good = web.read_text(), nginx.read_text()
    before, page = services(live["m1"], shop.name), live["w1"].get("/")[1]
    try:
        web.write_text('print("no such setting")\nraise SystemExit(3)\n')
        nginx.write_text(good[1] + "# another\n")
        with load_on(live) as loads:
            done = shop.inv("prod.deploy", "--yes", expect=1)
    finally:
        web.write_text(good[0])
        nginx.write_text(good[1])

    assert "every service is as" in done.stderr
    assert "no such setting" in done.stderr
    assert not failures(loads)
    assert services(live["m1"], shop.name) == before
    assert live["w1"].get("/")[1] == page
    outcomes = [one["outcome"] for one in json.loads(shop.inv("prod.releases", "--json").stdout)]
    assert outcomes[0] == "returned"
    assert status(shop)["problems"] == []


def test_a_rollback_goes_back_under_load(shop: Project, live: dict[str, RemoteHost]) -> None:
    before = live["w2"].get("/")[1]
    with load_on(live) as loads:
        shop.inv("prod.rollback", "--yes")

    assert not failures(loads)
    assert live["w2"].get("/")[1] != before
    assert len({*services(live["m1"], shop.name).values()}) == 1


def test_a_command_runs_where_the_container_is(shop: Project, live: dict[str, RemoteHost]) -> None:
    assert shop.inv("prod.exec", "nginx", "nginx -v").returncode == 0
    assert "started" in shop.inv("prod.logs", "--service", "backend").stdout


def test_a_service_is_scaled_and_restarted(shop: Project, live: dict[str, RemoteHost]) -> None:
    shop.inv("prod.scale", "backend=3")
    assert ("backend", "3 of 3") in [(row["service"], row["running"]) for row in status(shop)["services"]]  # type: ignore[attr-defined]
    before = {one for host in live.values() for one in containers(host, f"{shop.name}_backend")}
    shop.inv("prod.restart", "--service", "backend", "--yes")
    after = {one for host in live.values() for one in containers(host, f"{shop.name}_backend")}
    assert not before & after


def test_a_plan_stops_where_nginx_would_ask_who_is_gone(shop: Project, live: dict[str, RemoteHost]) -> None:
    assert live
    conf = shop.root / "nginx" / "default.conf"
    good = conf.read_text()
    conf.write_text(good.replace("proxy_pass $backend;", "proxy_pass http://backend:8000;"))
    try:
        said = shop.inv("prod.plan", expect=1).stderr
    finally:
        conf.write_text(good)
    line = next(number for number, text in enumerate(good.splitlines(), 1) if "proxy_pass" in text)
    assert f"nginx/default.conf:{line}: nginx: nginx looks backend up once" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prod.deploy", "--wave", "1", "--yes"), "--wave"),
        (("prod.rollback", "--reverse-migrations", "--yes"), "--reverse-migrations"),
        (("prod.scale", "backend"), "no service and a number"),
        (("prod.scale", "worker=2"), "once only"),
        (("prod.exec", "bakend", "ls"), "did you mean"),
        (("prod.status", "--host", "sandbox-w1"), "no manager"),
    ],
)
def test_what_has_no_meaning_on_a_cluster_says_so(
    shop: Project, live: dict[str, RemoteHost], words: tuple[str, ...], said: str
) -> None:
    done = shop.attempt(*words)
    assert done.returncode != 0
    assert said in done.stderr.lower() or said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_killed_deploy_has_left_is_told_and_taken_back(shop: Project, live: dict[str, RemoteHost]) -> None:
    page, before = live["w1"].get("/")[1], services(live["m1"], shop.name)
    say(shop, f"release {next(NUMBERS)}")
    deploying = shop.start("prod.deploy", "--yes")
    eventually(lambda: services(live["m1"], shop.name) != before, 300)
    deploying.kill()
    deploying.communicate()

    problems = " ".join(map(str, status(shop, expect=1)["problems"]))  # type: ignore[call-overload]
    assert "never ended" in problems
    shop.inv("prod.rollback", "--yes")
    assert services(live["m1"], shop.name) == before
    assert live["w1"].get("/")[1] == page
    assert status(shop)["problems"] == []


def test_a_node_that_is_lost_during_an_update_does_not_hold_it_up(shop: Project, live: dict[str, RemoteHost]) -> None:
    text, before = f"release {next(NUMBERS)}", services(live["m1"], shop.name)
    say(shop, text)
    deploying = shop.start("prod.deploy", "--yes")
    eventually(lambda: services(live["m1"], shop.name) != before, 300)
    docker("pause", live["w2"].container)
    try:
        _, said = deploying.communicate(timeout=200)
    finally:
        docker("unpause", live["w2"].container)

    assert deploying.returncode == 0, said
    assert live["m1"].get("/")[1].startswith(text)
    eventually(lambda: shop.attempt("prod.status").returncode == 0, 180)


def test_a_node_that_dies_is_told_and_its_services_move(shop: Project, live: dict[str, RemoteHost]) -> None:
    lost = live["w2"]
    lost.stop_engine()
    try:
        eventually(lambda: "node sandbox-w2 is down" in str(shop.attempt("prod.status", "--json").stdout), 180)
        eventually(lambda: live["m1"].get("/")[0] == 200, 180)
        rows = status(shop, expect=1)["services"]
        assert eventually(lambda: all("sandbox-w2" not in row["nodes"] for row in rows if row["part"] == "app"))  # type: ignore[attr-defined]
        assert "started" in shop.attempt("prod.logs", "--service", "backend").stdout
    finally:
        lost.start_engine()
    eventually(lambda: shop.attempt("prod.status").returncode == 0, 180)
    eventually(lambda: lost.get("/")[0] == 200, 180)
