"""`inv dev.*` on the ProcGenie stack, as somebody with a fresh clone meets it."""

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

from tests.lab.test_procgenie import TestProcgenie as Story
from tests.project import Project, docker, eventually, free_port, swept, unique
from tests.reference import clone_of, sql
from tests.stack.browser import shown


@pytest.fixture(scope="module")
def procgenie(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone, up, on ports that nobody uses."""
    name = unique("procgenie")
    root = clone_of(Story.reference, tmp_path_factory.mktemp("clone"))
    with swept(name):
        project = Project(root, name, {port: str(free_port()) for port in Story.reference.dev_ports})
        project.inv("dev.up")
        yield project


def api(project: Project, path: str) -> Any:
    with urllib.request.urlopen(f"http://localhost:{project.env['API_PORT']}/api/v1/{path}", timeout=10) as answer:
        return json.load(answer)


def containers(project: Project) -> str:
    return docker("ps", "--quiet", "--filter", f"name={project.name}")


def test_up_leaves_nothing_to_do_by_hand(procgenie: Project) -> None:
    env = (procgenie.root / ".env").read_text()
    assert re.search(r"^REDIS_PASSWORD=[A-Za-z0-9]{32}$", env, re.MULTILINE)
    assert api(procgenie, "health")["status"] == "ok"
    assert f"http://localhost:{procgenie.env['WEB_PORT']}/" in procgenie.inv("dev.url").stdout


def test_a_request_made_in_the_page_is_decided_before_the_eyes(procgenie: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{procgenie.env['WEB_PORT']}/")
    eventually(lambda: "Nobody has asked" in shown(browser), 60)
    for name, value in {"title": "Standing desk", "department": "Office", "amount": "4,990.00"}.items():
        browser.find_element(By.NAME, name).send_keys(value)
    browser.find_element(By.CSS_SELECTOR, "form button").click()

    eventually(lambda: "Standing desk Office 4,990.00 in review" in shown(browser))
    assert api(procgenie, "requests")["requests"][0]["amountCents"] == 499_000


def test_a_typescript_edit_is_served_without_a_restart(procgenie: Project) -> None:
    before = containers(procgenie)
    procgenie.edit("apps/procgenie/api/src/version.ts", '"1.0.0"', '"1.0.1"')

    eventually(lambda: api(procgenie, "version")["version"] == "1.0.1")

    assert containers(procgenie) == before


def test_a_tsx_edit_appears_in_the_open_page(procgenie: Project, browser: WebDriver) -> None:
    browser.get(f"http://localhost:{procgenie.env['WEB_PORT']}/")
    eventually(lambda: "Department" in shown(browser))
    browser.execute_script("window.notReloaded = true")
    procgenie.edit("apps/procgenie/web/app/IntakeForm.tsx", "Department <input", "Whose money <input")

    eventually(lambda: "Whose money" in shown(browser))

    assert browser.execute_script("return window.notReloaded")


def test_the_applications_own_tests_run(procgenie: Project) -> None:
    done = procgenie.inv("dev.test")

    assert {line.split()[2] for line in done.stderr.splitlines() if " Test " in line} >= {"api:", "web:"}
    assert "All tests passed." in done.stderr


def test_a_migration_is_written_into_the_checkout_and_run(procgenie: Project) -> None:
    entity = "apps/procgenie/api/src/intake/purchase-request.entity.ts"
    procgenie.edit(
        entity, "  title!: string;", '  title!: string;\n\n  @Column({ type: "int", default: 1 })\n  count!: number;'
    )
    procgenie.inv("dev.makemigrations")

    made = next((procgenie.root / "apps/procgenie/api/src/migrations").glob("*-Change.ts"))
    assert made.stat().st_uid == os.getuid()
    procgenie.inv("dev.migrate")
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'purchase_request'"
    assert "count" in sql(f"{procgenie.name}-dev-postgres-1", columns).split()


def test_down_keeps_the_data_and_reset_removes_it(procgenie: Project) -> None:
    procgenie.inv("dev.down")
    procgenie.inv("dev.up")
    assert api(procgenie, "requests")["total"] == 1

    procgenie.inv("dev.reset", "--yes")
    assert docker("volume", "ls", "--quiet", "--filter", f"name={procgenie.name}") == ""
