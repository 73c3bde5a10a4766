"""A cluster's database: another password, another version, a moment of the past, a rehearsal, what was done by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from deploy.engine.files import read_env_file
from tests.lab.cluster import joined
from tests.lab.conftest import RemoteHost
from tests.lab.test_upgrade import TASKS, WEB
from tests.load import Load, Request
from tests.project import Project, commit, eventually, swept, unique

pytestmark = pytest.mark.clusters
PROD = ("--env", "prod")
SETTINGS = "deploy:\n  environments:\n    prod:\n      engine: swarm\n      hosts: [sandbox-m1]\n"
COMPOSE = """\
services:
  db:
    image: postgres:15
    command: [postgres, -c, config_file=/etc/tuned.conf]
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:?}"}
    volumes: ["pg:/var/lib/postgresql/data", "./init:/docker-entrypoint-initdb.d:ro", "./tuned.conf:/etc/tuned.conf:ro"]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], start_period: 20s, start_interval: 250ms}
  web:
    build: app
    command: [python, -u, /app/web.py]
    environment: {DB_PASSWORD: "${DB_PASSWORD:?}"}
    ports: ["80:8000"]
    deploy: {replicas: 2}
    healthcheck: {test: [CMD, python, /app/web.py, check], interval: 10s, start_period: 20s, start_interval: 250ms}
    x-deploy: {migrate: python /app/migrate.py, pending: python /app/migrate.py check}
  worker:
    build: app
    command: [sleep, infinity]
    init: true
    healthcheck: {test: [CMD, "true"], interval: 1s, retries: 1}
volumes:
  pg:
"""
TUNED = """\
data_directory = '/var/lib/postgresql/data'
hba_file = '/var/lib/postgresql/data/pg_hba.conf'
ident_file = '/var/lib/postgresql/data/pg_ident.conf'
listen_addresses = '*'
work_mem = 5MB
"""
SEED = """\
CREATE TABLE visits (id bigserial PRIMARY KEY, note text DEFAULT repeat(md5(random()::text), 9));
CREATE TABLE done (step text PRIMARY KEY);
INSERT INTO visits SELECT FROM generate_series(1, 20000);
"""
DOCKERFILE = """\
FROM python:3.13-slim
RUN pip install --no-cache-dir --quiet pg8000==1.31.2
COPY . /app
"""
MIGRATE = """\
import os
import sys

import pg8000.native

STEPS = {"first": "ALTER TABLE visits ADD COLUMN at timestamptz DEFAULT now()"}

with pg8000.native.Connection(LOGIN) as db:
    done = [name for (name,) in db.run("SELECT step FROM done")]
    for name, step in STEPS.items():
        if name not in done and "check" in sys.argv:
            sys.exit(1)
        if name not in done:
            db.run(step)
            db.run("INSERT INTO done VALUES (:name)", name=name)
"""
LOGIN = '"postgres", host="db", database="postgres", password=os.environ["DB_PASSWORD"]'
OTHERS_LOGIN = '"web", host="db", database="postgres", password="web-pass"'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    name, root = unique("moments"), tmp_path_factory.mktemp("moments")
    files = {
        "tasks.py": TASKS,
        "invoke.yaml": SETTINGS,
        "compose.yaml": COMPOSE,
        "tuned.conf": TUNED,
        "init/seed.sql": SEED,
        ".env.prod": "DB_PASSWORD=Xa9fJ3kQ1mZt7LpW2vRb8NcY4dHs6GeU\n",
        ".env.example": "DB_PASSWORD=\n",
        ".gitignore": ".env.prod\n.windlass\n",
        "app/Dockerfile": DOCKERFILE,
        "app/web.py": WEB.replace(OTHERS_LOGIN, LOGIN).replace("import http.server", "import http.server\nimport os"),
        "app/migrate.py": MIGRATE.replace("LOGIN", LOGIN),
    }
    for file, text in files.items():
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(text)
    commit(root, "As it is")
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def host(project: Project) -> RemoteHost:
    """A cluster of one node where a release serves."""
    (host,) = joined(project, ["m1"]).values()
    project.inv("prod.deploy", "--yes")
    return host


def database(project: Project, host: RemoteHost) -> str:
    """The id of the container that runs."""
    return host.run("docker", "ps", "--quiet", "--filter", f"name={project.name}-data_db\\.")


def sql(project: Project, host: RemoteHost, statement: str) -> str:
    words = ("psql", "-U", "postgres", "-Atqc", statement)
    return host.run("docker", "exec", database(project, host), *words).strip()


def visitors(host: RemoteHost) -> Load:
    return Load(host.address, 80, (Request("/"), Request("/", json.dumps)), clients=4)


def service(project: Project, host: RemoteHost, form: str) -> str:
    return host.run("docker", "service", "inspect", "--format", form, f"{project.name}-data_db")


def password(project: Project) -> str:
    return read_env_file(project.root / ".env.prod")["DB_PASSWORD"]


def test_no_request_fails_while_the_password_changes(project: Project, host: RemoteHost) -> None:
    before, server = password(project), database(project, host)

    with visitors(host) as load:
        done = project.inv("env.rotate", "DB_PASSWORD", "--yes")

    assert load.failed == {}
    assert load.sent > 100
    assert password(project) != before
    assert database(project, host) == server, "the same container"
    assert "windlass" not in host.run("docker", "exec", server, "cat", "/var/lib/postgresql/data/pg_hba.conf")
    assert not [one for one in (before, password(project)) if one in done.stdout + done.stderr]
    assert "nothing to do" in project.inv("prod.deploy", "--yes").stderr


def test_a_release_that_fails_half_way_leaves_the_password_before(project: Project, host: RemoteHost) -> None:
    """Services that had rolled over already go back to containers that know the password before only."""
    before, server = password(project), database(project, host)
    project.edit("compose.yaml", 'CMD, "true"], interval: 1s', 'CMD, "false"], interval: 12s')

    with visitors(host) as load:
        done = project.inv("env.rotate", "DB_PASSWORD", "--yes", expect=1)

    project.edit("compose.yaml", 'CMD, "false"], interval: 12s', 'CMD, "true"], interval: 1s')
    assert "every service is as" in done.stderr
    assert "has the value before" in done.stderr
    assert load.failed == {}
    assert password(project) == before
    assert database(project, host) == server
    assert "windlass" not in host.run("docker", "exec", server, "cat", "/var/lib/postgresql/data/pg_hba.conf")
    assert host.get() == (200, "v1")
    assert "nothing to do" in project.inv("prod.deploy", "--yes").stderr


def test_migrations_are_rehearsed_on_the_data_and_change_nothing(project: Project, host: RemoteHost) -> None:
    project.edit("app/migrate.py", "STEPS = {", 'STEPS = {"second": "ALTER TABLE visits ADD CHECK (id < 10)", ')
    failed = project.inv("prod.rehearse", expect=1)
    assert "fail on the data of" in failed.stderr
    assert "violated by some row" in failed.stderr
    project.edit("app/migrate.py", "ADD CHECK (id < 10)", "ALTER note TYPE varchar(400)")

    done = project.inv("prod.deploy", "--rehearse", "--yes")

    assert "Rehearse the migrations" in done.stderr
    assert sql(project, host, "SELECT count(*) FROM done") == "2"
    assert host.sh("docker ps --all --quiet --filter label=windlass.scratch") == ""
    last = json.loads(project.inv("prod.releases", "--json").stdout)[0]
    assert last["rehearsed"]


def test_a_mistake_is_taken_back_to_the_second(project: Project, host: RemoteHost) -> None:
    project.edit("compose.yaml", "image: postgres:15\n", "image: postgres:15\n    x-deploy: {point_in_time: true}\n")
    project.inv("prod.deploy", "--yes")
    project.inv("db.backup", *PROD)
    sql(project, host, "INSERT INTO done VALUES ('wanted')")
    moment = sql(project, host, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US\"Z\"')")
    rows = sql(project, host, "SELECT count(*) FROM visits")
    sql(project, host, "DELETE FROM done; DELETE FROM visits")

    project.inv("db.restore", "--at", moment, *PROD, "--yes")

    assert sql(project, host, "SELECT count(*) FROM visits") == rows
    assert sql(project, host, "SELECT count(*) FROM done") == "3"
    assert "point in time of db: every moment since" in project.inv("prod.status").stdout


def test_an_upgrade_whose_client_is_killed_leaves_the_old_server(project: Project, host: RemoteHost) -> None:
    rows, before = sql(project, host, "SELECT count(*) FROM visits"), database(project, host)
    project.edit("compose.yaml", "image: postgres:15", "image: postgres:17")
    assert "inv db.upgrade --env prod" in project.inv("prod.deploy", "--yes", expect=1).stderr

    upgrading = project.start("db.upgrade", *PROD, "--yes")
    eventually(lambda: "windlass.away" in service(project, host, "{{.Spec.Labels}}"), 300)
    upgrading.kill()
    upgrading.communicate()

    eventually(lambda: database(project, host) not in {"", before}, 180)
    eventually(lambda: sql(project, host, "SHOW server_version").startswith("15"), 180)
    assert "windlass.away" not in service(project, host, "{{.Spec.Labels}}")
    assert sql(project, host, "SELECT count(*) FROM visits") == rows
    assert host.get()[0] == 503
    assert json.loads(project.attempt("prod.status", "--json").stdout)["maintenance"]
    project.inv("prod.maintenance", "off")
    eventually(lambda: host.get() == (200, "v1"), 60)


def test_a_database_becomes_another_version_with_every_row(project: Project, host: RemoteHost) -> None:
    with visitors(host) as load:
        written = int(sql(project, host, "SELECT count(*) FROM visits")) - load.answers["written"]
        done = project.inv("db.upgrade", *PROD, "--yes")

    assert "users saw the maintenance page for" in done.stderr
    assert sql(project, host, "SHOW server_version").startswith("17")
    assert sql(project, host, "SHOW work_mem") == "5MB"
    # the count before was taken while others wrote
    assert int(sql(project, host, "SELECT count(*) FROM visits")) >= written + load.answers["written"]
    assert host.get() == (200, "v1")
    after = database(project, host)
    assert "nothing to do" in project.inv("prod.deploy", "--yes").stderr
    project.inv("prod.drift")
    assert database(project, host) == after


def test_the_way_back_brings_the_old_server_on_its_data(project: Project, host: RemoteHost) -> None:
    project.edit("compose.yaml", "image: postgres:17", "image: postgres:15")

    project.inv("db.upgrade", "--back", *PROD, "--yes")

    assert sql(project, host, "SHOW server_version").startswith("15")
    assert host.get() == (200, "v1")
    assert "nothing to do" in project.inv("prod.deploy", "--yes").stderr
    project.inv("db.upgrade", "--done", *PROD, "--yes")
    assert "_pg15" not in host.run("docker", "volume", "ls", "--quiet")


def test_what_was_changed_by_hand_is_told_with_the_way_back(project: Project, host: RemoteHost) -> None:
    name = project.name
    project.inv("prod.drift")
    host.run("docker", "service", "scale", "--detach", f"{name}_web=3")
    host.run("docker", "service", "update", "--detach", "--env-add", "EXTRA=s3cret", f"{name}_worker")
    host.run("docker", "service", "create", "--detach", "--name", "guest", "--network", f"{name}_default", "nginx")
    host.run("docker", "service", "rm", f"{name}-edge_edge")

    done = project.inv("prod.drift", "--json", expect=1)

    found = {one["name"]: one for one in json.loads(done.stdout)[0]["drift"]}
    assert {*found} == {f"{name}_web", f"{name}_worker", "guest", f"{name}-edge_edge"}
    assert found[f"{name}_web"]["text"] == "is to run 3 times, its stack says 2 times"
    assert found[f"{name}_worker"]["text"] == "was updated: environment EXTRA"
    assert "s3cret" not in done.stdout + done.stderr
    for one in (f"{name}_web", f"{name}_worker", "guest"):
        host.sh(found[one]["remedy"])
    project.inv("prod.deploy", "--yes")
    eventually(lambda: project.inv("prod.drift"), 180)
    eventually(lambda: host.get() == (200, "v1"), 180)
