"""Hosts to measure on: sandboxes behind links of a known speed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.sandbox import Sandbox
from deploy.remote.connection import Host
from deploy.remote.target import resolve
from deploy.shell import LocalShell
from deploy.ui import Console

PROJECT = "wlbench"


@dataclass(frozen=True)
class Link:
    """How a host is reached."""

    name: str
    mbit_per_s: float = 0
    one_way_ms: float = 0


LINKS = (Link("full speed"), Link("20 Mbit/s, 40 ms", 20, 20))


class Far:
    """A sandbox at the end of a link."""

    def __init__(self, config: Path, relay: subprocess.Popen[str], name: str = "far") -> None:
        self.config = config
        self.name = name
        self._relay = relay

    @property
    def ssh(self) -> list[str]:
        return ["ssh", "-F", str(self.config), self.name]

    def run(self, *words: str) -> str:
        return subprocess.run([*self.ssh, *words], check=True, capture_output=True, text=True).stdout

    def carried(self) -> int:
        """Bytes over the link so far, both ways."""
        assert self._relay.stdin
        assert self._relay.stdout
        self._relay.stdin.write("\n")
        self._relay.stdin.flush()
        return int(self._relay.stdout.readline())

    @contextlib.contextmanager
    def connected(self) -> Iterator[Host]:
        """The host as Windlass connects to it."""
        host = Host(resolve(self.name, self.config))
        try:
            host.connect()
            yield host
        finally:
            host.close()


@contextlib.contextmanager
def relayed(link: Link, address: str, port: int, listen: int = 0) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A port of a machine at the end of a link: the port on this one that leads there, and what counts the bytes."""
    if not listen:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            listen = probe.getsockname()[1]
    speed = (str(link.mbit_per_s), str(link.one_way_ms))
    relay = subprocess.Popen(
        [sys.executable, "-m", "bench.link", str(listen), address, str(port), *speed],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert relay.stdout
        relay.stdout.readline()
        yield listen, relay
    finally:
        relay.kill()
        relay.wait()


def reached_by(sandbox: Sandbox, address: str, port: int) -> Path:
    """An SSH configuration that knows a sandbox as `far`, behind a port of this machine."""
    text = sandbox.ssh_config.read_text().replace(address, f"127.0.0.1\n    Port {port}")
    config = sandbox.folder / "far_config"
    config.write_text(text.replace(f"Host {sandbox.name}\n", "Host far\n"))
    return config


@contextlib.contextmanager
def raised(name: str) -> Iterator[tuple[Sandbox, str]]:
    """A new sandbox and its address, gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="windlass-bench-"))
    sandbox = Sandbox(LocalShell(), Console(), root, PROJECT, f"sandbox-{name}")
    try:
        yield sandbox, sandbox.up()
    finally:
        sandbox.down()
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def far(link: Link, name: str) -> Iterator[Far]:
    """A new sandbox behind a link, gone afterwards."""
    with raised(name) as (sandbox, address), relayed(link, address, 22) as (port, relay):
        yield Far(reached_by(sandbox, address, port), relay)
