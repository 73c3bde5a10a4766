"""A stack that somebody runs on the host by `docker compose up`, taken over with its data, and handed back."""

from __future__ import annotations

import itertools
import json
import subprocess

import pytest

from tests.lab.conftest import RemoteHost
from tests.lab.test_shop import env, ledger
from tests.load import Load, Request
from tests.project import Project, docker

DEPLOY = ("prod.deploy", "--host", "sandbox", "--yes")
FOLDER = "/home/deploy/shop"
IMAGES = ("postgres:17", "python:3.13-slim", "nginx:alpine")
ENV = "DB_PASSWORD=by-hand-7Fq2xLkP0w\nGREETING=by hand\n"


@pytest.fixture(scope="module")
def old(shop: Project, host: RemoteHost) -> RemoteHost:
    """The shop as its owners have always run it on the host, with rows in its database."""
    push = f"docker save {' '.join(IMAGES)} | docker exec --interactive {host.container} docker load --quiet"
    subprocess.run(["bash", "-o", "pipefail", "-c", push], check=True, stdout=subprocess.DEVNULL)
    docker("cp", str(shop.root), f"{host.container}:{FOLDER}")
    (shop.root / ".env.prod").write_text(ENV)
    host.sh(f"printf '{ENV}' >{FOLDER}/.env && chown -R deploy {FOLDER}")
    host.sh(f"cd {FOLDER} && docker compose --project-name {shop.name} up --detach --build --wait 2>&1")
    rows(host, f"{shop.name}-db-1", "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    return host


def rows(host: RemoteHost, container: str, statement: str) -> str:
    return host.run("docker", "exec", container, "psql", "-U", "postgres", "-tAc", statement).strip()


def by_hand(shop: Project, host: RemoteHost) -> dict[str, str]:
    """State and restart policy of what was started by hand, by service."""
    ids = host.run(
        "docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={shop.name}"
    ).split()
    found = json.loads(host.run("docker", "container", "inspect", *ids))
    return {
        one["Config"]["Labels"]["com.docker.compose.service"]: f"{one['State']['Status']} "
        f"{one['HostConfig']['RestartPolicy']['Name']}"
        for one in found
    }


def test_the_plan_says_what_is_taken_over(shop: Project, old: RemoteHost) -> None:
    done = shop.inv("prod.plan", "--host", "sandbox")

    assert f"take over  backend, db, nginx, worker: the compose project {shop.name}, started by hand" in done.stdout
    assert "db is stopped and started as a service of ours on its volume" in done.stdout
    for port in (80, 7000):
        assert f"port {port} goes over from nginx to the edge" in done.stdout
    status = shop.attempt("prod.status", "--host", "sandbox")
    assert f"backend, db, nginx, worker of the compose project {shop.name} run by hand" in status.stderr
    assert old.get("/") == (200, "v1 by hand\n")


def test_a_release_that_fails_leaves_it_running_as_before(shop: Project, old: RemoteHost) -> None:
    before = by_hand(shop, old)
    check = shop.root / "app" / "check.py"
    good = check.read_text()
    check.write_text("raise SystemExit(1)\n")
    try:
        done = shop.attempt(*DEPLOY)
    finally:
        check.write_text(good)

    assert done.returncode == 1
    assert "backend (unhealthy)" in done.stderr
    assert by_hand(shop, old) == before
    assert old.get("/") == (200, "v1 by hand\n")
    assert rows(old, f"{shop.name}-db-1", "SELECT count(*) FROM orders") == "1000"


def test_it_is_taken_over_with_its_data_and_a_short_gap(shop: Project, old: RemoteHost, text: str) -> None:
    with Load(old.address, 80, (Request("/"), Request("/", lambda number: f'{{"n": {number}}}'))) as load:
        done = shop.inv(*DEPLOY)

    assert old.get("/") == (200, f"{text} by hand\n")
    assert old.get("/", 7000) == (200, "tcp\n")
    assert rows(old, f"{shop.name}-data-db-1", "SELECT count(*) FROM orders") == "1000"
    assert set(by_hand(shop, old).values()) == {"exited no"}
    assert "must not be started again beside the release" in done.stderr
    # nginx and the edge cannot have one port at the same time: nobody answers meanwhile, and nothing else goes wrong
    told = f"{load.failed.total()} of {load.sent} requests failed, nobody answered for {load.gap_s:.1f} s"
    print(f"{told}: {dict(load.failed)}")  # noqa: T201
    assert not [reason for reason in load.failed if reason.split()[1].isdigit()], "an edge that answers has the release"
    assert load.sent > 100
    backups = json.loads(shop.inv("db.backups", "--env", "prod", "--host", "sandbox", "--json").stdout)
    assert [one["label"] for one in backups][-1] == "take-over"
    workers = [name for name, _ in itertools.groupby(node for _, node in ledger(shop, old))]
    assert len(workers) == len({*workers}) == 2, "never two at once"


def test_the_same_again_is_nothing_to_do_and_the_next_release_is_one_like_any_other(
    shop: Project, old: RemoteHost
) -> None:
    shop.inv("prod.status", "--host", "sandbox")
    env(shop, GREETING="ours")
    with Load(old.address, 80, (Request("/"),)) as load:
        done = shop.inv(*DEPLOY)

    assert load.failed == {}
    assert "take over" not in done.stderr
    old.run("docker", "start", f"{shop.name}-worker-1")
    assert "run by hand beside it" in shop.attempt("prod.status", "--host", "sandbox").stderr
    done = shop.inv(*DEPLOY)
    assert f"worker of the compose project {shop.name}, started by hand, run beside it" in done.stderr
    assert by_hand(shop, old)["worker"] == "exited no"
    assert "nothing to do" in shop.inv(*DEPLOY).stderr
    assert old.get("/")[1].endswith(" ours\n")


def test_it_is_handed_back_as_a_compose_project_that_knows_nothing_of_us(shop: Project, old: RemoteHost) -> None:
    done = shop.inv("prod.release", "--to-compose", "--host", "sandbox", "--yes")

    assert "without Windlass; nobody was answered for" in done.stderr
    assert old.get("/")[1].endswith(" ours\n")
    assert old.get("/", 7000) == (200, "tcp\n")
    assert rows(old, f"{shop.name}-db-1", "SELECT count(*) FROM orders") == "1000"
    assert {state.split()[0] for state in by_hand(shop, old).values()} == {"running"}
    assert set(old.containers(shop.name)) == {f"{shop.name}-{name}-1" for name in by_hand(shop, old)}
    old.sh(
        f"cd /opt/{shop.name}/plain && docker compose restart backend 2>&1 && docker compose up --detach --wait 2>&1"
    )
    assert old.get("/")[0] == 200
    assert shop.attempt("prod.rollback", "--host", "sandbox", "--yes").returncode != 0


def test_and_taken_over_again(shop: Project, old: RemoteHost, text: str) -> None:
    done = shop.inv(*DEPLOY)

    assert f"the compose project {shop.name}, started by hand" in done.stderr
    assert old.get("/") == (200, f"{text} ours\n")
    assert rows(old, f"{shop.name}-data-db-1", "SELECT count(*) FROM orders") == "1000"
