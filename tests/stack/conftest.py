"""A development stack of its own for each module, on this machine's engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import require_engine
from tests.project import Project, copy_of_this_checkout, free_port, swept, unique
from tests.stack.browser import browser  # noqa: F401  # a fixture of every module here

PORTS = ("BACKEND_PORT", "FRONTEND_PORT", "DB_PORT_HOST")


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    require_engine()


@pytest.fixture(scope="module")
def timetracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone of the TimeTracker stack on ports that nobody uses. Not started."""
    name = unique("dev")
    root = copy_of_this_checkout(tmp_path_factory.mktemp("clone"))
    with swept(name):
        yield Project(root, name, {port: str(free_port()) for port in PORTS})


@pytest.fixture(scope="module")
def running(timetracker: Project) -> Project:
    """The same, up."""
    timetracker.inv("dev.up")
    return timetracker
