"""The edge's configuration and runtime commands."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from deploy.model.edge import (
    EMPTY,
    EdgeState,
    Listener,
    Maintenance,
    Tls,
    definition,
    empty_commands,
    fill_commands,
    images,
    listeners_of,
    maintenance_commands,
    page_template,
    parse_certificates,
    probes_of,
    render_compose,
    render_config,
    render_maintenance,
    render_map,
    servers_of,
    target_of,
    tls_of,
)
from deploy.model.errors import UsageError
from deploy.model.release import PublicPort
from deploy.model.stack import Port
from tests.unit.examples import LAYOUT, record, service

RECORD = record()
TARGET = target_of(RECORD, LAYOUT)
STATE = EMPTY.listening(listeners_of(RECORD)).with_target("green", TARGET).switched("green")
TLS = Tls({"shop.example.com": "nginx", "www.example.com": "nginx"}, "ops@example.com", "https://ca.example.com/dir")
SECURE = STATE.listening(STATE.listeners, TLS)
CONTAINER = f"shop-{RECORD.id}-nginx-1"


def test_a_target_names_the_containers_of_every_replica() -> None:
    services = dict(RECORD.services) | {"nginx": service(replicas=2)}

    target = target_of(dataclasses.replace(RECORD, services=services), LAYOUT)

    assert target.servers == {"port_80": (f"{CONTAINER}:80", f"shop-{RECORD.id}-nginx-2:80")}


def test_the_configuration_has_a_frontend_and_both_slots_for_every_port() -> None:
    config = render_config(STATE, LAYOUT)

    assert "frontend port_80\n  mode http\n  bind :10000\n" in config
    assert "use_backend %[str(live),map_str(/usr/local/etc/haproxy/live.map,none)]_port_80" in config
    assert (
        f"backend green_port_80\n  mode http\n  server s1 {CONTAINER}:80 init-addr libc,none\n"
        "  server s2 shop-edge-edge-1:80 disabled" in config
    )
    assert "backend blue_port_80\n  mode http\n  server s1 shop-edge-edge-1:80 disabled" in config
    assert "http-request return status 503" in config


def test_tcp_ports_are_passed_through() -> None:
    record_with_tcp = dataclasses.replace(RECORD, public=(PublicPort("nginx", Port(443, 443)),))
    config = render_config(EMPTY.listening(listeners_of(record_with_tcp)), LAYOUT)

    assert "frontend port_443\n  mode tcp\n" in config
    assert "X-Forwarded" not in config
    assert "http-request return" not in config
    assert "tcp-request content reject if maintenance" in config


def test_one_line_says_which_slot_is_live() -> None:
    assert render_map(STATE) == "live green\n"
    assert render_map(EMPTY) == "live none\n"


def test_the_edge_publishes_the_ports_at_their_addresses() -> None:
    listeners = (Listener(Port(80, 80, http=True), "nginx"), Listener(Port(81, 80, "127.0.0.1", http=True), "nginx"))

    edge = render_compose(EMPTY.listening(listeners), LAYOUT)["services"]["edge"]

    assert edge["ports"] == [
        {"target": 10000, "published": "80", "protocol": "tcp"},
        {"target": 10001, "published": "81", "protocol": "tcp", "host_ip": "127.0.0.1"},
    ]


def test_the_same_port_on_two_addresses_has_two_names() -> None:
    names = {Listener(Port(80, 80, address), "nginx").name for address in ("", "127.0.0.1", "10.0.0.1")}

    assert len(names) == 3


def test_a_slot_is_filled_in_maintenance() -> None:
    commands = fill_commands("blue", TARGET, LAYOUT)

    assert commands[:3] == (
        "set server blue_port_80/s1 state maint",
        "set server blue_port_80/s1 health down",
        f"set server blue_port_80/s1 fqdn {CONTAINER}",
    )
    assert commands[3:6] == (
        "set server blue_port_80/s2 state maint",
        "set server blue_port_80/s2 health down",
        "set server blue_port_80/s2 fqdn shop-edge-edge-1",
    )
    assert not any(command.endswith("ready") for command in commands)
    assert servers_of("blue", TARGET) == (f"blue_port_80/s1={CONTAINER}:80",)


def test_emptying_a_slot_leaves_no_server_of_it_in_service() -> None:
    commands = empty_commands("blue", STATE.listeners, LAYOUT)

    assert {command for command in commands if "state" in command} == {
        f"set server blue_port_80/s{number} state maint" for number in range(1, 9)
    }


def test_the_state_survives_the_disk() -> None:
    assert EdgeState.from_json(STATE.to_json()) == STATE
    assert EdgeState.from_json(SECURE.to_json()) == SECURE


def test_the_spare_slot_is_the_one_that_is_not_live() -> None:
    assert STATE.spare == "blue"
    assert STATE.switched("blue").spare == "green"
    assert EMPTY.spare == "blue"
    assert STATE.live_release == RECORD.id
    assert STATE.slot_of(RECORD.id) == "green"
    assert STATE.slot_of("another") is None


def frontend(config: str, name: str) -> str:
    return next(part for part in config.split("\n\n") if part.startswith(f"frontend {name}\n"))


def test_what_a_client_says_of_its_own_way_is_replaced() -> None:
    plain = frontend(render_config(STATE, LAYOUT), "port_80")

    assert "http-request del-header Forwarded" in plain
    assert "http-request set-header X-Forwarded-For %[src]" in plain
    assert "http-request set-header X-Forwarded-Proto http\n" in plain
    assert "http-request set-header X-Forwarded-Port 80\n" in plain
    secure = frontend(render_config(SECURE, LAYOUT), "secure")
    assert "http-request set-header X-Forwarded-Proto https\n" in secure
    assert "http-request set-header X-Forwarded-Port 443\n" in secure


def test_names_are_answered_over_tls_by_the_port_of_their_service() -> None:
    secure = frontend(render_config(SECURE, LAYOUT), "secure")

    assert "crt /certs/shop.example.com.pem crt /certs/www.example.com.pem alpn h2,http/1.1" in secure
    assert "_port_80 if { var(txn.name) -m str www.example.com }" in secure
    assert "frontend secure" not in render_config(STATE, LAYOUT)


def test_port_80_takes_challenges_and_sends_names_that_have_a_certificate_to_https() -> None:
    config = render_config(SECURE, LAYOUT)

    plain = frontend(config, "port_80")
    assert "use_backend acme if challenge" in plain
    assert "redirect code 308" in plain
    assert "frontend plain" not in config


def test_a_stack_without_port_80_gets_one_for_challenges_and_redirects() -> None:
    elsewhere = dataclasses.replace(RECORD, public=(PublicPort("nginx", Port(8080, 80, http=True)),))
    state = EMPTY.listening(listeners_of(elsewhere), TLS)

    config = render_config(state, LAYOUT)
    ports = {port["published"] for port in render_compose(state, LAYOUT)["services"]["edge"]["ports"]}

    assert "use_backend acme if challenge" in frontend(config, "plain")
    assert "redirect" not in frontend(config, "port_8080")
    assert ports == {"8080", "443", "80"}


def test_an_acme_client_stands_beside_the_edge_only_when_there_are_names() -> None:
    services = render_compose(SECURE, LAYOUT)["services"]

    assert services["acme"]["command"] == [
        "https://ca.example.com/dir", "ops@example.com", "shop.example.com", "www.example.com",
    ]  # fmt: skip
    assert "environment" not in services["acme"]
    assert [*render_compose(STATE, LAYOUT)["services"]] == ["edge"]
    assert images(None) == ("haproxy:3.0",)
    assert images(TLS) == ("haproxy:3.0", "goacme/lego:v4.9.1")


def test_the_edge_is_made_anew_for_ports_and_not_for_one_more_name() -> None:
    fewer = STATE.listening(STATE.listeners, dataclasses.replace(TLS, names={"shop.example.com": "nginx"}))

    assert definition(SECURE) == definition(fewer)
    assert definition(SECURE) != definition(STATE)
    assert definition(STATE) == definition(STATE.switched("blue"))


def tls(domains: Mapping[str, tuple[str, ...]], *public: PublicPort) -> Tls | None:
    record_of = dataclasses.replace(RECORD, public=public or RECORD.public)
    return tls_of(record_of, domains, email="", server="https://ca.example.com/dir", ca="")


def test_names_need_a_service_with_an_http_port_and_a_way_for_challenges() -> None:
    names = {"nginx": ("shop.example.com",)}
    found = tls(names)
    assert found
    assert found.email == "hostmaster@shop.example.com"
    assert tls({}) is None
    assert tls(names, *RECORD.public, PublicPort("nginx", Port(443, 443))) is None, "the stack has TLS of its own"
    with pytest.raises(UsageError, match="publishes no HTTP port"):
        tls({"backend": ("api.example.com",)})
    with pytest.raises(UsageError, match="passed through as TCP"):
        tls(names, PublicPort("nginx", Port(8080, 80, http=True)), PublicPort("nginx", Port(80, 9000)))


def test_every_http_port_is_asked_for_the_health_page_of_its_service() -> None:
    services = dict(RECORD.services) | {"nginx": service(health_path="/health?deep=1")}
    public = (*RECORD.public, PublicPort("nginx", Port(7000, 7000)))
    healthy = dataclasses.replace(RECORD, services=services, public=public)

    state = EMPTY.listening(listeners_of(healthy))

    assert probes_of(state) == ("10000=/health?deep=1",)
    assert "status 200" in render_config(state, LAYOUT), "in maintenance a health page of its own stays good"
    assert "path /health }" in render_config(state, LAYOUT)
    assert "status 200" not in render_config(STATE, LAYOUT), "while / is what users see"


def test_maintenance_is_two_entries_of_a_map_and_its_message_cannot_break_the_page() -> None:
    page = Maintenance("ada@laptop", "2026-11-21T12:00+00:00", "<script>; 18:00")
    message = base64.b64encode(b"&lt;script&gt;; 18:00").decode()

    assert render_maintenance(page) == f"mode on\nmessage {message}\n"
    assert render_maintenance(None).startswith("mode off\n")
    file = "/usr/local/etc/haproxy/maintenance.map"
    assert maintenance_commands(page) == (f"set map {file} message {message}", f"set map {file} mode on")
    assert maintenance_commands(None) == (f"set map {file} mode off",)


def test_a_page_is_a_template_that_keeps_its_percent_signs() -> None:
    assert page_template("100% {message}", where="page.html").startswith("100%% %[str(message),map_str(")
    with pytest.raises(UsageError, match=r"page.html: 15000 bytes are too long"):
        page_template("x" * 15000, where="page.html")


def test_certificates_are_read_from_what_the_edge_says_of_them() -> None:
    shown = """\
0x55d live blue

Filename: /certs/shop.example.com.pem
Status: Used
notAfter: Feb 22 21:57:12 2027 GMT
Issuer: /CN=R11

Filename: /certs/www.example.com.pem
Status: Used
notAfter: not a date
Issuer: /CN=Windlass placeholder
"""
    first, second = parse_certificates(shown, "www.example.com no such name\n")

    assert (first.name, first.expires_at) == ("shop.example.com", datetime(2027, 2, 22, 21, 57, 12, tzinfo=UTC))
    assert not first.placeholder
    assert (second.placeholder, second.expires_at, second.trouble) == (True, None, "no such name")
    assert [*parse_certificates("", "")] == []
