"""The edge's configuration and runtime commands."""

from __future__ import annotations

import dataclasses

from deploy.model.edge import (
    EMPTY,
    EdgeState,
    Listener,
    empty_commands,
    fill_commands,
    listeners_of,
    render_compose,
    render_config,
    render_map,
    servers_of,
    target_of,
)
from deploy.model.release import PublicPort
from deploy.model.stack import Port
from tests.unit.examples import LAYOUT, record, service

RECORD = record()
TARGET = target_of(RECORD, LAYOUT)
STATE = EMPTY.listening(listeners_of(RECORD)).with_target("green", TARGET).switched("green")
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
        f"backend green_port_80\n  mode http\n  server s1 {CONTAINER}:80\n  server s2 shop-edge-edge-1:80 disabled"
        in config
    )
    assert "backend blue_port_80\n  mode http\n  server s1 shop-edge-edge-1:80 disabled" in config
    assert "http-request return status 503" in config


def test_tcp_ports_are_passed_through() -> None:
    record_with_tcp = dataclasses.replace(RECORD, public=(PublicPort("nginx", Port(443, 443)),))
    config = render_config(EMPTY.listening(listeners_of(record_with_tcp)), LAYOUT)

    assert "frontend port_443\n  mode tcp\n" in config
    assert "X-Forwarded" not in config
    assert "http-request return" not in config


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

    assert commands[:2] == (
        "set server blue_port_80/s1 state maint",
        f"set server blue_port_80/s1 fqdn {CONTAINER}",
    )
    assert commands[2:4] == (
        "set server blue_port_80/s2 state maint",
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


def test_the_spare_slot_is_the_one_that_is_not_live() -> None:
    assert STATE.spare == "blue"
    assert STATE.switched("blue").spare == "green"
    assert EMPTY.spare == "blue"
    assert STATE.live_release == RECORD.id
    assert STATE.slot_of(RECORD.id) == "green"
    assert STATE.slot_of("another") is None
