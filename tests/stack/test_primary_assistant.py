"""`inv dev.*` on the Primary Assistant stack, as somebody with a fresh clone meets it."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.test_primary_assistant import (
    EMAIL,
    PASSWORD,
    PIXEL,
    PRIMARY_ASSISTANT,
    add_photo,
    make_admin,
    press,
    send_form,
    text_width,
)
from tests.project import Project, docker, eventually, free_port, swept, unique
from tests.reference import clone_of
from tests.stack.browser import shown

APP = "apps/primary-assistant"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone, up on ports that nobody uses."""
    name = unique("primary")
    with swept(name):
        ports = {port: str(free_port()) for port in PRIMARY_ASSISTANT.dev_ports}
        project = Project(clone_of(PRIMARY_ASSISTANT, tmp_path_factory.mktemp("clone")), name, ports)
        done = project.inv("dev.up")
        assert "Made .env from compose/primary-assistant/.env.example" in done.stderr
        yield project


def url(project: Project) -> str:
    return f"http://localhost:{project.env['WEB_PORT']}"


def get(project: Project, path: str) -> str:
    with urllib.request.urlopen(f"{url(project)}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def api(project: Project, path: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(f"{url(project)}/api/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_the_address_that_is_printed_shows_the_page(running: Project) -> None:
    assert f"web  {url(running)}/" in running.inv("dev.url").stdout
    assert "This week" in get(running, "/")
    assert json.loads(get(running, "/health"))["status"] == "ok"


def test_a_week_is_kept_in_the_page(running: Project, browser: WebDriver) -> None:
    make_admin(running, "dev.exec")
    browser.get(f"{url(running)}/")
    assert "Nothing yet this week." in shown(browser)
    send_form(browser, "#log", activity=" ")
    eventually(lambda: "activity must be a text of 1 to 60 characters" in shown(browser))
    send_form(browser, "#log", activity="Rowing", minutes="45", note="on the lake")
    eventually(lambda: "on the lake" in shown(browser))
    assert [(row["activity"], row["minutes"]) for row in api(running, "workouts")] == [("Rowing", 45)]

    browser.find_element(By.LINK_TEXT, "Sign in").click()
    send_form(browser, "form.login", email=EMAIL, password=PASSWORD)
    eventually(lambda: f"Sign out {EMAIL}" in shown(browser))
    add_photo(browser, "Rowing")
    uploads = running.root / APP / "uploads"
    (photo,) = uploads.iterdir()
    assert (photo.read_bytes(), photo.stat().st_uid) == (PIXEL, os.getuid())

    press(browser, "Rowing", "Delete")
    eventually(lambda: "Nothing yet this week." in shown(browser))
    assert list(uploads.iterdir()) == []
    browser.find_element(By.XPATH, f"//button[text()='Sign out {EMAIL}']").click()
    eventually(lambda: browser.find_elements(By.LINK_TEXT, "Sign in"))


def test_an_edit_is_served_without_a_restart(running: Project, browser: WebDriver) -> None:
    before = docker("ps", "--quiet", "--filter", f"name={running.name}")
    style = re.search(r"/static/[0-9a-f]{12}/style\.css", get(running, "/"))
    assert style

    running.edit(*PRIMARY_ASSISTANT.change)
    running.edit(f"{APP}/website/templates/index.html", "<h1>This week</h1>", "<h1>Seven days</h1>")
    running.edit(f"{APP}/website/static/style.css", "44rem", "45rem")

    eventually(lambda: api(running, "version")["version"] == "1.1.0")
    assert style[0] not in get(running, "/")
    browser.get(f"{url(running)}/")
    assert "Seven days" in shown(browser)
    assert "Primary Assistant 1.1.0" in shown(browser)
    assert text_width(browser) == "720px"
    assert docker("ps", "--quiet", "--filter", f"name={running.name}") == before


def test_the_applications_own_tests_run_with_their_coverage(running: Project) -> None:
    done = running.inv("dev.test")

    assert "All tests passed." in done.stderr
    assert int(running.inv("dev.exec", "web", "coverage report --format total").stdout) >= 90
    failing = running.inv("dev.test", "--arguments", "tests/no_such_file.py", expect=1)
    assert "no_such_file" in failing.stdout + failing.stderr


def test_a_migration_is_made_of_a_changed_model_and_run(running: Project) -> None:
    running.edit(
        f"{APP}/website/models.py",
        "    note: Mapped[str]",
        "    place: Mapped[str | None] = mapped_column(String(60))\n    note: Mapped[str]",
    )
    running.inv("dev.makemigrations", "--arguments", "--message place --rev-id 0002")

    made = running.root / APP / "migrations/versions/0002_place.py"
    assert made.stat().st_uid == os.getuid()
    assert "op.add_column('workouts'" in made.read_text()
    running.inv("dev.migrate")
    asked = "psql -U fitness_user -d fitness_db -Atc 'SELECT version_num FROM alembic_version'"
    assert running.inv("dev.exec", "db", asked).stdout.strip() == "0002"


def test_down_keeps_the_data_and_reset_removes_it(running: Project) -> None:
    api(running, "workouts", {"activity": "Running", "minutes": 30})
    rows = len(api(running, "workouts"))
    running.inv("dev.down")
    running.inv("dev.up")
    assert len(api(running, "workouts")) == rows

    running.inv("dev.reset", "--yes")
    assert docker("volume", "ls", "--quiet", "--filter", f"name={running.name}") == ""
