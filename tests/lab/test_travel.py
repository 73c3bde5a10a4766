"""Databases on their way between environments, and a backup whose cable is pulled."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import RemoteHost, new_shop, public_key, raise_host
from tests.lab.terminal import Terminal
from tests.project import Project, docker, eventually

AT = ("--host", "sandbox")
COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: hush-7Fq2xLkP0w, POSTGRES_USER: shop}
    volumes: [pg:/var/lib/postgresql/data]
    healthcheck:
      {test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 10s, start_period: 20s, start_interval: 250ms}
  worker:
    image: postgres:17
    command: [sleep, infinity]
    init: true
    environment: {VERSION: "1"}
    x-deploy: {kind: worker, pending: "false", migrate: "true"}
volumes:
  pg:
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A shop with nothing but its database, and a staging environment; production encrypts and copies off-site."""
    with new_shop(tmp_path_factory.mktemp("travel"), "travel") as project:
        (project.root / "compose.yaml").write_text(COMPOSE)
        public, key = public_key(project.root / "key"), str(project.root / "key")
        environments = {
            "prod": {
                "mask": {"customers": {"name": "'customer ' || id"}},
                "encryption": {"recipients": [public], "identity": key},
                "offsite": {"repository": "/home/deploy/offsite"},
                "schedule": {"at": "03:15", "drill": "never"},
            },
            "staging": {"data_from": ["prod", "dev"]},
        }
        (project.root / ".env.offsite").write_text("RESTIC_PASSWORD='travel $ecret'\n")
        (project.root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": environments}}))
        yield project


@pytest.fixture(scope="module")
def released(project: Project) -> RemoteHost:
    """One host with both environments; production has customers and a backup."""
    host = raise_host(project)
    for env in ("prod", "staging"):
        project.inv(f"{env}.deploy", *AT, "--yes")
    sql(project, host, "CREATE TABLE customers AS SELECT n AS id, 'Ada ' || n AS name FROM generate_series(1, 500) n")
    project.inv("db.backup", "--env", "prod", *AT)
    return host


def sql(project: Project, host: RemoteHost, statement: str, env: str = "prod") -> str:
    name = project.name if env == "prod" else f"{project.name}-{env}"
    psql = ("psql", "-U", "shop", "-v", "ON_ERROR_STOP=1", "-Atqc", statement)
    return host.run("docker", "exec", f"{name}-data-db-1", *psql)


def oldest(project: Project) -> str:
    name: str = json.loads(project.inv("db.backups", "--env", "prod", *AT, "--json").stdout)[0]["id"]
    return name


def files(project: Project, host: RemoteHost, label: str) -> list[str]:
    """Of the newest backup of production with a label."""
    listed = json.loads(project.inv("db.backups", "--env", "prod", *AT, "--json").stdout)
    name = next(one["id"] for one in reversed(listed) if one["label"] == label)
    return host.sh(f"ls /opt/{project.name}/backups/{name}").split()


def test_backups_of_production_are_encrypted_whoever_takes_them(project: Project, released: RemoteHost) -> None:
    project.edit("compose.yaml", '"1"', '"2"')
    project.inv("prod.deploy", *AT, "--yes")

    for label in ("manual", "pre-migrate"):
        assert files(project, released, label) == ["db.roles.sql.age", "db.shop.dump.zst.age", "manifest.json"]
    assert "is proved" in project.inv("db.drill", "--env", "prod", *AT).stderr
    assert released.sh(f"ls -A /opt/{project.name}/backups | grep decrypted || true") == ""


def test_a_run_of_the_hosts_own_encrypts_and_copies_off_site(project: Project, released: RemoteHost) -> None:
    """With no client there, by what stands on the host alone."""
    project.inv("db.schedule", *AT, "--yes")
    before = released.sh(f"ls /opt/{project.name}/backups").split()

    done = project.inv("db.schedule", *AT, "--now")

    assert "Done in" in done.stderr
    newest = json.loads(project.inv("db.backups", "--env", "prod", *AT, "--json").stdout)[-1]
    assert newest["id"] not in before
    assert newest["offsite"]
    assert files(project, released, "manual") == ["db.roles.sql.age", "db.shop.dump.zst.age", "manifest.json"]
    folder = f"/opt/{project.name}/schedule"
    assert released.sh(f"find {folder} -type f -perm /077") == ""
    said = released.sh(f"cat {folder}/settings.json {folder}/last.log /opt/{project.name}/backups/runs.jsonl")
    assert "ecret" not in said
    project.inv("prod.status", *AT)
    project.inv("db.schedule", *AT, "--off", "--yes")


def test_production_is_cloned_to_staging_masked(project: Project, released: RemoteHost) -> None:
    clone = ("db.clone", "--env", "staging", *AT, "--source-host", "sandbox")
    assert "this replaces db/shop of staging" in project.inv(*clone, expect=2).stderr

    done = project.inv(*clone, "--yes")

    assert "masked: customers (name)" in done.stderr
    found = "SELECT count(*), count(*) FILTER (WHERE name = 'customer ' || id) FROM customers"
    assert sql(project, released, found, "staging") == "500|500"
    assert sql(project, released, found) == "500|0"
    assert released.run("docker", "ps", "--all", "--quiet", "--filter", "label=windlass.scratch") == ""


def test_an_environment_that_does_not_say_so_takes_no_data(project: Project, released: RemoteHost) -> None:
    before = sql(project, released, "SELECT count(*) FROM customers")
    for words in (("db.clone", "--source", "staging"), ("db.push",)):
        refused = project.inv(words[0], "--env", "prod", *AT, *words[1:], "--yes", expect=2).stderr
        assert "prod takes no data from" in refused
        assert "data_from: [" in refused
    assert sql(project, released, "SELECT count(*) FROM customers") == before


def test_development_is_pushed_to_staging(project: Project, released: RemoteHost) -> None:
    project.inv("dev.up")
    container = f"{project.name}-dev-db-1"
    docker("exec", container, "psql", "-U", "shop", "-qc", "CREATE TABLE made_here AS SELECT 7 AS x")

    done = project.inv("db.push", "--env", "staging", *AT, "--yes")

    assert sql(project, released, "SELECT x FROM made_here", "staging") == "7"
    assert "takes this back" in done.stderr
    project.inv("dev.reset", "--yes")


def test_a_table_of_an_encrypted_backup_comes_back_alone(project: Project, released: RemoteHost) -> None:
    sql(project, released, "CREATE TABLE other AS SELECT 1 AS x; DELETE FROM customers")

    words = ("--only", "db/shop/customers", "--env", "prod", *AT, "--yes")
    done = project.inv("db.restore", oldest(project), *words)

    assert "db/shop public.customers: 0 now, 500 after" in done.stderr
    assert sql(project, released, "SELECT count(*) FROM customers") == "500"
    assert sql(project, released, "SELECT count(*) FROM other") == "1"


def test_a_backup_comes_here_as_well_when_that_is_wanted(project: Project, released: RemoteHost) -> None:
    done = project.inv("db.backup", "--env", "prod", *AT, "--to", "local")

    here = Path(done.stdout.strip())
    assert here.parent == project.root / "backups/prod"
    there = released.sh(f"cd /opt/{project.name}/backups/{here.name} && sha256sum *").splitlines()
    names = sorted(path.name for path in here.iterdir())
    summed = subprocess.run(["sha256sum", *names], cwd=here, capture_output=True, text=True, check=True)
    assert summed.stdout.splitlines() == there
    assert json.loads(project.inv("db.backups", "--env", "prod", *AT, "--json").stdout)[-1]["offsite"]


def test_a_backup_that_cannot_come_here_is_good_where_it_is(project: Project, released: RemoteHost) -> None:
    (project.root / "full").write_text("")

    done = project.inv("db.backup", "--env", "prod", *AT, "--to", "./full", expect=3)

    newest = json.loads(project.inv("db.backups", "--env", "prod", *AT, "--json").stdout)[-1]
    assert f"{newest['id']} is good on sandbox, but not here" in done.stderr
    assert f"inv db.fetch --env prod --host sandbox --backup {newest['id']} --to ./full" in done.stderr
    assert newest["offsite"]


def test_a_backup_whose_cable_is_pulled_ends_on_both_sides(project: Project, released: RemoteHost) -> None:
    sql(
        project,
        released,
        "CREATE TABLE slow AS SELECT n, repeat(md5(random()::text), 200) FROM generate_series(1, 60000) n",
    )
    folder = f"/opt/{project.name}/backups"
    before = released.sh(f"ls {folder}")
    container = f"{project.name}-data-db-1"

    def dumping() -> bool:
        return "pg_dump" in released.run("docker", "top", container, "-eo", "pid,args")

    terminal = Terminal(project, "db.backup", "--env", "prod", *AT)
    eventually(dumping)
    released.run("docker", "update", "--cpus", "0.02", container)
    try:
        released.sh("iptables -I INPUT -p tcp --dport 22 -j DROP; iptables -I OUTPUT -p tcp --sport 22 -j DROP")
        try:
            terminal.expect("the connection was lost|cannot open a channel|cannot start", 60)
            assert terminal.end() == 1
            assert dumping(), "it was over by itself"
            eventually(lambda: not dumping(), 300)
        finally:
            released.sh("iptables -D INPUT -p tcp --dport 22 -j DROP; iptables -D OUTPUT -p tcp --sport 22 -j DROP")
    finally:
        released.run("docker", "update", "--cpus", "2", container)
    assert released.sh(f"ls {folder}") == before

    project.inv("db.backup", "--env", "prod", *AT)
    assert released.sh(f"ls -A {folder} | grep partial || true") == ""
