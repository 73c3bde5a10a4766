"""A repository that says nothing to us: what is found in it is planned, shown as found, and done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import RemoteHost, raise_host
from tests.project import Project, commit, swept, unique

TO_SANDBOX = ("--host", "sandbox")
FILES = {
    "tasks.py": "from deploy.tasks import namespace\n\nns = namespace(__file__)\n",
    # two files by their names, and an env file by its own
    "docker-compose.yml": """
services:
  web:
    build: {context: ., dockerfile: docker/Dockerfile}
    environment: {MODE: "${MODE:-none}"}
    volumes: ["state:/state"]
    ports: ["8000:8000"]
volumes: {state: {}}
""",
    "docker-compose.prod.yml": "services: {web: {restart: unless-stopped}}\n",
    ".env.production": "MODE=production\n",
    "docker/Dockerfile": """
FROM python:3.13-slim AS base
WORKDIR /srv
COPY backend/ ./
CMD ["python", "-u", "web.py"]
""",
    # answers as Django does, without it
    "backend/manage.py": """
# django
import pathlib, sys
DONE = pathlib.Path("/state/done")
match sys.argv[1:]:
    case ["showmigrations", "--plan"]:
        print(f"[{'X' if DONE.exists() else ' '}]  shop.0001_initial")
    case ["migrate", "--check"]:
        sys.exit(not DONE.exists())
    case ["migrate", "--noinput"]:
        DONE.write_text("migrated")
    case _:
        sys.exit(2)
""",
    "backend/web.py": """
import http.server, os, pathlib
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        done = pathlib.Path("/state/done")
        body = f"v1 {os.environ['MODE']} {done.read_text() if done.exists() else 'not migrated'}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8000), Page).serve_forever()
""",
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Somebody else's repository, with two lines of ours."""
    root = tmp_path_factory.mktemp("foreign")
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    commit(root, "As it is")
    name = unique("found")
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def host(foreign: Project) -> RemoteHost:
    return raise_host(foreign)


def test_what_is_switched_off_is_neither_planned_nor_done(foreign: Project, host: RemoteHost) -> None:
    foreign.edit("docker-compose.prod.yml", "unless-stopped}", "unless-stopped, x-deploy: {migrate: false}}")

    assert "migrate" not in foreign.inv("prod.plan", *TO_SANDBOX).stdout
    foreign.inv("prod.deploy", *TO_SANDBOX, "--yes")

    assert host.get(port=8000) == (200, "v1 production not migrated")


def test_what_is_found_is_shown_as_found_and_done(foreign: Project, host: RemoteHost) -> None:
    (foreign.root / "docker-compose.prod.yml").write_text(FILES["docker-compose.prod.yml"])
    foreign.edit("backend/web.py", "v1", "v2")

    plan = foreign.inv("prod.plan", *TO_SANDBOX).stdout
    assert "found    web migrates by python manage.py migrate --noinput (Django: backend/manage.py in what" in plan
    foreign.inv("prod.deploy", *TO_SANDBOX, "--yes")

    assert host.get(port=8000) == (200, "v2 production migrated")


def test_a_found_command_that_fails_changes_nothing_and_says_how_to_mend_it(foreign: Project, host: RemoteHost) -> None:
    foreign.edit("backend/manage.py", "sys.exit(not DONE.exists())", "sys.exit(1)")
    foreign.edit("backend/manage.py", 'DONE.write_text("migrated")', 'sys.exit("no such table")')
    foreign.edit("backend/manage.py", "'X' if DONE.exists() else ' '", "' '")

    done = foreign.inv("prod.deploy", *TO_SANDBOX, "--yes", expect=1)

    assert "no such table" in done.stderr
    assert "it was found, not declared: say what is right by x-deploy: {migrate: <command>}" in done.stderr
    assert host.get(port=8000) == (200, "v2 production migrated")
