"""A real browser for tests: what is served is looked at as users look at it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from selenium import webdriver
from selenium.webdriver.remote.command import Command
from selenium.webdriver.remote.webdriver import WebDriver

from tests.conftest import ROOT
from tests.project import docker, eventually, free_port, unique

IMAGE = "windlass/test-browser"
ARGUMENTS = (
    "headless=new",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "window-size=1100,900",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    """Chromium in a container that shares this machine's network, so that it sees what a browser here would."""
    folder = ROOT / "tests" / "stack"
    docker("build", "--quiet", "--tag", IMAGE, "--file", str(folder / "browser.Dockerfile"), str(folder))
    name, port = unique("browser"), free_port()
    # a port of its own, as modules may run side by side
    driver = ("chromedriver", f"--port={port}", "--allowed-ips=", "--allowed-origins=*")
    docker("run", "--detach", "--rm", "--name", name, "--network", "host", "--shm-size", "512m", IMAGE, *driver)
    options = webdriver.ChromeOptions()
    for word in ARGUMENTS:
        options.add_argument(f"--{word}")
    try:
        eventually(lambda: _listens(port))
        remote = webdriver.Remote(f"http://127.0.0.1:{port}", options=options)
        yield remote
        remote.quit()
    finally:
        docker("rm", "--force", name, check=False)


def shown(browser: WebDriver) -> str:
    """The text of the page, its words with one space between."""
    return " ".join(str(browser.execute_script("return document.body?.innerText ?? ''")).split())


def complaints(browser: WebDriver) -> list[str]:
    """What the browser's console has warned of, and of what errors, since it was last asked."""
    return [str(entry["message"]) for entry in browser.execute(Command.GET_LOG, {"type": "browser"})["value"]]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
