"""An image to a host, by every way a user has without a registry of their own.

    .venv/bin/python -m bench.push [--link full|slow] [--only ours,zstd,…] [--rounds 3]

The same image over the same link, to a host that begins empty: first push, one changed line, one upgraded dependency.
Bytes are counted on the link, both ways; every push is checked by the layers that the host has afterwards. Each begins
with nothing left to be written to the disk by the one before. Of several rounds, the median time counts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.hosts import LINKS, PROJECT, Far, far
from deploy.engine.bases import BaseImages
from deploy.engine.images import layers
from deploy.model.layout import HostLayout
from deploy.push.send import push_images
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.units import size

LAYOUT = HostLayout(PROJECT, PurePosixPath(f"/home/deploy/{PROJECT}"))
REGISTRY = "127.0.0.1:5000"
IMAGE = f"{PROJECT}/app"
ROWS = {"first push": "v1", "one changed line": "v2", "one upgraded dependency": "v3"}
BALLAST = "numpy==2.2.4\npandas==2.2.3\nscipy==1.15.2\ncryptography==44.0.2\n"
VERSIONS = {"v1": ("django==5.1.7", "one"), "v2": ("django==5.1.7", "two"), "v3": ("django==5.2", "two")}
DOCKERFILE = """\
FROM python:3.13-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --disable-pip-version-check -q -r requirements.txt
COPY app.py .
CMD ["python", "app.py"]
"""


@dataclass(frozen=True)
class Measure:
    """One cell."""

    seconds: float
    carried: int


def build() -> None:
    """The three versions of the image on this machine."""
    BaseImages(LocalShell(), Console(), Path.cwd()).ensure(["python:3.13-slim", "debian:trixie-slim"])
    for version, (django, line) in VERSIONS.items():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "Dockerfile").write_text(DOCKERFILE)
            (root / "requirements.txt").write_text(f"{BALLAST}{django}\n")
            (root / "app.py").write_text(f"print({line!r})\n")
            subprocess.run(["docker", "build", "-q", "-t", f"{IMAGE}:{version}", folder], check=True)
            subprocess.run(["docker", "tag", f"{IMAGE}:{version}", f"{REGISTRY}/app:{version}"], check=True)


def save(host: Far, version: str) -> None:
    """docker save | ssh docker load"""
    _shell(f"docker save {IMAGE}:{version} | {' '.join(host.ssh)} docker load -q")


def save_zstd(host: Far, version: str) -> None:
    """docker save | zstd | ssh docker load"""
    _shell(f"docker save {IMAGE}:{version} | zstd -q -T0 -3 | {' '.join(host.ssh)} docker load -q")


def tunnel(host: Far, version: str) -> None:
    """a registry on this machine, pulled from through ssh -R"""
    _shell(f"docker push -q {REGISTRY}/app:{version}")
    to, name = host.ssh[:-1], host.ssh[-1]
    with subprocess.Popen([*to, "-N", "-R", "5000:127.0.0.1:5000", "-o", "ExitOnForwardFailure=yes", name]) as forward:
        try:
            wait = "until (exec 3<>/dev/tcp/127.0.0.1/5000) 2>/dev/null; do sleep 0.02; done"
            host.run("bash", "-c", f"'{wait}; docker pull -q {REGISTRY}/app:{version}'")
        finally:
            forward.terminate()
    host.run("docker", "tag", f"{REGISTRY}/app:{version}", f"{IMAGE}:{version}")


def ours(host: Far, version: str) -> None:
    """Windlass"""
    with host.connected() as shell:
        site = Site(shell, LAYOUT, "")
        earlier = {f"{IMAGE}:{version}": [f"{IMAGE}:{other}" for other in sorted(VERSIONS, reverse=True)]}
        to = receiver(site, site.facts())
        push_images(LocalShell(), to, [f"{IMAGE}:{version}"], Step("push"), earlier=earlier)


WAYS: dict[str, Callable[[Far, str], None]] = {"save": save, "zstd": save_zstd, "registry": tunnel, "ours": ours}


@contextlib.contextmanager
def registry() -> Iterator[None]:
    """A registry on this machine, from Debian's package."""
    text = (
        "FROM debian:trixie-slim\n"
        "RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends docker-registry >/dev/null 2>&1\n"
        "RUN printf '%s\\n' 'version: 0.1' 'storage: {filesystem: {rootdirectory: /srv}}' >/config.yml\n"
        "RUN echo 'http: {addr: \":5000\"}' >>/config.yml\n"
        'CMD ["docker-registry", "serve", "/config.yml"]\n'
    )
    subprocess.run(["docker", "build", "-q", "-t", f"{PROJECT}/registry", "-"], input=text.encode(), check=True)
    name = f"{PROJECT}-registry"
    subprocess.run(["docker", "rm", "-f", "-v", name], check=True, capture_output=True)
    run = ["docker", "run", "-d", "--name", name, "-p", f"{REGISTRY}:5000", f"{PROJECT}/registry"]
    subprocess.run(run, check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", name], check=True, capture_output=True)


def measure(way: str, host: Far, version: str) -> Measure:
    """One push, checked."""
    os.sync()
    before, began = host.carried(), time.monotonic()
    WAYS[way](host, version)
    seconds, after = time.monotonic() - began, host.carried()
    reference = f"{IMAGE}:{version}"
    with host.connected() as shell:
        if layers(shell, [reference]) != layers(LocalShell(), [reference]):
            raise SystemExit(f"{way}: {reference} did not arrive whole")
    return Measure(seconds, after - before)


def main() -> None:
    """Print a table for every link, and how we compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--link", choices=("full", "slow"))
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("--rounds", type=int, default=1)
    words = parser.parse_args()
    ways = words.only.split(",")
    build()
    links = [link for link in LINKS if words.link is None or (link.mbit_per_s > 0) == (words.link == "slow")]
    with registry():
        for link in links:
            print(f"\n{link.name}")
            cells: dict[tuple[str, str], list[Measure]] = {}
            for way in ways * words.rounds:
                with far(link, way) as host:
                    for row, version in ROWS.items():
                        one = measure(way, host, version)
                        cells.setdefault((row, way), []).append(one)
                        print(f"  {row:24} {way:9} {one.seconds:7.1f} s {size(one.carried):>10}", flush=True)
            if "ours" in ways and len(ways) > 1:
                _compare(cells, [way for way in ways if way != "ours"])


def _median(measures: list[Measure]) -> Measure:
    return Measure(
        statistics.median(one.seconds for one in measures), statistics.median_low(one.carried for one in measures)
    )


def _compare(cells: dict[tuple[str, str], list[Measure]], others: list[str]) -> None:
    for row in ROWS:
        own = _median(cells[row, "ours"])
        fastest = min(_median(cells[row, way]).seconds for way in others)
        least = min(_median(cells[row, way]).carried for way in others)
        print(
            f"  {row:24} ours: {own.seconds / fastest:.2f} of the fastest other's time, "
            f"{own.carried / least:.2f} of the least other's bytes"
        )


def _shell(line: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
