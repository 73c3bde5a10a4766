"""Autopack in development, as somebody with a fresh clone meets it."""

from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.test_autopack import AUTOPACK, DECISION, LESSONS, QUESTION, TASK, enter, found, listed, remember
from tests.project import Project, docker, eventually, free_port, swept, unique
from tests.reference import clone_of, sql
from tests.stack.browser import shown


@pytest.fixture(scope="module")
def autopack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone on ports that nobody uses. Not started."""
    name = unique("autopack")
    with swept(name):
        root = clone_of(AUTOPACK, tmp_path_factory.mktemp("clone"))
        yield Project(root, name, {port: str(free_port()) for port in AUTOPACK.dev_ports})


@pytest.fixture(scope="module")
def running(autopack: Project) -> Project:
    """The same, up."""
    autopack.inv("dev.up")
    return autopack


def ask(project: Project, path: str, body: object = None, port: str = "FRONTEND_PORT") -> Any:
    """What the API answers, by way of the page's own server unless a port says otherwise."""
    data = None if body is None else json.dumps(body).encode()
    address = f"http://localhost:{project.env[port]}{path}"
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def search(project: Project, about: str) -> list[str]:
    """Texts that are similar, most similar first."""
    return [one["text"] for one in ask(project, f"/api/memories/search?{urllib.parse.urlencode({'q': about})}")]


def test_up_makes_the_env_file_and_prints_the_addresses(autopack: Project) -> None:
    done = autopack.inv("dev.up")

    assert "Made .env from compose/autopack/.env.example, with generated values for POSTGRES_PASSWORD" in done.stderr
    addresses = dict(line.split("  ") for line in done.stdout.splitlines())
    assert addresses["frontend"] == f"http://localhost:{autopack.env['FRONTEND_PORT']}/"
    assert set(addresses) == {"frontend", "backend", "db", "qdrant"}
    assert ask(autopack, "/health", port="BACKEND_PORT")["status"] == "ok"


def test_what_is_remembered_is_found_by_what_it_is_about(running: Project) -> None:
    for lesson in LESSONS:
        ask(running, "/api/memories", {"text": lesson})

    assert search(running, QUESTION) == [LESSONS[0]]
    assert "stand-in for Qdrant (not Qdrant)" in ask(running, "/", port="QDRANT_PORT_HOST")["title"]


def test_what_is_stored_in_the_page_is_found_there_most_similar_first(running: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{running.env['FRONTEND_PORT']}/")
    eventually(lambda: listed(browser) == [*reversed(LESSONS)], 60)
    remember(browser, "decision", DECISION)
    eventually(lambda: listed(browser) == [DECISION, *reversed(LESSONS)])
    assert ask(running, "/api/memories?limit=1")[0]["kind"] == "decision"

    enter(browser, "q", TASK)

    eventually(lambda: found(browser) == [DECISION, LESSONS[1]])


def test_a_tsx_edit_appears_in_the_open_page(running: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{running.env['FRONTEND_PORT']}/")
    eventually(lambda: "No run yet." in shown(browser))
    browser.execute_script("window.notReloaded = true")
    running.edit("apps/autopack/frontend/src/RunPanel.tsx", "No run yet.", "Nothing was run.")

    eventually(lambda: "Nothing was run." in shown(browser))

    assert browser.execute_script("return window.notReloaded")


def test_a_python_edit_is_served_without_a_restart(running: Project) -> None:
    before = docker("ps", "--quiet", "--filter", f"name={running.name}")
    running.edit(*AUTOPACK.change)

    eventually(lambda: ask(running, "/api/version")["version"] == "1.1.0")

    assert docker("ps", "--quiet", "--filter", f"name={running.name}") == before


def test_the_guard_bootstraps_an_empty_database_only(running: Project) -> None:
    database = f"{running.name}-dev-db-1"
    sql(database, "DROP TABLE memories, runs, alembic_version")
    running.inv("dev.restart", "--service", "backend")
    eventually(lambda: ask(running, "/api/memories") == [])

    sql(database, "DROP TABLE memories")
    running.inv("dev.restart", "--service", "backend")
    eventually(lambda: REFUSED in running.inv("dev.logs", "--service", "backend").stdout)
    sql(database, "DROP TABLE runs, alembic_version")
    running.inv("dev.up")
    assert ask(running, "/api/memories") == []


REFUSED = "Not started: the database lacks table memories, though its migrations have run; run: alembic upgrade head"


def test_a_migration_file_belongs_to_whoever_works_there(running: Project) -> None:
    running.inv("dev.makemigrations", "--arguments", "--message nothing")

    made = next((running.root / "apps/autopack/backend/migrations/versions").glob("*nothing.py"))
    assert made.stat().st_uid == os.getuid()
    assert "pass" in made.read_text(), "models and migrations agree"
    made.unlink()


def test_the_applications_own_tests_run(running: Project) -> None:
    assert "All tests passed." in running.inv("dev.test").stderr


def test_down_keeps_the_data_and_reset_removes_it(running: Project) -> None:
    ask(running, "/api/memories", {"text": LESSONS[0]})
    running.inv("dev.down")
    running.inv("dev.up")
    assert search(running, QUESTION) == [LESSONS[0]]

    running.inv("dev.reset", "--yes")
    assert docker("volume", "ls", "--quiet", "--filter", f"name={running.name}") == ""
