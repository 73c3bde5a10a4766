"""The project that deploys are measured with: the shop of the lab tests, with a host to itself."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.hosts import Far, Link, raised, reached_by, relayed
from deploy.engine.bases import BaseImages
from deploy.engine.sandbox import Sandbox
from deploy.shell import LocalShell
from deploy.ui import Console
from tests.conftest import ROOT
from tests.project import Project, commit, swept, unique

SHOP = ROOT / "tests" / "lab" / "shop"
BASES = ("debian:trixie-slim", "python:3.13-slim", "postgres:17", "nginx:alpine", "haproxy:3.0")


@dataclass(frozen=True)
class Bench:
    """A shop and its host."""

    project: Project
    sandbox: Sandbox
    address: str
    port: int
    """Its public port, the same on the host and, behind a link, on this machine."""

    @contextlib.contextmanager
    def behind(self, link: Link) -> Iterator[Far]:
        """The host as `far`, its public port too, at the end of a link."""
        with (
            relayed(link, self.address, 22) as (port, relay),
            relayed(link, self.address, self.port, self.port),
        ):
            config = reached_by(self.sandbox, self.address, port)
            self.project.env["INVOKE_SSH_CONFIG_PATH"] = str(config)
            yield Far(config, relay)

    def on_host(self, script: str) -> str:
        """A script on the host, by a way that no link slows down."""
        words = ["docker", "exec", "--user", "deploy", "--workdir", "/home/deploy", self.sandbox.container, "sh", "-ec"]
        return subprocess.run([*words, script], check=True, capture_output=True, text=True).stdout

    def journal(self) -> Mapping[str, Any]:
        """The last line of the host's journal."""
        last: dict[str, Any] = json.loads(self.on_host(f"tail -n 1 /opt/{self.project.name}/journal.jsonl"))
        return last

    def says(self, text: str) -> None:
        """Change one line: what the page says from the next release on."""
        web = self.project.root / "app" / "web.py"
        lines = web.read_text().splitlines()
        web.write_text(
            "\n".join(f'VERSION = "{text}"' if line.startswith("VERSION") else line for line in lines) + "\n"
        )

    def greets(self, text: str) -> None:
        """Change the configuration and nothing else."""
        (self.project.root / ".env.prod").write_text(f"DB_PASSWORD=measured\nHTTP_PORT={self.port}\nGREETING={text}\n")


@contextlib.contextmanager
def shop_on_a_host(name: str) -> Iterator[Bench]:
    """The shop, released once to a host of its own; both are gone afterwards."""
    BaseImages(LocalShell(), Console(), ROOT).ensure(BASES)
    folder = Path(tempfile.mkdtemp(prefix="windlass-bench-"))
    try:
        shutil.copytree(SHOP, folder / "project")
        project = Project(folder / "project", unique("bench"))
        with raised(name) as (sandbox, address), swept(project.name), socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            probe.close()
            bench = Bench(project, sandbox, address, port)
            bench.greets("hello")
            commit(project.root, "As it is")
            with bench.behind(Link("full speed")):
                project.inv("prod.deploy", "--host", "far", "--yes")
            yield bench
    finally:
        shutil.rmtree(folder, ignore_errors=True)
