"""The edge on a host: what it tells users and the release, how it drains, and how it is itself replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import urllib.error
import urllib.request
import warnings

import pytest

from tests.lab.conftest import RemoteHost
from tests.lab.https import NAME, SECOND, ask, connect, serial
from tests.lab.pebble import Pebble, start_pebble
from tests.lab.streams import Events, WebSocket
from tests.lab.terminal import Terminal
from tests.load import Load, Request
from tests.project import Project, eventually

DEPLOY = ("prod.deploy", "--host", "sandbox", "--yes")
STATUS = ("prod.status", "--host", "sandbox")


@pytest.fixture(scope="module")
def live(shop: Project, host: RemoteHost) -> RemoteHost:
    """The host with a first release of the shop."""
    shop.inv(*DEPLOY)
    return host


def edge(shop: Project) -> str:
    return f"{shop.name}-edge-edge-1"


def admin(shop: Project, host: RemoteHost, command: str) -> str:
    """HAProxy's answer to a runtime command."""
    ask = 'exec 3<>/dev/tcp/127.0.0.1/9999; echo "$1" >&3; cat <&3'
    return host.run("docker", "exec", edge(shop), "bash", "-c", ask, "ask", command)


def worker(shop: Project, host: RemoteHost) -> str:
    """The process that answers: another one after a reload."""
    found = re.search(r"(?m)^Pid: (\d+)$", admin(shop, host, "show info"))
    assert found
    return found[1]


def test_the_release_is_told_who_asked_and_how(live: RemoteHost) -> None:
    """And what a client claims of its own way is not passed on."""
    url = f"http://{live.address}/headers"
    claims = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "1",
        "Forwarded": "for=6.6.6.6",
    }
    with urllib.request.urlopen(urllib.request.Request(url, headers=claims), timeout=10) as answer:
        seen = json.load(answer)

    assert seen["x-forwarded-for"] != "6.6.6.6"
    assert re.fullmatch(r"[\d.]+", seen["x-forwarded-for"])
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "80")
    assert seen["x-forwarded-host"] == f"{live.address}"
    assert "forwarded" not in seen


def test_the_access_log_says_who_asked_for_what(shop: Project, live: RemoteHost) -> None:
    live.get("/looking-for-this")

    log = shop.inv("prod.logs", "--host", "sandbox", "--service", "edge").stdout

    line = next(line for line in log.splitlines() if "looking-for-this" in line)
    asked = rf"20\d\d-\d\d-\d\dT[\d:]+Z [\d.]+ GET http://{live.address}:80/looking-for-this"
    assert re.search(rf"{asked} 200 \d+ bytes \d+ ms (blue|green)_port_80/s1 --", line)


def test_maintenance_is_a_page_for_users_that_outlives_deploys_and_restarts(
    shop: Project, live: RemoteHost, text: str
) -> None:
    before = worker(shop, live)
    shop.inv("prod.maintenance", "on", "--message", "Back at <18:00>.", "--host", "sandbox")

    def in_maintenance() -> bool:
        status, page = live.get("/")
        return status == 503 and "Back at &lt;18:00&gt;." in page

    assert in_maintenance()
    assert worker(shop, live) == before, "no reload"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://{live.address}/", timeout=10)
    assert refused.value.headers["Retry-After"] == "120"
    refused.value.close()
    with pytest.raises(OSError):  # noqa: PT011  # TCP is closed without an answer
        live.get("/", 7000)

    done = shop.inv(*DEPLOY)
    assert "users get the maintenance page" in done.stderr
    assert in_maintenance()
    status = shop.inv(*STATUS)
    assert "in maintenance since" in status.stdout
    assert "Back at <18:00>." in status.stdout
    live.run("docker", "restart", "--time", "1", edge(shop))
    eventually(in_maintenance)

    shop.inv("prod.maintenance", "off", "--host", "sandbox")
    eventually(lambda: live.get("/") == (200, f"{text} hello\n"))
    assert live.get("/", 7000) == (200, "tcp\n")
    assert "in maintenance" not in shop.inv(*STATUS).stdout
    assert shop.inv("prod.maintenance", "maybe", "--host", "sandbox", expect=2)


def test_a_maintenance_page_of_ones_own(shop: Project, live: RemoteHost) -> None:
    (shop.root / "closed.html").write_text("<h1>Closed, 100%</h1>\n<pre>\n{message}\n</pre>\n")
    (shop.root / "invoke.yaml").write_text("deploy: {environments: {prod: {maintenance_page: closed.html}}}\n")
    try:
        shop.inv("prod.maintenance", "on", "--message", "Moving.", "--host", "sandbox")
        eventually(lambda: live.get("/") == (503, "<h1>Closed, 100%</h1>\n<pre>\nMoving.\n</pre>\n"))
    finally:
        shop.inv("prod.maintenance", "off", "--host", "sandbox")
        (shop.root / "closed.html").unlink()
        (shop.root / "invoke.yaml").unlink()
    eventually(lambda: live.get("/")[0] == 200)


def test_long_connections_live_until_the_drain_limit_and_are_told(shop: Project, live: RemoteHost, text: str) -> None:
    (shop.root / "invoke.yaml").write_text("deploy: {environments: {prod: {drain_s: 6}}}\n")
    try:
        with WebSocket(live.address) as told, Events(live.address) as events:
            deploy = Terminal(shop, *DEPLOY)
            deploy.expect("Drain and stop", 60)
            deploy.expect("waiting for 2 in flight", 10)
            assert live.get("/") == (200, f"{text} hello\n"), "new requests go to the new release"
            with WebSocket(live.address) as newer:
                eventually(lambda: text in newer.texts)
                texts = len(told.texts), len(events.texts)
                eventually(lambda: len(told.texts) > texts[0] and len(events.texts) > texts[1])
                assert told.open
                assert events.open
                assert deploy.end() == 0
                assert newer.open
            eventually(lambda: not told.open and not events.open)
    finally:
        (shop.root / "invoke.yaml").unlink()

    assert told.ended == "closed with 1001"
    assert events.ended == "whole"
    assert events.texts[-1].startswith("event: bye")
    assert "2 connections had not ended after 6 s" in deploy.text


def test_ctrl_c_while_the_old_release_drains_loses_no_figures(shop: Project, live: RemoteHost, text: str) -> None:
    with WebSocket(live.address):
        deploy = Terminal(shop, *DEPLOY)
        deploy.expect("waiting for 1 in flight", 60)
        os.kill(deploy.pid, signal.SIGINT)
        assert deploy.end() == 130

    assert re.search(r"is live; 0 of \d+ probes failed", re.sub(r"\s+", " ", deploy.text))
    row = json.loads(shop.inv("prod.releases", "--host", "sandbox", "--json").stdout)[0]
    assert row["outcome"] == "deployed"
    assert row["probes"]["failed"] == 0
    assert row["probes"]["sent"] > 0
    assert live.get("/") == (200, f"{text} hello\n")
    shop.inv(*DEPLOY)
    shop.inv(*STATUS)


def test_another_image_of_the_edge_is_announced_and_its_gap_is_short(shop: Project, live: RemoteHost) -> None:
    build = "printf 'FROM haproxy:3.0\\nLABEL newer=yes\\n' | docker build --quiet --tag haproxy:3.0 -"
    live.sh(build)
    plan = shop.inv("prod.plan", "--host", "sandbox").stdout
    assert "the edge is replaced because its image is newer: one to three seconds of refused connections" in plan

    with Load(live.address, 80, (Request("/"), Request("/", str))) as load:
        shop.inv(*DEPLOY)

    print(f"no answer for {load.gap_s:.2f} s; {load.failed.total()} of {load.sent} failed: {load.failed}")  # noqa: T201
    assert live.run("docker", "container", "inspect", "--format", "{{.Config.Labels.newer}}", edge(shop)) == "yes"
    assert load.failed, "what was announced is true"
    assert "nothing to do" in shop.inv(*DEPLOY).stderr


SETTINGS = """\
deploy:
  environments:
    prod:
      domains: {{nginx: [{names}]}}
      acme: {{email: ops@example.test, server: "{directory}", ca: authority.pem}}
"""


@pytest.fixture(scope="module")
def pebble(shop: Project, live: RemoteHost, tmp_path_factory: pytest.TempPathFactory) -> Pebble:
    return start_pebble(f"{shop.name}-pebble", (NAME, SECOND), live.address, tmp_path_factory.mktemp("pebble"))


@pytest.fixture(scope="module")
def secured(shop: Project, live: RemoteHost, pebble: Pebble) -> ssl.SSLContext:
    """The shop under a name of its own, with a certificate; how to trust it."""
    (shop.root / "authority.pem").write_text(pebble.ca)
    (shop.root / "invoke.yaml").write_text(SETTINGS.format(names=NAME, directory=pebble.directory))
    done = shop.inv(*DEPLOY)
    assert "the edge is replaced because its public ports change" in done.stderr
    trust = pebble.trust()
    eventually(lambda: serial(live, trust), 60)
    return trust


def test_a_name_gets_a_certificate_and_is_answered_over_https(
    shop: Project, live: RemoteHost, secured: ssl.SSLContext
) -> None:
    with connect(live, secured) as connection:
        assert connection.version() == "TLSv1.3"
        status, _, body = ask(connection, "/headers")
        assert status == 200
        seen = json.loads(body)
        assert (seen["x-forwarded-proto"], seen["x-forwarded-port"], seen["x-forwarded-host"]) == ("https", "443", NAME)
        assert ask(connection, "/", "another.example.test")[0] == 421
    secured.set_alpn_protocols(["h2", "http/1.1"])
    with connect(live, secured) as connection:
        assert connection.selected_alpn_protocol() == "h2"
    secured.set_alpn_protocols(["http/1.1"])
    shop.inv(*STATUS)


def test_plain_requests_for_the_name_are_sent_to_https(live: RemoteHost, secured: ssl.SSLContext) -> None:
    with socket.create_connection((live.address, 80), 10) as connection:
        status, headers, _ = ask(connection, "/cart?item=1")
        assert (status, headers["location"]) == (308, f"https://{NAME}/cart?item=1")
        assert ask(connection, "/", live.address)[0] == 200, "by its address it is what it was"


def test_old_protocols_are_refused(live: RemoteHost, secured: ssl.SSLContext) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        connect(live, old)


def test_a_certificate_is_renewed_without_a_reload(shop: Project, live: RemoteHost, secured: ssl.SSLContext) -> None:
    before, process = serial(live, secured), worker(shop, live)
    with connect(live, secured) as connection:
        assert ask(connection, "/")[0] == 200
        live.run("docker", "restart", "--time", "1", f"{shop.name}-edge-acme-1")  # it looks when it starts
        eventually(lambda: serial(live, secured) != before)
        assert ask(connection, "/")[0] == 200, "a connection that was open stays open"
    assert worker(shop, live) == process

    renewed = serial(live, secured)
    live.run("docker", "restart", "--time", "1", edge(shop))
    eventually(lambda: serial(live, secured) == renewed)
    assert live.sh(f"stat -c %a /opt/{shop.name}/edge/certs/{NAME}.pem") == "600"


def test_a_release_under_load_over_https_loses_no_request(
    shop: Project, live: RemoteHost, secured: ssl.SSLContext, text: str
) -> None:
    requests = (Request("/"), Request("/", str))
    with Load(live.address, 443, requests, clients=4, name=NAME, tls=secured) as load:
        done = shop.inv(*DEPLOY)

    assert load.failed == {}
    assert any(text in answer for answer in load.answers)
    assert f"https://{NAME}/" in done.stderr
    assert re.search(r"; 0 of \d+ probes failed", done.stderr)


def test_one_more_name_needs_no_new_edge_and_a_refusal_is_said(
    shop: Project, live: RemoteHost, pebble: Pebble, secured: ssl.SSLContext
) -> None:
    nowhere = "nowhere.example.test"
    names = f"{NAME}, {SECOND}, {nowhere}"
    (shop.root / "invoke.yaml").write_text(SETTINGS.format(names=names, directory=pebble.directory))
    container = live.run("docker", "container", "inspect", "--format", "{{.Id}}", edge(shop))
    with Load(live.address, 443, (Request("/"),), clients=2, name=NAME, tls=secured) as load:
        shop.inv(*DEPLOY)
        eventually(lambda: serial(live, secured, SECOND), 60)

    assert load.failed == {}
    assert live.run("docker", "container", "inspect", "--format", "{{.Id}}", edge(shop)) == container
    problem = eventually(lambda: re.search(rf"{nowhere} has no certificate yet: .+", shop.attempt(*STATUS).stderr))
    assert problem
