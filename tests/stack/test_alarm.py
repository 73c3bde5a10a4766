"""The alarm stack in development, as somebody with a fresh clone meets it."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.test_alarm import ALARM
from tests.project import Project, docker, eventually, free_port, swept, unique
from tests.reference import clone_of
from tests.stack.browser import shown


@pytest.fixture(scope="module")
def alarm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone that works on the stack, up."""
    name = unique("alarm")
    with swept(name):
        root = clone_of(ALARM, tmp_path_factory.mktemp("clone"))
        project = Project(root, name, {port: str(free_port()) for port in ALARM.dev_ports})
        project.inv("dev.up")
        yield project


def address(project: Project) -> str:
    return f"http://localhost:{project.env['APP_PORT']}"


def api(project: Project, path: str, **body: object) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{address(project)}/api/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def containers(project: Project) -> str:
    return docker("ps", "--quiet", "--filter", f"name={project.name}")


def test_one_port_has_the_page_the_api_and_what_is_pushed(alarm: Project, browser: WebDriver) -> None:
    assert alarm.inv("dev.url").stdout.split() == ["app", f"{address(alarm)}/"]
    browser.get(f"{address(alarm)}/")
    eventually(lambda: "Disarmed" in shown(browser))

    api(alarm, "doorbell", visitor="Postman")

    eventually(lambda: "Postman" in shown(browser))
    assert "Kitchen window" in shown(browser), "integration settings were applied"


def test_a_python_edit_is_served_without_a_restart_and_the_page_comes_back(alarm: Project, browser: WebDriver) -> None:
    before = containers(alarm)
    alarm.edit("apps/alarm/backend/config/version.py", '"1.0.0"', '"1.0.1"')

    eventually(lambda: api(alarm, "version")["version"] == "1.0.1")

    eventually(lambda: "version 1.0.1" in shown(browser))
    assert containers(alarm) == before


def test_a_tsx_edit_appears_in_the_open_page(alarm: Project, browser: WebDriver) -> None:
    browser.execute_script("window.notReloaded = true")
    alarm.edit("apps/alarm/frontend/src/PanelPage.tsx", "Lately", "Edited")

    eventually(lambda: "Edited" in shown(browser))

    assert browser.execute_script("return window.notReloaded")


def test_the_app_runs_as_whoever_works_there(alarm: Project) -> None:
    assert alarm.inv("dev.exec", "app", "id -u").stdout.strip() == str(os.getuid())
    alarm.inv("dev.makemigrations", "--arguments", "alarm --empty --name nothing")
    made = next((alarm.root / "apps/alarm/backend/alarm/migrations").glob("*nothing.py"))
    assert made.stat().st_uid == os.getuid()
    made.unlink()


def test_the_applications_own_tests_run(alarm: Project) -> None:
    assert "All tests passed." in alarm.inv("dev.test").stderr


def test_failing_tests_fail_the_task(alarm: Project) -> None:
    done = alarm.inv("dev.test", "--arguments", "backend tests.no_such_module", expect=1)

    assert "no_such_module" in done.stderr


def test_down_keeps_the_data_and_reset_removes_it(alarm: Project) -> None:
    assert [event["detail"] for event in api(alarm, "events")["events"]] == ["Postman"]
    alarm.inv("dev.down")
    alarm.inv("dev.up")
    assert [event["detail"] for event in api(alarm, "events")["events"]] == ["Postman"]

    alarm.inv("dev.reset", "--yes")
    assert docker("volume", "ls", "--quiet", "--filter", f"name={alarm.name}") == ""
