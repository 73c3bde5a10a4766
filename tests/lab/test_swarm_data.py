"""What a project on a cluster keeps: backed up, proved, restored, carried elsewhere, and kept so by night."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cluster import joined
from tests.lab.conftest import RemoteHost, new_shop, public_key
from tests.project import Project, docker, eventually

PROD = ("--env", "prod")
SECRET = "off-site $ecret"
MIGRATE = "import socket; socket.create_connection(('db', 5432), 5); open('/ledger/migrated', 'a').write('once ')"
COMPOSE = f"""\
services:
  db:
    image: postgres:17
    environment: {{POSTGRES_PASSWORD: hush-7Fq2xLkP0w, POSTGRES_USER: shop}}
    volumes: [pg:/var/lib/postgresql/data]
    healthcheck:
      {{test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 10s, start_period: 20s, start_interval: 250ms}}
  redis:
    image: redis:8
    command: [redis-server, --appendonly, "yes"]
    volumes: [kv:/data]
  worker:
    build: app
    environment: {{VERSION: "1"}}
    command: [sleep, infinity]
    init: true
    volumes: ["ledger:/ledger", "./uploads:/uploads"]
    x-deploy: {{kind: worker, pending: "false", migrate: [python, -c, "{MIGRATE}"]}}
volumes: {{pg: , kv: , ledger: }}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One project on a cluster, which encrypts and copies off-site, and on one host, for which data come from it."""
    with new_shop(tmp_path_factory.mktemp("data"), "swdata") as project:
        (project.root / "compose.yaml").write_text(COMPOSE)
        (project.root / "uploads").mkdir()
        (project.root / ".env.offsite").write_text(f"RESTIC_PASSWORD='{SECRET}'\n")
        key = project.root / "key"
        environments = {
            "prod": {
                "engine": "swarm",
                "hosts": ["sandbox-m1"],
                "mask": {"customers": {"name": "'customer ' || id"}},
                "encryption": {"recipients": [public_key(key)], "identity": str(key)},
                "offsite": {"repository": "/home/deploy/offsite"},
                "data_from": ["staging"],
                "deploy_needs_proof_h": 24,
            },
            "staging": {"hosts": ["sandbox-m1"], "data_from": ["prod", "dev"]},
        }
        (project.root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": environments}}))
        yield project


@pytest.fixture(scope="module")
def host(project: Project) -> RemoteHost:
    """A cluster of one, with a release and data."""
    host = joined(project, ["m1"])["m1"]
    project.inv("prod.deploy", "--yes")
    sql(project, host, "CREATE TABLE customers AS SELECT n AS id, 'Ada ' || n AS name FROM generate_series(1, 500) n")
    sql(project, host, "CREATE TABLE orders AS SELECT n AS id FROM generate_series(1, 50) n")
    sql(project, host, "CREATE TABLE beats (n int)")
    keys(project, host, "mset", "a", "1", "b", "2")
    Uploaded(project, host).write("one")
    in_service(project, host, "worker", "sh", "-c", "echo kept >/ledger/book")
    return host


class Uploaded:
    """The file in the folder that a service writes to."""

    def __init__(self, project: Project, host: RemoteHost) -> None:
        self._path, self._host = f"/opt/{project.name}/shared/uploads/file", host

    def write(self, text: str) -> None:
        self._host.sh(f"printf %s {text} >{self._path}")

    def read(self) -> str:
        return self._host.run("cat", self._path)


def containers(project: Project, host: RemoteHost, service: str, *words: str) -> list[str]:
    of = f"label=com.docker.compose.service={service}"
    words = ("--filter", of, "--filter", "label=com.docker.swarm.service.name", *words)
    return host.run("docker", "ps", "--quiet", *words).split()


def in_service(project: Project, host: RemoteHost, service: str, *words: str) -> str:
    """What a command says in the one container that a service of the cluster has, when it has just one."""
    [one] = eventually(lambda: found if len(found := containers(project, host, service)) == 1 else [])
    return host.run("docker", "exec", one, *words)


def sql(project: Project, host: RemoteHost, text: str, database: str = "shop") -> str:
    psql = ("psql", "-U", "shop", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", text)
    return in_service(project, host, "db", *psql)


def on_staging(project: Project, host: RemoteHost, text: str) -> str:
    psql = ("psql", "-U", "shop", "-v", "ON_ERROR_STOP=1", "-Atqc", text)
    return host.run("docker", "exec", f"{project.name}-staging-data-db-1", *psql)


def keys(project: Project, host: RemoteHost, *words: str) -> str:
    return eventually(lambda: in_service(project, host, "redis", "redis-cli", *words))


def listed(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.inv("db.backups", *PROD, "--json").stdout)
    return found


def status(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.attempt("prod.status", "--json").stdout)
    return found


def change(project: Project) -> None:
    """Have something for the next deploy to do, with migrations that may be pending."""
    file = project.root / "compose.yaml"
    file.write_text(re.sub(r'VERSION: "(\d+)"', lambda found: f'VERSION: "{int(found[1]) + 1}"', file.read_text()))


def harm(project: Project, host: RemoteHost) -> None:
    """Change something in every store."""
    sql(project, host, "DELETE FROM customers WHERE id > 10; DELETE FROM orders")
    keys(project, host, "flushall")
    keys(project, host, "set", "wrong", "9")
    Uploaded(project, host).write("spoilt")
    in_service(project, host, "worker", "sh", "-c", "echo spoilt >/ledger/book")


def held(project: Project, host: RemoteHost) -> tuple[str, str, str, str, str]:
    """What is in every store."""
    return (
        sql(project, host, "SELECT count(*) FROM customers"),
        sql(project, host, "SELECT count(*) FROM orders"),
        " ".join(sorted(keys(project, host, "keys", "*").split())),
        Uploaded(project, host).read(),
        in_service(project, host, "worker", "cat", "/ledger/book"),
    )


GOOD = ("500", "50", "a b", "one", "kept")


@contextmanager
def writing(project: Project, host: RemoteHost) -> Iterator[list[bool]]:
    """An application that goes on writing rows, over a connection of its own each time; whether each was taken."""
    taken: list[bool] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            try:
                sql(project, host, "INSERT INTO beats VALUES (1)")
                taken.append(True)
            except AssertionError:
                taken.append(False)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield taken
    finally:
        ended.set()
        writer.join()


def test_a_deploy_that_migrates_wants_a_proved_backup_and_takes_an_encrypted_one(
    project: Project, host: RemoteHost
) -> None:
    change(project)
    refused = project.inv("prod.deploy", "--yes", expect=1).stderr
    assert "db has no proved backup" in refused

    project.inv("prod.deploy", "--no-proof", "there is none yet", "--yes")

    assert [one["label"] for one in listed(project)] == ["pre-migrate"]
    assert "there is none yet" in project.inv("prod.releases", "--json").stdout
    files = host.sh(f"ls /opt/{project.name}/backups/*").split()
    assert {"db.shop.dump.zst.age", "db.roles.sql.age"} <= {*files}
    assert "there" not in host.sh(f"ls -A /opt/{project.name}/backups | grep decrypted || true")


def test_every_store_is_backed_up_proved_copied_here_and_off_site(project: Project, host: RemoteHost) -> None:
    """Also where an ended container of a service is still there beside the one in its place."""
    host.run("docker", "kill", *containers(project, host, "redis"))
    eventually(lambda: keys(project, host, "ping") == "PONG")
    assert len(containers(project, host, "redis", "--all")) > 1

    here = Path(project.inv("db.backup", *PROD, "--to", "local").stdout.strip())

    newest = listed(project)[-1]
    assert sorted(one["name"] for one in newest["parts"] if one["kind"] != "roles") == [
        "db/shop",
        "redis",
        "worker/ledger",
        "worker/uploads",
    ]
    assert newest["offsite"]
    there = host.sh(f"cd /opt/{project.name}/backups/{newest['id']} && sha256sum *").splitlines()
    assert sorted(f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}" for one in here.iterdir()) == sorted(
        there
    )
    project.inv("db.drill", *PROD)
    assert listed(project)[-1]["proved"]
    project.inv("db.check", *PROD)
    assert [one["proved"] for one in status(project)["backups"]] == [True, True]
    change(project)
    project.inv("prod.plan")  # there is a proved one now


def test_everything_comes_back_from_off_site_while_others_write(project: Project, host: RemoteHost) -> None:
    chosen = next(one["id"] for one in reversed(listed(project)) if one["label"] == "manual")
    harm(project, host)
    database = containers(project, host, "db")
    host.sh(f"rm -r /opt/{project.name}/backups/{chosen}")

    with writing(project, host) as taken:
        done = project.inv("db.restore", chosen, *PROD, "--yes")
        before = len(taken)
        eventually(lambda: any(taken[before:]))

    assert held(project, host) == GOOD
    assert "is kept as shop_before_" in done.stderr
    assert containers(project, host, "db") == database, "a rename needs no other container"
    assert len(containers(project, host, "redis")) == 1
    assert host.run("docker", "ps", "--all", "--quiet", "--filter", "label=windlass.scratch") == ""
    assert host.run("docker", "volume", "ls", "--quiet", "--filter", "label=windlass.scratch") == ""
    assert in_service(project, host, "redis", "ls", "/data").split() == ["appendonlydir", "dump.rdb"]
    assert status(project)["problems"] == []


def test_every_kind_of_store_comes_back_alone(project: Project, host: RemoteHost) -> None:
    chosen = next(one["id"] for one in reversed(listed(project)) if one["label"] == "manual")
    harm(project, host)
    wanted = [*held(project, host)]
    assert all(now != then for now, then in zip(wanted, GOOD, strict=True))

    for only, index in (("redis", 2), ("worker/ledger", 4), ("worker/uploads", 3), ("db/shop/customers", 0), ("db", 1)):
        project.inv("db.restore", chosen, *PROD, "--only", only, "--no-safety", "--yes")
        wanted[index] = GOOD[index]
        assert [*held(project, host)] == wanted, only


def test_a_database_is_restored_beside_and_its_client_opened(project: Project, host: RemoteHost) -> None:
    project.inv("db.restore", "latest", *PROD, "--only", "db/shop", "--into", "look")
    assert sql(project, host, "SELECT count(*) FROM customers", "look") == "500"
    sql(project, host, "DROP DATABASE look")
    project.inv("db.shell", *PROD)  # nobody types anything, so it ends at once


def test_a_client_that_dies_while_redis_is_stopped_leaves_it_whole(project: Project, host: RemoteHost) -> None:
    keys(project, host, "set", "wrong", "9")
    restoring = project.start("db.restore", "latest", *PROD, "--only", "redis", "--no-safety", "--yes")
    eventually(lambda: not containers(project, host, "redis"), 180)
    restoring.kill()
    restoring.communicate()

    eventually(lambda: sorted(keys(project, host, "keys", "*").split()) == ["a", "b"], 180)
    assert status(project)["problems"] == []


def test_a_data_service_without_a_container_is_told_and_a_deploy_mends_it(project: Project, host: RemoteHost) -> None:
    host.run("docker", "service", "scale", "--detach", f"{project.name}-data_redis=0")
    eventually(lambda: not containers(project, host, "redis"))
    assert "redis was told to have no container" in " ".join(status(project)["problems"])
    refused = project.inv("db.backup", *PROD, expect=2).stderr
    assert "redis does not run on sandbox-m1" in refused

    project.inv("prod.deploy", "--no-proof", "it is away", "--yes")

    assert sorted(keys(project, host, "keys", "*").split()) == ["a", "b"]


def test_migrations_run_once_where_they_reach_the_database(project: Project, host: RemoteHost) -> None:
    def runs() -> int:
        return in_service(project, host, "worker", "cat", "/ledger/migrated").count("once")

    before = runs()
    assert "up to date" in project.inv("db.migrate", *PROD).stderr
    assert runs() == before + 1


@pytest.mark.clusters
def test_data_travel_between_a_cluster_and_a_host(project: Project, host: RemoteHost) -> None:
    project.inv("staging.deploy", "--yes")
    done = project.inv("db.clone", "--env", "staging", "--yes")
    assert "masked: customers (name)" in done.stderr
    masked = "SELECT count(*), count(*) FILTER (WHERE name = 'customer ' || id) FROM customers"
    assert on_staging(project, host, masked) == "500|500"
    assert sql(project, host, masked) == "500|0"

    on_staging(project, host, "INSERT INTO customers VALUES (501, 'Eve')")
    project.inv("db.backup", "--env", "staging")
    project.inv("db.clone", *PROD, "--source", "staging", "--yes")
    assert sql(project, host, "SELECT name FROM customers WHERE id = 501") == "Eve"

    project.inv("dev.up")
    project.inv("db.pull", "--backup", next(one["id"] for one in listed(project) if one["label"] == "manual"), "--yes")
    psql = ("psql", "-U", "shop", "-Atqc", masked)
    assert docker("exec", f"{project.name}-dev-db-1", *psql) == "500|500"
    project.inv("dev.reset", "--yes")


@pytest.mark.clusters
def test_the_node_with_the_data_keeps_a_schedule_whatever_its_containers_are_called(
    project: Project, host: RemoteHost
) -> None:
    """Two runs without a client; between them every container is replaced, and a release comes."""
    settings = json.loads((project.root / "invoke.yaml").read_text())
    settings["deploy"]["environments"]["prod"]["schedule"] = {"at": "03:15", "drill": "never"}
    (project.root / "invoke.yaml").write_text(json.dumps(settings))
    assert "no schedule is installed" in " ".join(status(project)["problems"])
    project.inv("db.schedule", "--yes")
    project.inv("db.schedule", "--now")
    change(project)
    project.inv("prod.deploy", "--no-proof", "of a test", "--yes")
    project.inv("prod.restart", "--service", "redis", "--yes")
    project.inv("prod.restart", "--service", "db", "--yes")

    done = project.inv("db.schedule", "--now")

    assert "Done in" in done.stderr
    newest = listed(project)[-1]
    assert (newest["label"], newest["offsite"], len(newest["parts"])) == ("manual", True, 5)
    found = status(project)
    assert [one["ok"] for one in found["schedule"]["runs"]] == [True, True]
    assert found["problems"] == []
    folder = f"/opt/{project.name}/schedule"
    assert host.sh(f"find {folder} -type f -perm /077") == ""
    assert SECRET not in host.sh(f"cat {folder}/settings.json {folder}/last.log /opt/{project.name}/backups/runs.jsonl")
    project.inv("db.schedule", "--off", "--yes")
    assert "scheduled:" not in project.attempt("prod.status").stdout


def test_old_backups_are_pruned(project: Project, host: RemoteHost) -> None:
    proved = [one["id"] for one in listed(project) if one["proved"]]
    said = project.inv("--dry", "db.prune", *PROD).stdout
    assert all(f"keep    {one}" in said for one in proved)
    sent = listed(project)[-1]["id"]
    project.inv("db.fetch", "--backup", sent)
    host.sh(f"rm -r /opt/{project.name}/backups/{sent}")
    project.inv("db.send", "--backup", sent)
    assert listed(project)[-1]["id"] == sent
