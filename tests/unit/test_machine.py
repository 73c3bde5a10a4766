"""Checks of a host as a machine: memory, upkeep, names and firewalls. None of them stops a deploy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from deploy.model.checks import Problem, check_firewall, check_host, check_machine, check_memory, check_names
from deploy.model.facts import Facts, Machine
from deploy.model.stack import Port
from tests.unit.examples import LAYOUT, NOW, facts, model, record, stack

GB = 1_000_000_000
RECORD = record()


def of(*, can_be_had: int = 4 * GB, **changes: Any) -> Facts:
    return facts(memory_bytes=can_be_had, machine=Machine(**changes))


def texts(problems: Iterable[Problem], rule: str) -> list[str]:
    found = list(problems)
    assert all(one.rule == rule and not one.fatal for one in found), found
    return [one.message for one in found]


def test_a_small_machine_without_swap_is_noted() -> None:
    assert texts(check_machine(of(memory_bytes=GB, swap_bytes=GB)), "host-swap") == []
    (said,) = texts(check_machine(of(memory_bytes=GB)), "host-swap")
    assert said == "1.0 GB of memory and no swap: what asks for more is killed at once"


def test_a_large_machine_needs_no_swap() -> None:
    assert not list(check_machine(of(memory_bytes=2 << 30)))


@pytest.mark.parametrize(
    ("lists", "packages", "said"),
    [
        (29, 89, []),
        (41, 3, ["nobody has asked for updates of its packages for 41 days"]),
        (1, 120, ["none of its packages was updated for 120 days"]),
        (41, 120, ["nobody has asked for updates of its packages for 41 days"]),
    ],
)
def test_a_host_that_is_not_kept_up_to_date_is_noted(lists: int, packages: int, said: list[str]) -> None:
    found = of(lists_at=NOW - timedelta(days=lists), packages_at=NOW - timedelta(days=packages))

    assert texts(check_machine(found), "host-updates") == said


def test_a_host_of_another_family_says_nothing_of_its_packages() -> None:
    assert not list(check_machine(of()))


def test_updates_that_wait_for_a_restart_are_noted() -> None:
    assert texts(check_machine(of(reboot="linux-image-amd64")), "host-updates") == [
        "updates wait for a restart of the machine (linux-image-amd64)"
    ]
    assert texts(check_machine(of(reboot="")), "host-updates") == ["updates wait for a restart of the machine"]


def memory(found: Facts, **limits: int) -> list[str]:
    return texts(check_memory(found, record("20261122-120000-2b3c4d5"), LAYOUT, limits), "host-memory")


def test_the_first_release_must_leave_room_for_the_next() -> None:
    limits = {"backend": GB, "nginx": GB // 10, "db": GB // 2, "worker": GB // 4}

    assert memory(of(can_be_had=3 * GB), **limits) == []
    assert memory(of(can_be_had=29 * GB // 10), **limits) == [
        (
            "two releases side by side may want 3.0 GB of memory (backend 1.0 GB by its limit, db 500 MB by its limit, "
            "worker 250 MB by its limit, nginx 100 MB by its limit), 2.9 GB can be had"
        )
    ]


def test_a_release_beside_the_live_one_wants_what_that_one_has() -> None:
    found = facts(RECORD, memory_bytes=GB)
    containers = tuple(dataclasses.replace(one, id=one.name) for one in found.containers)
    backend = next(one.id for one in containers if one.service == "backend")
    found = dataclasses.replace(found, containers=containers, machine=Machine(memory_of={backend: 2 * GB}))

    assert memory(found, backend=8 * GB, nginx=GB // 10, db=8 * GB, worker=8 * GB) == [
        (
            f"this release beside {RECORD.id} may want 2.1 GB of memory (backend 2.0 GB, nginx 100 MB by its limit), "
            "1.0 GB can be had"
        )
    ], "neither what lives on nor what never runs twice counts"


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert memory(of(can_be_had=1)) == []
    assert memory(of(can_be_had=0), backend=GB) == []


@pytest.mark.parametrize(
    "said", [{"mem_limit": "536870912"}, {"deploy": {"resources": {"limits": {"memory": "536870912"}}}}]
)
def test_limits_are_read_as_compose_gives_them(said: dict[str, Any]) -> None:
    document = model()
    document["services"]["backend"] |= said

    assert stack(document).services["backend"].memory_limit_bytes == 512 << 20
    assert stack().services["backend"].memory_limit_bytes is None


def names(*leads_to: str, addresses: tuple[str, ...] = ("203.0.113.7",), own: tuple[str, ...] = ()) -> list[str]:
    return texts(check_names(of(addresses=own), {"shop.example.com": leads_to}, addresses), "host-dns")


def test_a_name_that_leads_to_the_host_is_good() -> None:
    assert names("203.0.113.7") == []
    assert names("198.51.100.1", "203.0.113.7") == [], "one of several hosts"
    assert names("192.0.2.9", own=("192.0.2.9",)) == [], "an address that only the host itself knows of"


def test_a_name_that_leads_elsewhere_is_noted_with_both_addresses() -> None:
    assert names("198.51.100.1") == ["shop.example.com leads to 198.51.100.1, and this host is 203.0.113.7"]


def test_a_wrong_address_of_the_newer_family_is_noted() -> None:
    assert names("203.0.113.7", "2001:db8::1", addresses=("203.0.113.7", "2001:db8::7")) == [
        "shop.example.com leads to 2001:db8::1, and this host is 2001:db8::7"
    ]


def test_a_name_that_no_dns_has_is_noted() -> None:
    assert names() == ["shop.example.com leads nowhere: no DNS has it, or not yet"]


def test_a_name_that_nobody_could_look_up_is_not() -> None:
    assert not list(check_names(of(), {"shop.example.com": None}, ("203.0.113.7",)))


WANTED = {80: "nginx", 443: "certificates"}
DATABASE = {"db": (Port(5432, 5432), Port(5433, 5433, host_ip="127.0.0.1"))}


def test_a_port_that_the_firewall_of_setup_keeps_out_is_noted() -> None:
    found = of(guarded=frozenset({80}))

    assert texts(check_firewall(found, WANTED, DATABASE, ()), "host-firewall") == [
        "port 443 (for certificates) is not let in by the firewall of host.setup"
    ]
    assert texts(check_firewall(of(guarded=frozenset(WANTED)), WANTED, DATABASE, ()), "host-firewall") == []


def test_a_port_that_is_listened_on_and_silent_is_noted() -> None:
    assert texts(check_firewall(of(), WANTED, {}, (443,)), "host-firewall") == [
        "port 443 (for certificates) is listened on there, and cannot be reached from here"
    ]


def test_a_database_that_goes_past_a_firewall_is_noted() -> None:
    assert texts(check_firewall(of(firewalls=("ufw",)), WANTED, DATABASE, ()), "host-firewall") == [
        "ufw cannot guard port 5432 of db: what Docker publishes goes past it"
    ]
    assert not list(check_firewall(of(), WANTED, DATABASE, ())), "without a firewall nobody expects one"


def test_problems_of_a_host_have_ids() -> None:
    found = facts(compose_version="", architecture="arm64", data_free_bytes=1, listening=frozenset({80}))
    later = NOW + timedelta(hours=1)

    problems = check_host(found, RECORD, LAYOUT, architecture="amd64", incoming_bytes=0, now=later)

    assert [one.rule for one in problems] == [
        "host-engine",
        "host-architecture",
        "host-disk",
        "host-port",
        "host-clock",
    ]
