"""A database's password is rotated under load: every request opens a connection of its own, and none fails."""

from __future__ import annotations

import itertools
import json

import pytest

from deploy.engine.files import read_env_file
from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load, Request
from tests.project import Project

NUMBERS = itertools.count()
HBA = "/var/lib/postgresql/data/pg_hba.conf"


@pytest.fixture(scope="module")
def released(timetracker: Project) -> RemoteHost:
    """A host whose release keeps no connection from one request to the next."""
    timetracker.edit(
        "apps/timetracker/backend/config/settings.py", '"CONN_MAX_AGE": 0 if DEBUG else 60', '"CONN_MAX_AGE": 0'
    )
    host = raise_host(timetracker)
    timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
    return host


def visitors(host: RemoteHost) -> Load:
    return Load(
        host.address,
        80,
        (
            Request("/api/version"),
            Request("/api/projects"),
            Request("/api/projects", lambda n: json.dumps({"name": f"p{n}-{next(NUMBERS)}"})),
        ),
    )


def database(project: Project, host: RemoteHost) -> dict[str, str]:
    return {name: one for name, one in host.containers(f"{project.name}-data").items() if "-db-" in name}


def test_no_request_fails_while_the_password_changes(timetracker: Project, released: RemoteHost) -> None:
    file = timetracker.root / ".env.prod"
    before, server = read_env_file(file)["POSTGRES_PASSWORD"], database(timetracker, released)

    with visitors(released) as load:
        done = timetracker.inv("env.rotate", "POSTGRES_PASSWORD", "--host", "sandbox", "--yes")

    after = read_env_file(file)["POSTGRES_PASSWORD"]
    assert load.failed == {}, load.failed
    assert load.sent > 200
    print(f"{load.sent} requests, the slowest {load.slowest_s:.2f} s")  # noqa: T201  # figures for the documentation
    assert before != after
    assert database(timetracker, released) == server, "the same container"
    assert "windlass" not in released.run("docker", "exec", next(iter(server)), "cat", HBA)
    assert not [one for one in (before, after) if one in done.stdout + done.stderr]
    journal = released.sh(f"tail -n 1 /opt/{timetracker.name}/journal.jsonl")
    assert json.loads(journal)["rotated"] == "POSTGRES_PASSWORD"
    assert not [one for one in (before, after) if one in journal]
    assert released.get("/api/projects")[0] == 200


def test_the_next_deploy_finds_nothing_to_do(timetracker: Project, released: RemoteHost) -> None:
    assert "nothing to do, nothing restarted" in timetracker.inv("prod.deploy", "--host", "sandbox", "--yes").stderr
    assert "0 different" in timetracker.inv("env.diff", "--host", "sandbox").stderr


def test_a_release_that_fails_leaves_the_password_before(timetracker: Project, released: RemoteHost) -> None:
    file, server = timetracker.root / ".env.prod", database(timetracker, released)
    before = file.read_text()
    healthy = 'test: ["CMD", "healthcheck-backend"]'
    timetracker.edit("compose/timetracker/compose.yaml", healthy, 'test: ["CMD", "false"]')

    with visitors(released) as load:
        done = timetracker.inv("env.rotate", "POSTGRES_PASSWORD", "--host", "sandbox", "--yes", expect=1)

    timetracker.edit("compose/timetracker/compose.yaml", 'test: ["CMD", "false"]', healthy)
    assert "has the value before" in done.stderr
    assert load.failed == {}, load.failed
    assert file.read_text() == before
    assert database(timetracker, released) == server
    assert "windlass" not in released.run("docker", "exec", next(iter(server)), "cat", HBA)
    assert released.get("/api/projects")[0] == 200
    assert "nothing to do, nothing restarted" in timetracker.inv("prod.deploy", "--host", "sandbox", "--yes").stderr
