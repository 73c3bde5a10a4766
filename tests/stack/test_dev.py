"""`inv dev.*` on the TimeTracker stack, as somebody with a fresh clone meets it."""

from __future__ import annotations

import json
import os
import re
import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.project import Project, docker, eventually, unique
from tests.stack.browser import shown


def api(project: Project, path: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(
        f"http://localhost:{project.env['BACKEND_PORT']}/api/{path}", data, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_up_makes_the_env_file_and_ends_with_addresses_that_answer(timetracker: Project) -> None:
    done = timetracker.inv("dev.up")

    env = (timetracker.root / ".env").read_text()
    assert re.search(r"^SECRET_KEY=[A-Za-z0-9]{50}$", env, re.MULTILINE)
    assert (timetracker.root / ".env").stat().st_mode & 0o777 == 0o600
    assert "Made .env from .env.example, with generated values for SECRET_KEY, POSTGRES_PASSWORD." in done.stderr
    secret = re.search(r"^SECRET_KEY=(.*)$", env, re.MULTILINE)
    assert secret
    assert secret[1] not in done.stdout + done.stderr
    addresses = dict(line.split("  ") for line in done.stdout.splitlines())
    assert addresses["backend"] == f"http://localhost:{timetracker.env['BACKEND_PORT']}/"
    for service in ("backend", "frontend"):
        with pytest.raises(urllib.error.HTTPError) if service == "backend" else _no_error():
            urllib.request.urlopen(addresses[service], timeout=10)
    assert api(timetracker, "health")["status"] == "ok"


class _no_error:  # noqa: N801  # a context manager that stands for "nothing is raised"
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_up_again_changes_nothing(running: Project) -> None:
    before = docker("ps", "--quiet", "--filter", f"name={running.name}")
    env = (running.root / ".env").read_text()

    running.inv("dev.up")

    assert docker("ps", "--quiet", "--filter", f"name={running.name}") == before
    assert (running.root / ".env").read_text() == env


def test_the_page_shows_an_entry_that_the_api_was_given(running: Project, browser: WebDriver) -> None:
    project = api(running, "projects", {"name": "Windlass"})
    task = api(running, "tasks", {"project": project["id"], "name": "Hoisting"})
    api(
        running,
        "entries",
        {
            "task": task["id"],
            "started_at": "2026-03-15T09:00:00+01:00",
            "ended_at": "2026-03-15T10:30:00+01:00",
            "note": "anchor up",
        },
    )

    browser.get(f"http://localhost:{running.env['FRONTEND_PORT']}/day/2026-03-15")

    eventually(lambda: "anchor up" in shown(browser))
    text = shown(browser)
    assert "Hoisting" in text
    assert "1.0.0" in text


def test_an_entry_can_be_added_in_the_page(running: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{running.env['FRONTEND_PORT']}/day/2026-03-16")
    eventually(lambda: browser.find_elements(By.TAG_NAME, "form"))
    for name, value in {"project": "From the page", "task": "Typing", "note": "by hand"}.items():
        browser.find_element(By.CSS_SELECTOR, f"form label.{name} input").send_keys(value)
    browser.find_element(By.CSS_SELECTOR, "form button.primary").click()

    eventually(lambda: "by hand" in shown(browser))
    assert [entry["note"] for entry in api(running, "entries?day=2026-03-16")] == ["by hand"]


def test_a_python_edit_is_served_without_a_restart(running: Project) -> None:
    before = docker("ps", "--quiet", "--filter", f"name={running.name}")
    running.edit("apps/timetracker/backend/config/version.py", '"1.0.0"', '"1.0.1"')

    eventually(lambda: api(running, "version")["version"] == "1.0.1")

    assert docker("ps", "--quiet", "--filter", f"name={running.name}") == before


def test_a_tsx_edit_appears_in_the_open_page(running: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{running.env['FRONTEND_PORT']}/day/2026-03-15")
    eventually(lambda: "anchor up" in shown(browser))
    browser.execute_script("window.notReloaded = true")
    running.edit("apps/timetracker/frontend/src/Footer.tsx", "<footer>TimeTracker", "<footer>Edited TimeTracker")

    eventually(lambda: "Edited TimeTracker" in shown(browser))

    assert browser.execute_script("return window.notReloaded")


def test_files_made_in_the_checkout_belong_to_whoever_works_there(running: Project) -> None:
    running.inv("dev.makemigrations", "--arguments", "tracker --empty --name nothing")

    made = next((running.root / "apps/timetracker/backend/tracker/migrations").glob("*nothing.py"))
    assert made.stat().st_uid == os.getuid()
    running.inv("dev.migrate")
    assert (
        f"{made.stem}"
        in running.inv("dev.exec", "db", "psql -U timetracker -Atc 'select name from django_migrations'").stdout
    )
    made.unlink()
    running.inv(
        "dev.exec", "db", """psql -U timetracker -c "delete from django_migrations where name like '%nothing'" """
    )


def test_the_applications_own_tests_run(running: Project) -> None:
    done = running.inv("dev.test", "--service", "backend", "--arguments", "tests.test_settings")

    assert "All tests passed." in done.stderr


def test_failing_tests_fail_the_task_and_show_why(running: Project) -> None:
    done = running.inv("dev.test", "--service", "backend", "--arguments", "tests.no_such_module", expect=1)

    assert "no_such_module" in done.stderr
    assert 'Traceback (most recent call last):\n  File "/work' not in done.stderr


def test_a_command_keeps_its_exit_status(running: Project) -> None:
    assert running.inv("dev.exec", "backend", "python -c 'raise SystemExit(7)'", expect=7).stdout == ""


def test_logs_url_and_ps_show_what_runs(running: Project) -> None:
    assert "worker" in running.inv("dev.logs", "--service", "worker", "--tail", "5").stdout
    assert f"http://localhost:{running.env['FRONTEND_PORT']}/" in running.inv("dev.url").stdout
    assert f"{running.name}-dev-backend-1" in running.inv("dev.ps").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("dev.up", "--service", "backnd"), "there is no service 'backnd'"),
        (("dev.exec", "wrker", "true"), "there is no service 'wrker'"),
        (("dev.build", "--service", "db"), "db is not built from a Dockerfile"),
        (("dev.migrate", "--service", "db"), "no service declares x-deploy.migrate"),
    ],
)
def test_a_mistyped_service_is_answered(running: Project, words: tuple[str, ...], message: str) -> None:
    done = running.inv(*words, expect=2)

    assert message in done.stderr
    assert "→" in done.stderr


def test_a_taken_port_names_its_holder(running: Project) -> None:
    running.inv("dev.down")
    port = running.env["BACKEND_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        done = running.inv("dev.up", expect=1)
    assert f"port 127.0.0.1:{port} (for backend) is held by " in done.stderr
    assert f"(process {os.getpid()})" in done.stderr

    name = unique("holder")
    docker("run", "--detach", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:80", "nginx:alpine")
    try:
        assert f"is held by the container {name}" in running.inv("dev.up", expect=1).stderr
    finally:
        docker("rm", "--force", name)


def test_down_keeps_the_data_and_reset_asks_before_it_removes_it(running: Project) -> None:
    running.inv("dev.up")
    rows = len(api(running, "projects"))
    assert rows
    running.inv("dev.down")
    running.inv("dev.up")
    assert len(api(running, "projects")) == rows

    refused = running.inv("dev.reset", expect=2)
    assert "nobody can be asked, and --yes was not given" in refused.stderr
    assert len(api(running, "projects")) == rows

    running.inv("dev.reset", "--yes")
    assert docker("volume", "ls", "--quiet", "--filter", f"name={running.name}") == ""
