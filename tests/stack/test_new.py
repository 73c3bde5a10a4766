"""A repository made from a reference stack, as somebody meets it who has nothing else: no git, no checkout."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engine.references import new_repository, reference_stack
from tests.conftest import ROOT
from tests.project import Project, free_port, swept, unique
from tests.stack.conftest import PORTS


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Made, not started."""
    folder = tmp_path_factory.mktemp("new") / "shop"
    new_repository(reference_stack("timetracker"), folder)
    name = unique("new")
    # this checkout stands in for the installed package
    env = {port: str(free_port()) for port in PORTS} | {"PYTHONPATH": os.pathsep.join([str(ROOT)])}
    with swept(name):
        yield Project(folder, name, env)


def test_it_starts_and_answers(shop: Project) -> None:
    shop.inv("dev.up")

    with urllib.request.urlopen(f"http://localhost:{shop.env['BACKEND_PORT']}/api/health", timeout=10) as answer:
        assert answer.status == 200
    shop.inv("dev.reset", "--yes")


def test_its_picture_and_what_is_known_of_it_need_no_engine(shop: Project, tmp_path: Path) -> None:
    shop.inv("stack.graph", "--output", str(tmp_path / "shop.svg"))
    mermaid = shop.inv("stack.graph", "--env", "dev").stdout
    findings = json.loads(shop.inv("stack.inspect", "--env", "prod", "--json").stdout)["environments"]["prod"]

    assert "<svg" in (tmp_path / "shop.svg").read_text()
    assert "flowchart TB" in mermaid
    assert {"compose files", "env file", "kind", "data", "port", "migrate"} <= {one["topic"] for one in findings}
