"""The edge of a cluster of two: names with certificates, maintenance on every node, and who may ask its controller."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.lab.cluster import containers, joined, rolling_shop, say, status
from tests.lab.conftest import RemoteHost
from tests.lab.https import NAME, SECOND, ask, connect, serial
from tests.lab.pebble import Pebble, start_pebble
from tests.load import Load, Request
from tests.project import Project, eventually

NODES = ("m1", "w1")
SETTINGS = """\
deploy:
  environments:
    prod:
      engine: swarm
      hosts: [sandbox-m1]
      nodes: [sandbox-w1]
      domains: {{nginx: [{names}]}}
      acme: {{email: ops@example.test, server: "{directory}", ca: authority.pem}}
"""
Hosts = dict[str, RemoteHost]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with rolling_shop(tmp_path_factory.mktemp("shop"), "swedge", NODES) as project:
        yield project


@pytest.fixture(scope="module")
def cluster(shop: Project) -> Hosts:
    return joined(shop, NODES)


@pytest.fixture(scope="module")
def pebble(shop: Project, cluster: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Pebble:
    """It finds the names at the worker, where no client of it runs."""
    return start_pebble(f"{shop.name}-pebble", (NAME, SECOND), cluster["w1"].address, tmp_path_factory.mktemp("pebble"))


@pytest.fixture(scope="module")
def live(shop: Project, cluster: Hosts, pebble: Pebble) -> Hosts:
    """The cluster with a release under a name of its own."""
    (shop.root / "authority.pem").write_text(pebble.ca)
    (shop.root / "invoke.yaml").write_text(SETTINGS.format(names=NAME, directory=pebble.directory))
    shop.inv("prod.deploy", "--yes")
    return cluster


@pytest.fixture(scope="module")
def trust(live: Hosts, pebble: Pebble) -> ssl.SSLContext:
    found = pebble.trust()
    eventually(lambda: all(serial(host, found) for host in live.values()), 180)
    return found


def edge(shop: Project, host: RemoteHost) -> str:
    """The container on a node."""
    (found,) = containers(host, f"{shop.name}-edge_edge")
    return found


def edges(shop: Project, hosts: Hosts) -> list[str]:
    return [edge(shop, host) for host in hosts.values()]


def kill_edge(shop: Project, host: RemoteHost) -> None:
    """Its container dies, and the cluster has made another one."""
    before = edge(shop, host)
    host.run("docker", "kill", before)
    eventually(lambda: edge(shop, host) != before, 180)


@contextmanager
def asked_for(hosts: Hosts, trust: ssl.SSLContext) -> Iterator[list[Load]]:
    """Requests for the name to every node while the block runs."""
    requests = (Request("/"), Request("/", str))
    loads = [Load(one.address, 443, requests, clients=4, name=NAME, tls=trust) for one in hosts.values()]
    with ExitStack() as running:
        for load in loads:
            running.enter_context(load)
        yield loads


def failures(loads: list[Load]) -> list[str]:
    assert all(load.answers.total() > 50 for load in loads)
    return [reason for load in loads for reason in load.failed]


def test_a_certificate_is_got_through_a_node_without_the_client_and_served_by_all(
    shop: Project, live: Hosts, trust: ssl.SSLContext
) -> None:
    assert not containers(live["w1"], f"{shop.name}-edge_acme")
    assert serial(live["m1"], trust) == serial(live["w1"], trust)
    for host in live.values():
        with connect(host, trust) as connection:
            assert ask(connection, "/")[2].startswith(b"v1")
            assert ask(connection, "/", "another.example.test")[0] == 421
        with socket.create_connection((host.address, 80), 10) as plain:
            code, headers, _ = ask(plain, "/cart?item=1")
            assert (code, headers["location"]) == (308, f"https://{NAME}/cart?item=1")
    assert status(shop)["problems"] == []


def test_a_renewed_certificate_reaches_every_node_under_load(shop: Project, live: Hosts, trust: ssl.SSLContext) -> None:
    before, same = serial(live["w1"], trust), edges(shop, live)
    (client,) = containers(live["m1"], f"{shop.name}-edge_acme")
    with asked_for(live, trust) as loads:
        live["m1"].run("docker", "stop", client)  # it looks when it starts
        eventually(lambda: all(serial(host, trust) != before for host in live.values()), 180)

    assert not failures(loads)
    assert serial(live["m1"], trust) == serial(live["w1"], trust)
    assert edges(shop, live) == same


def test_one_more_name_replaces_no_container(shop: Project, live: Hosts, trust: ssl.SSLContext, pebble: Pebble) -> None:
    same = edges(shop, live)
    names = f"{NAME}, {SECOND}"
    (shop.root / "invoke.yaml").write_text(SETTINGS.format(names=names, directory=pebble.directory))
    say(shop, "two names")
    with asked_for(live, trust) as loads:
        live["m1"].sh(f"rm /opt/{shop.name}/edge/certs/{NAME}.pem /opt/{shop.name}/edge/certs/issued.map")
        done = shop.inv("prod.deploy", "--yes")
        eventually(lambda: all(serial(host, trust, SECOND) for host in live.values()), 180)

    assert not failures(loads)
    assert "it goes on answering" in done.stderr
    assert f"https://{SECOND}/" in done.stderr or f"https://{NAME}/" in done.stderr
    assert edges(shop, live) == same


def test_maintenance_is_on_every_node_at_once_and_outlives_the_edge(
    shop: Project, live: Hosts, trust: ssl.SSLContext
) -> None:
    same = edges(shop, live)

    def page(host: RemoteHost) -> tuple[int, bytes]:
        with connect(host, trust) as connection:
            code, _, body = ask(connection, "/")
            return code, body

    with asked_for(live, trust) as loads:
        done = shop.inv("prod.maintenance", "on", "--message", "Back at <18:00>.")
        for host in live.values():
            code, body = page(host)
            assert code == 503
            assert b"Back at &lt;18:00&gt;." in body
            assert host.get("/")[0] == 503
            with pytest.raises(OSError):  # noqa: PT011  # TCP is closed without an answer
                host.get("/", 7000)
        shop.inv("prod.maintenance", "off")
        assert all(page(host)[0] == 200 for host in live.values())

    assert "2 nodes" in done.stderr
    assert edges(shop, live) == same
    assert all(" 503 <!doctype html>" in reason for reason in failures(loads)), "the page, and nothing else"

    shop.inv("prod.maintenance", "on", "--message", "Moving.")
    assert "in maintenance since" in shop.inv("prod.status").stdout
    kill_edge(shop, live["w1"])
    eventually(lambda: page(live["w1"])[0] == 503 and b"Moving." in page(live["w1"])[1], 180)
    shop.inv("prod.maintenance", "off")
    assert all(page(host)[0] == 200 for host in live.values())


def test_an_edge_that_returns_while_nobody_hands_out_the_state_is_what_it_was(
    shop: Project, live: Hosts, trust: ssl.SSLContext
) -> None:
    controller = f"{shop.name}-edge_controller"
    before = serial(live["w1"], trust)
    live["m1"].run("docker", "service", "scale", "--detach", f"{controller}=0")
    try:
        eventually(lambda: not containers(live["m1"], controller), 180)
        assert "the edge's controller does not answer" in str(status(shop, expect=1)["problems"])
        kill_edge(shop, live["w1"])
        eventually(lambda: serial(live["w1"], trust) == before, 180)
    finally:
        live["m1"].run("docker", "service", "scale", "--detach", f"{controller}=1")
    eventually(lambda: shop.attempt("prod.status").returncode == 0, 180)


# what is behind an address is told by what it says: between networks there may be somebody who answers for everybody
REACHES = """\
import socket, ssl, sys
anybody = ssl._create_unverified_context()
def says(port):
    try:
        with socket.create_connection((sys.argv[1], port), 3) as way:
            way.settimeout(3)
            if port == 8443:
                return anybody.wrap_socket(way).getpeercert(binary_form=True)
            way.sendall(b"show info\\n" if port in (9998, 9999) else b"GET / HTTP/1.0\\r\\n\\r\\n")
            return way.recv(4096)
    except OSError:
        return b""
OWN = {10000: b" 200 ", 9997: b"x-digest", 9998: b"proc", 9999: b"HAProxy", 8443: b"windlass-edge"}
print([port for port, word in OWN.items() if word in says(port)])
"""


def address(host: RemoteHost, container: str, network: str) -> str:
    form = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    return host.run("docker", "container", "inspect", "--format", form, container)


def test_nobody_without_a_certificate_gets_anything_of_the_state(
    shop: Project, live: Hosts, trust: ssl.SSLContext
) -> None:
    assert trust
    inside = edge(shop, live["w1"])

    def asked(*words: str) -> str:
        say_get = 'printf "GET / HTTP/1.0\\r\\n\\r\\n"; sleep 2'
        client = f"openssl s_client -quiet -connect tasks.{shop.name}-edge_controller:8443 {' '.join(words)}"
        return live["w1"].run("docker", "exec", inside, "sh", "-c", f"({say_get}) | {client} 2>&1", check=False)

    assert "HTTP/1.1 200" not in asked()
    assert re.search("alert|certificate required", asked())
    assert "x-digest" in asked("-cert", "/run/secrets/client.pem", "-key", "/run/secrets/client.pem")

    control = f"{shop.name}-edge_control"
    (controller,) = containers(live["m1"], f"{shop.name}-edge_controller")
    (backend, *_) = containers(live["w1"], f"{shop.name}_backend")
    tried = [
        live["w1"].run("docker", "exec", backend, "python", "-c", REACHES, at)
        for at in (
            address(live["w1"], inside, f"{shop.name}_default"),
            address(live["w1"], inside, control),
            address(live["m1"], controller, control),
        )
    ]
    assert tried == ["[10000]", "[]", "[]"], "what users reach, and no door or runtime API"
