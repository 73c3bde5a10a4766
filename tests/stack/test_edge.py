"""The edge alone, on this machine's engine: slots that a change which died has left in every state, under load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from deploy.engine.bases import BaseImages
from deploy.model.edge import EMPTY, IMAGE, EdgeState, Listener, Target, page_template
from deploy.model.edge.maintenance import DEFAULT_PAGE
from deploy.model.layout import HostLayout
from deploy.model.stack import Port
from deploy.release.edge import point_edge, start_edge
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui import Console
from tests.conftest import ROOT
from tests.load import Load, Request
from tests.project import docker, free_port, swept, unique


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A project of this machine whose edge can be started."""
    local = LocalShell()
    BaseImages(local, Console(), ROOT).ensure([IMAGE, "nginx:alpine"])
    name = unique("edge")
    (tmp_path / "edge/etc").mkdir(parents=True)
    with swept(name):
        yield Site(local, HostLayout(name, PurePosixPath(tmp_path)), "127.0.0.1")


def answer(site: Site, release: str) -> None:
    """Run something that answers for a release."""
    name = site.layout.container(release, "web", 1)
    page = f"server {{ listen 80; location / {{ return 200 {release}; }} }}"
    docker(
        "run", "--detach", "--name", name, "--network", site.layout.lasting_network("edge"), "nginx:alpine",
        "sh", "-c", f"echo '{page}' >/etc/nginx/conf.d/default.conf && exec nginx -g 'daemon off;'",
    )  # fmt: skip


def test_a_slot_of_dead_containers_is_filled_again_without_a_failed_request(site: Site) -> None:
    """A change that was killed leaves a slot that names what is gone: HAProxy still asks it how it is."""
    port = free_port()
    listener = Listener(Port(target=80, published=port, protocol="tcp", host_ip="127.0.0.1", http=True), "web")
    state: EdgeState = EMPTY.listening((listener,))
    start_edge(site, state, page_template(DEFAULT_PAGE, where="the page"))
    answer(site, "r0")

    def go(state: EdgeState, slot: str, release: str) -> EdgeState:
        server = f"{site.layout.container(release, 'web', 1)}:80"
        return point_edge(site, state, slot, fill=Target(release, {listener.name: (server,)}), current="")[0]

    state = go(state, "blue", "r0")
    with Load("127.0.0.1", port, (Request("/"),)) as load:
        for number in range(1, 9):
            dead, good = f"dead{number}", f"r{number}"
            answer(site, dead)
            answer(site, good)
            state = go(state, state.spare, dead)
            state, _ = point_edge(site, state, state.spare, fill=None, current="")
            docker("rm", "--force", site.layout.container(dead, "web", 1))
            time.sleep(0.3 * number)  # each time at another moment of the checks' round
            state = go(state, state.spare, good)
            time.sleep(1)  # as long as a check that was on its way may take to fail

    assert load.failed == {}
    assert load.sent > 500


def test_a_slot_that_is_live_already_goes_on_answering(site: Site) -> None:
    """As when an edge is started with a release in it, and the switch to that release comes after."""
    port = free_port()
    listener = Listener(Port(target=80, published=port, protocol="tcp", host_ip="127.0.0.1", http=True), "web")
    state: EdgeState = EMPTY.listening((listener,))
    start_edge(site, state, page_template(DEFAULT_PAGE, where="the page"))
    answer(site, "r0")
    fill = Target("r0", {listener.name: (f"{site.layout.container('r0', 'web', 1)}:80",)})
    state, _ = point_edge(site, state, "blue", fill=fill, current="")
    with Load("127.0.0.1", port, (Request("/"),)) as load:
        for _ in range(10):
            state, statuses = point_edge(site, state, "blue", fill=fill, current="")
            assert [*statuses.values()] == [200]

    assert load.failed == {}
    assert load.sent > 100


def test_a_reload_is_over_when_the_next_step_begins_and_costs_no_request(site: Site) -> None:
    """Runtime commands that go to a worker on its way out are lost, and so would be the switch."""
    port = free_port()
    listener = Listener(Port(target=80, published=port, protocol="tcp", host_ip="127.0.0.1", http=True), "web")
    state: EdgeState = EMPTY.listening((listener,))
    start_edge(site, state, "page 0")
    for release in ("r0", "r1"):
        answer(site, release)
    servers = {name: (f"{site.layout.container(name, 'web', 1)}:80",) for name in ("r0", "r1")}
    state, _ = point_edge(site, state, "blue", fill=Target("r0", {listener.name: servers["r0"]}), current="")
    with Load("127.0.0.1", port, (Request("/"),)) as load:
        for number in range(1, 7):
            release = f"r{number % 2}"
            start_edge(site, state, f"page {number}")
            fill = Target(release, {listener.name: servers[release]})
            state, statuses = point_edge(site, state, state.spare, fill=fill, current="")
            assert [*statuses.values()] == [200]

    assert load.failed == {}
    assert set(load.answers) == {"r0", "r1"}
