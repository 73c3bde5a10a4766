"""A major upgrade of PostgreSQL on a host, under a load that reads and writes: what users notice, what stands then."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load, Request
from tests.project import Project, commit, swept, unique

ON = ("--host", "sandbox")
PLACE = ("--env", "prod", *ON)
TASKS = "from deploy.tasks import namespace\n\nns = namespace(__file__)\n"
COMPOSE = """\
services:
  db:
    image: postgres:15
    environment: {POSTGRES_PASSWORD: superuser-pass}
    volumes: ["pg:/var/lib/postgresql/data", "./seed.sql:/docker-entrypoint-initdb.d/seed.sql:ro"]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], start_period: 20s, start_interval: 250ms}
    restart: unless-stopped
  web:
    build: app
    ports: ["80:8000"]
    healthcheck: {test: [CMD, python, /web.py, check], interval: 10s, start_period: 20s, start_interval: 250ms}
    restart: unless-stopped
volumes:
  pg:
"""
SEED = """\
CREATE ROLE web LOGIN PASSWORD 'web-pass';
CREATE TABLE visits (id bigserial PRIMARY KEY, note text DEFAULT repeat(md5(random()::text), 9));
GRANT ALL ON ALL TABLES IN SCHEMA public TO web;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO web;
INSERT INTO visits SELECT FROM generate_series(1, 50000);
"""
DOCKERFILE = """\
FROM python:3.13-slim
RUN pip install --no-cache-dir --quiet pg8000==1.31.2
COPY web.py /web.py
CMD ["python", "-u", "/web.py"]
"""
WEB = '''\
"""Every request asks the database: a POST adds a row."""

import http.server
import signal
import sys
import threading
import urllib.request

import pg8000.native

if sys.argv[1:] == ["check"]:
    urllib.request.urlopen("http://127.0.0.1:8000/", timeout=5)
    sys.exit()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self, query="SELECT count(*) > 0 FROM visits"):
        try:
            with pg8000.native.Connection("web", host="db", database="postgres", password="web-pass", timeout=10) as db:
                db.run(query)
            status, body = 200, b"written" if "INSERT" in query else b"v1"
        except Exception as error:
            status, body = 500, repr(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET("INSERT INTO visits DEFAULT VALUES")

    def log_message(self, *_): ...


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False


server = Server(("", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.1)
server.server_close()
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    name, root = unique("upgrade"), tmp_path_factory.mktemp("upgrade")
    (root / "app").mkdir()
    (root / "invoke.yaml").write_text("deploy: {environments: {prod: {}}}\n")
    files = {"tasks.py": TASKS, "compose.yaml": COMPOSE, "seed.sql": SEED, "app/Dockerfile": DOCKERFILE}
    for file, text in (files | {"app/web.py": WEB}).items():
        (root / file).write_text(text)
    commit(root, "As it is")
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def host(project: Project) -> RemoteHost:
    """A host where the release with PostgreSQL 15 serves."""
    host = raise_host(project)
    project.inv("prod.deploy", *ON, "--yes")
    return host


def sql(project: Project, host: RemoteHost, statement: str) -> str:
    return host.run("docker", "exec", database(project), "psql", "-U", "postgres", "-Atqc", statement)


def database(project: Project) -> str:
    return f"{project.name}-data-db-1"


def container(project: Project, host: RemoteHost) -> str:
    return host.run("docker", "container", "inspect", "--format", "{{.Id}}", database(project))


def test_a_deploy_of_another_version_is_refused_before_anything_is_stopped(project: Project, host: RemoteHost) -> None:
    before = container(project, host)
    project.edit("compose.yaml", "postgres:15", "postgres:17")

    done = project.inv("prod.deploy", *ON, "--yes", expect=1)

    assert "db: the data is PostgreSQL 15's and the image is PostgreSQL 17" in done.stderr
    assert "inv db.upgrade --env prod --host sandbox --service db" in done.stderr
    assert container(project, host) == before
    assert host.get() == (200, "v1")


def test_users_get_the_page_and_no_row_is_lost(project: Project, host: RemoteHost) -> None:
    with Load(host.address, 80, (Request("/"), Request("/", json.dumps))) as load:
        done = project.inv("db.upgrade", *PLACE, "--yes")

    logging.info("%s\n%s of %s: %s", done.stderr, load.failed.total(), load.sent, load.failed)
    others = {
        what: times
        for what, times in load.failed.items()
        if not re.match(r"/ 503 .*<title>Maintenance", what, re.DOTALL)
    }
    assert others == {}
    assert load.failed.total() > 0
    assert "users saw the maintenance page for" in done.stderr
    assert sql(project, host, "SHOW server_version").startswith("17")
    assert int(sql(project, host, "SELECT count(*) FROM visits")) == 50000 + load.answers["written"]
    assert host.get() == (200, "v1")


def test_a_deploy_then_has_nothing_to_do(project: Project, host: RemoteHost) -> None:
    before = container(project, host)

    assert "nothing to do" in project.inv("prod.deploy", *ON, "--yes").stderr
    project.inv("prod.drift", *ON)
    last = json.loads(project.inv("prod.releases", *ON, "--json").stdout)[0]
    assert (last["outcome"], [one["action"] for one in last["services"] if one["name"] == "db"]) == (
        "upgraded",
        ["replace"],
    )
    assert container(project, host) == before


def test_later_releases_and_a_rollback_leave_the_new_server_alone(project: Project, host: RemoteHost) -> None:
    before = container(project, host)
    project.edit("app/web.py", 'b"v1"', 'b"v2"')

    project.inv("prod.deploy", *ON, "--yes")
    assert host.get() == (200, "v2")
    project.inv("prod.rollback", *ON, "--yes")

    assert host.get() == (200, "v1")
    assert container(project, host) == before
    project.edit("app/web.py", 'b"v2"', 'b"v1"')
    assert "nothing to do" in project.inv("prod.deploy", *ON, "--yes").stderr


def test_the_way_back_brings_the_old_server_on_its_data(project: Project, host: RemoteHost) -> None:
    project.edit("compose.yaml", "postgres:17", "postgres:15")
    assert "db.upgrade --back" in project.inv("prod.deploy", *ON, "--yes", expect=1).stderr

    project.inv("db.upgrade", "--back", *PLACE, "--yes")

    assert sql(project, host, "SHOW server_version").startswith("15")
    assert host.get() == (200, "v1")
    assert "nothing to do" in project.inv("prod.deploy", *ON, "--yes").stderr
    project.inv("db.upgrade", "--done", *PLACE, "--yes")
    assert "_pg15" not in host.run("docker", "volume", "ls", "--quiet")
