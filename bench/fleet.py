"""A deploy to several independent hosts, against one host and against a loop over `docker save | ssh docker load`.

    .venv/bin/python -m bench.fleet [--hosts 1,2,4] [--link full|slow]
    .venv/bin/python -m bench.fleet --simulate [--hosts 1,10,100,1000]

The backend of the lab tests' shop, first to hosts that have nothing, then one changed line, to all hosts in one wave.
The other way builds once, too, and then goes host by host, as a shell loop does. Every host is behind a relay of its
own that counts bytes both ways. Everything runs on one machine: client and hosts share its cores, so that more hosts
take longer here than where each has cores of its own. With --simulate there is no Docker and no SSH: see
`bench/simulated.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.hosts import LINKS, Far, Link, raised, relayed
from deploy.engine.bases import BaseImages
from deploy.engine.sandbox import Sandbox
from deploy.shell import LocalShell
from deploy.ui import Console
from deploy.ui.units import size
from tests.conftest import ROOT
from tests.project import Project, commit, swept, unique

SHOP = ROOT / "tests" / "lab" / "shop"
BASES = ("debian:trixie-slim", "python:3.13-slim", "haproxy:3.0")
COMPOSE = """\
services:
  backend:
    build: app
    environment: {GREETING: hello}
    healthcheck: {test: [CMD, python, /app/check.py], interval: 10s, start_period: 20s, start_interval: 250ms}
    ports: ["80:8000"]
"""
ROWS = ("nothing there", "one changed line")
FORGET = (
    "docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes; docker system prune -af --volumes"
)


@dataclass(frozen=True)
class Measure:
    """One run over some hosts."""

    seconds: float
    carried: int


class Fleet:
    """Hosts behind relays, and the project that is released to them."""

    def __init__(self, project: Project, hosts: Sequence[tuple[Sandbox, Far]]) -> None:
        self.project = project
        self._hosts = hosts
        self._image = f"{project.name}/plain:latest"

    def measured(self, what: Callable[[int], None], hosts: int) -> Measure:
        before, began = self._carried(), time.monotonic()
        what(hosts)
        return Measure(time.monotonic() - began, self._carried() - before)

    def _carried(self) -> int:
        return sum(far.carried() for _, far in self._hosts)

    def forget(self, hosts: int) -> None:
        """Hosts as they were before anything was brought there."""
        for sandbox, _ in self._hosts[:hosts]:
            script = f"{FORGET}; rm -rf /opt/{self.project.name} /home/deploy/plain.yaml"
            subprocess.run(["docker", "exec", sandbox.container, "sh", "-c", script], check=True, capture_output=True)

    def says(self, text: str) -> None:
        """Change one line of the application."""
        web = self.project.root / "app" / "web.py"
        lines = [f'VERSION = "{text}"' if one.startswith("VERSION") else one for one in web.read_text().splitlines()]
        web.write_text("\n".join(lines) + "\n")

    def ours(self, hosts: int, wave: str = "100%") -> None:
        """Windlass, all hosts in one wave."""
        names = ",".join(f"far{number}" for number in range(1, hosts + 1))
        self.project.inv("prod.deploy", "--host", names, "--wave", wave, "--yes")

    def in_waves(self, hosts: int) -> None:
        """Windlass as it does without options: one host, then the others."""
        self.ours(hosts, "1,100%")

    def loop(self, hosts: int) -> None:
        """docker build; for each host: docker save | ssh docker load, and docker compose up"""
        build = ["docker", "build", "--quiet", "--tag", self._image, "app"]
        subprocess.run(build, cwd=self.project.root, check=True, capture_output=True)
        for _, far in self._hosts[:hosts]:
            ssh = " ".join(far.ssh)
            _shell(f"docker save {self._image} | {ssh} docker load --quiet")
            compose = COMPOSE.replace("build: app", f"image: {self._image}").replace("80:", "8181:")
            subprocess.run([*ssh.split(), "cat >plain.yaml"], input=compose, text=True, check=True)
            _shell(f"{ssh} docker compose --file plain.yaml --ansi never up --detach --wait --quiet-pull 2>/dev/null")


@contextlib.contextmanager
def fleet(hosts: int, link: Link) -> Iterator[Fleet]:
    """New hosts without anything on them, and a project to release; all are gone afterwards."""
    BaseImages(LocalShell(), Console(), ROOT).ensure(BASES)
    folder = Path(tempfile.mkdtemp(prefix="windlass-bench-"))
    try:
        shutil.copytree(SHOP, folder / "project")
        project = Project(folder / "project", unique("fleet"))
        (project.root / "compose.yaml").write_text(COMPOSE)
        commit(project.root, "As it is")
        config = folder / "ssh_config"
        project.env["INVOKE_SSH_CONFIG_PATH"] = str(config)
        with swept(project.name), contextlib.ExitStack() as stack:
            found = []
            for number in range(1, hosts + 1):
                sandbox, address = stack.enter_context(raised(f"{project.name}-{number}"))
                port, relay = stack.enter_context(relayed(link, address, 22))
                text = sandbox.ssh_config.read_text().replace(address, f"127.0.0.1\n    Port {port}")
                with config.open("a") as file:
                    file.write(text.replace(f"Host {sandbox.name}\n", f"Host far{number}\n"))
                found.append((sandbox, Far(config, relay, f"far{number}")))
            yield Fleet(project, found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(fleet: Fleet, counts: Sequence[int]) -> None:
    """Print a table: for every number of hosts what we take, what the loop takes, and what one host takes."""
    ways = {"Windlass": fleet.ours, "loop": fleet.loop}
    cells: dict[tuple[str, str, int], Measure] = {}
    for hosts in counts:
        for way, run in ways.items():
            fleet.forget(hosts)
            for row in ROWS:
                fleet.says(f"{row} {way} {hosts}")
                one = cells[way, row, hosts] = fleet.measured(run, hosts)
                alone = cells[way, row, counts[0]]
                print(
                    f"  {hosts} hosts  {row:16}  {way:8} {one.seconds:6.1f} s {size(one.carried):>9}  "
                    f"{one.seconds / alone.seconds:5.2f} of the time, {one.carried / alone.carried:5.2f} of the bytes "
                    f"of {counts[0]}",
                    flush=True,
                )
            if way == "Windlass" and hosts > 1:
                fleet.says(f"in waves {hosts}")
                one = fleet.measured(fleet.in_waves, hosts)
                print(f"  {hosts} hosts  one changed line  in two waves {one.seconds:6.1f} s {size(one.carried):>9}")
    for hosts in counts:
        for row in ROWS:
            own, other = cells["Windlass", row, hosts], cells["loop", row, hosts]
            print(
                f"  {hosts} hosts  {row:16}  Windlass takes {own.seconds / other.seconds:.2f} of the loop's time, "
                f"{own.carried / other.carried:.3f} of its bytes"
            )


def _shell(line: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Print the table, or the simulated curve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--hosts", default="")
    parser.add_argument("--link", choices=("full", "slow"), default="full")
    words = parser.parse_args()
    counts = [int(word) for word in (words.hosts or ("1,10,100,1000" if words.simulate else "1,2,4")).split(",")]
    if words.simulate:
        from bench.simulated import print_curve

        print_curve(counts)
        return
    link = LINKS[words.link == "slow"]
    print(f"{link.name}, each host behind a link of its own")
    with fleet(max(counts), link) as found:
        measure(found, counts)


if __name__ == "__main__":
    main()
