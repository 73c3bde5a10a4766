"""Sandboxes joined into a cluster, with a small project on it, and what tests of clusters ask of both."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lab.conftest import RemoteHost, new_shop, raise_host
from tests.load import Load, Request
from tests.project import Project

# a kernel without ip_vs, as the one of many containers: nginx is to look its names up again and again
LOOKS_UP = """\
server {
    listen 80;
    resolver 127.0.0.11 valid=1s ipv6=off;
    set $backend http://backend:8000;
    location / { proxy_pass $backend; }
}
server {
    listen 7000;
    return 200 "tcp\\n";
}
"""


@contextlib.contextmanager
def rolling_shop(folder: Path, name: str, nodes: Sequence[str], *, managers: int = 1) -> Iterator[Project]:
    """A small project whose web services run twice, for a cluster of these sandboxes, managers first."""
    with new_shop(folder, name) as project:
        (project.root / "nginx" / "default.conf").write_text(LOOKS_UP)
        hosts = ", ".join(f"sandbox-{one}" for one in nodes[:managers])
        rest = ", ".join(f"sandbox-{one}" for one in nodes[managers:])
        (project.root / "invoke.yaml").write_text(
            f"deploy:\n  environments:\n    prod:\n      engine: swarm\n      hosts: [{hosts}]\n      nodes: [{rest}]\n"
        )
        project.edit("compose.yaml", "    container_name: shop_backend\n", "    deploy: {replicas: 2}\n")
        project.edit(
            "compose.yaml", "    depends_on: [backend]\n", "    depends_on: [backend]\n    deploy: {replicas: 2}\n"
        )
        yield project


def joined(project: Project, nodes: Sequence[str], *words: str) -> dict[str, RemoteHost]:
    """Sandboxes of these names, made one cluster; `words` are more of `host.setup --swarm`."""
    hosts = {name: raise_host(project, name) for name in nodes}
    named = [word for host in hosts.values() for word in ("--host", host.spec)]
    project.inv("host.setup", "--swarm", *named, *words)
    return hosts


@contextlib.contextmanager
def one_server(host: RemoteHost, volume: str) -> Iterator[None]:
    """Fails when two servers of a host had a volume at any moment that was looked at.

    What only reads there for a moment is none: a plan has PG_VERSION read in a container that mounts it read-only.
    """
    ended, looks, twice = threading.Event(), 0, set[str]()

    def watch() -> None:
        nonlocal looks
        while not ended.wait(0.1):
            form = "{{.ID}} {{.Names}} {{.Status}} {{.Command}}"
            found = host.run(
                "docker", "ps", "--no-trunc", "--filter", f"volume={volume}", "--format", form
            ).splitlines()
            servers = [one for one in found if '"sh -euc ' not in one]
            looks += 1
            if len(servers) > 1:
                twice.add("; ".join(servers))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
    assert looks > 10
    assert not twice, "\n".join(sorted(twice))


def say(shop: Project, text: str) -> None:
    """Let the next release's page say something."""
    web = shop.root / "app" / "web.py"
    web.write_text(re.sub(r"(?m)^VERSION = .*$", f'VERSION = "{text}"', web.read_text()))


@contextlib.contextmanager
def load_on(hosts: dict[str, RemoteHost]) -> Iterator[list[Load]]:
    """Requests to every node while the block runs."""
    asked = (Request("/"), Request("/", lambda n: f"{n}"))
    # not more of them than leave this machine the time for what is tested
    loads = [Load(one.address, 80, asked, clients=4, pause_s=0.04) for one in hosts.values()]
    with contextlib.ExitStack() as running:
        for load in loads:
            running.enter_context(load)
        yield loads


def failures(loads: list[Load]) -> Counter[str]:
    assert all(load.sent > 100 for load in loads)
    return sum((load.failed for load in loads), Counter())


def status(shop: Project, expect: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(shop.inv("prod.status", "--json", expect=expect).stdout)
    return found


def services(host: RemoteHost, stack: str) -> dict[str, str]:
    """Services of a stack, name to the release they came with."""
    ids = host.run(
        "docker", "service", "ls", "--quiet", "--filter", f"label=com.docker.stack.namespace={stack}"
    ).split()
    form = '{{.Spec.Name}} {{index .Spec.Labels "windlass.release"}}'
    lines = host.run("docker", "service", "inspect", "--format", form, *ids).splitlines()
    return dict(line.split() for line in lines if len(line.split()) == 2)


def containers(host: RemoteHost, name: str) -> set[str]:
    return {*host.run("docker", "ps", "--quiet", "--filter", f"name={name}").split()}
