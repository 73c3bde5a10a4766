"""A deploy, step by step, against its floor and against what a user would do instead.

    .venv/bin/python -m bench.deploy [--link full|slow]

The shop of the lab tests, to a host that runs it: nothing changed, a changed variable, one changed line. The floor is
what no tool can do without: the build, and the container's own boot until it is healthy, both measured in this run. The
other way is a copy of the files over ssh and `docker compose up --build` on the host; the page is asked for all along.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench.hosts import LINKS, Far
from bench.shop import BASES, Bench, shop_on_a_host
from deploy.ui.units import size

WORK = ("Build", "Push", "Look for pending", "Back up before", "Migrate", "Start the release", "Hand over", "Drain")
"""Steps that are not the deploy's own overhead, a push that sends something among them."""
ASKED_EVERY_S = 0.05
OTHER_PORT = 8181


@dataclass
class Page:
    """Asks for a page while the block runs, and knows for how long there was none."""

    url: str
    failed: int = 0
    sent: int = 0
    down_s: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(ASKED_EVERY_S):
            self.sent += 1
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
            except (OSError, urllib.error.HTTPError):
                self.failed += 1
                continue
            now = time.monotonic()
            if self.failed:
                self.down_s = max(self.down_s, now - last)
            last = now


@dataclass(frozen=True)
class Deploy:
    """One measured deploy of ours."""

    wall_s: float
    steps: Mapping[str, float]
    page: Page
    carried: int

    @property
    def overhead_s(self) -> float:
        return self.wall_s - sum(seconds for title, seconds in self.steps.items() if title.startswith(WORK))


def ours(bench: Bench, host: Far) -> Deploy:
    """A deploy of what has been changed."""
    before, began = host.carried(), time.monotonic()
    with Page(f"http://{bench.address}:{bench.port}/") as page:
        done = bench.project.inv("prod.deploy", "--host", "far", "--yes")
    wall = time.monotonic() - began
    built = re.search(r"✓ Build .*  ([\d.]+) s$", done.stderr, re.MULTILINE)
    steps: dict[str, float] = {"Build": float(built[1])} if built else {}
    if "nothing to do" not in done.stderr:
        entry = bench.journal()
        steps |= entry["steps"]
        if not entry["bytes_sent"]:
            steps = {title.replace("Push", "Nothing to push:"): seconds for title, seconds in steps.items()}
    return Deploy(wall, steps, page, host.carried() - before)


def floor(bench: Bench, number: int) -> float:
    """Seconds to build the image of a changed line, and for its container to boot until it is healthy, on the host."""
    bench.says(f"floor {number}")
    began = time.monotonic()
    command = ["docker", "build", "--quiet", "--tag", f"{bench.project.name}/floor", "app"]
    subprocess.run(command, cwd=bench.project.root, check=True, capture_output=True)
    built = time.monotonic() - began
    script = f"""
        images=$(docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}')
        image=$(echo "$images" | grep '^{bench.project.name}/backend:' | head -n 1)
        began=$(date +%s%N)
        docker run --detach --name floor --env GREETING=hello --health-cmd 'python /app/check.py' \\
            --health-interval 10s --health-start-period 20s --health-start-interval 250ms "$image" >/dev/null
        until [ "$(docker inspect --format '{{{{.State.Health.Status}}}}' floor)" = healthy ]; do sleep 0.02; done
        echo $(($(date +%s%N) - began))
        docker rm --force floor >/dev/null
    """
    return built + int(bench.on_host(script)) / 1e9


def prepare_other_way(bench: Bench, host: Far) -> None:
    """The same stack, made on the host by hand, on a port of its own; the images it starts from are there already."""
    bases = " ".join(image for image in BASES if not image.startswith(("debian", "haproxy")))
    _shell(f"docker save {bases} | docker exec --interactive {bench.sandbox.container} docker load")
    _copy(bench, host)
    host.run("cd plain && docker compose up --detach --build --wait")


def other_way(bench: Bench, host: Far) -> tuple[float, Page]:
    """Copy the files over ssh, build and restart there: the site is down meanwhile."""
    with Page(f"http://{bench.address}:{OTHER_PORT}/") as page:
        began = time.monotonic()
        _copy(bench, host)
        host.run("cd plain && docker compose up --detach --build --wait")
        return time.monotonic() - began, page


def _copy(bench: Bench, host: Far) -> None:
    root = bench.project.root
    with tempfile.TemporaryDirectory() as folder:
        for name in ("app", "nginx"):
            shutil.copytree(root / name, Path(folder, name))
        Path(folder, "compose.yaml").write_text((root / "compose.yaml").read_text().replace("7000:", "7001:"))
        env = (root / ".env.prod").read_text().replace(f"HTTP_PORT={bench.port}", f"HTTP_PORT={OTHER_PORT}")
        Path(folder, ".env").write_text(env)
        _shell(f"tar -C {folder} -cz . | {' '.join(host.ssh)} 'mkdir -p plain && tar -C plain -xz'")


def _shell(line: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, stdout=subprocess.DEVNULL)


def measure(bench: Bench, host: Far, link: str) -> None:
    """Print a table for one link."""
    changes: dict[str, Callable[[], None]] = {
        "nothing changed": lambda: None,
        "one changed variable": lambda: bench.greets(f"hello {link}"),
        "one changed line": lambda: bench.says(f"line {link}"),
    }
    prepare_other_way(bench, host)
    least = floor(bench, len(link))
    bench.says("v1")
    bench.project.inv("prod.deploy", "--host", "far", "--yes")
    print(f"\n{link}: the floor (build, boot until healthy) is {least:.1f} s")
    for row, change in changes.items():
        change()
        own = ours(bench, host)
        seconds, page = other_way(bench, host)
        print(f"  {row}")
        print(
            f"    Windlass         {own.wall_s:5.1f} s, {own.wall_s / least:.2f} of the floor, own overhead "
            f"{own.overhead_s:.1f} s, {size(own.carried)} carried, {own.page.failed} of {own.page.sent} requests failed"
        )
        print(
            f"    compose up there {seconds:5.1f} s, {page.failed} of {page.sent} requests failed, down for "
            f"{page.down_s:.1f} s; Windlass takes {own.wall_s / seconds:.2f} of its time"
        )
        for title, took in own.steps.items():
            print(f"      {took:6.2f} s  {title}")
        before = own.wall_s - sum(own.steps.values())
        print(
            f"      {before:6.2f} s  everything before and between: start, connection, look, lock, journal", flush=True
        )


def main() -> None:
    """Print a table for every link."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", choices=("full", "slow"))
    words = parser.parse_args()
    with shop_on_a_host("deploy") as bench:
        for link in LINKS:
            if words.link is None or (link.mbit_per_s > 0) == (words.link == "slow"):
                with bench.behind(link) as host:
                    measure(bench, host, link.name)


if __name__ == "__main__":
    main()
