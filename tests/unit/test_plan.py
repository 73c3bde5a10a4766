"""Plans: what a deploy will do, and why, from what is wanted and what was found."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deploy.model.edge import EMPTY, Tls, listeners_of, target_of
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plan import Action, EdgeAction, Plan, Wanted, make_plan
from deploy.model.release import PublicPort, ReleaseRecord
from deploy.model.stack import Port
from tests.unit.examples import HTTP, LAYOUT, NOW, facts, record, running, service

LIVE = record("20261121-110000-0000000")


def plan(wanted: ReleaseRecord, found: Any, built_here: frozenset[str] = frozenset()) -> Plan:
    return make_plan(Wanted(wanted, built_here, 0, ("backend",)), found, LAYOUT)


def changed(name: str, **parts: str) -> ReleaseRecord:
    fresh = record()
    services = dict(fresh.services)
    services[name] = dataclasses.replace(services[name], parts=dict(services[name].parts) | parts)
    return dataclasses.replace(fresh, services=services)


def actions(made: Plan) -> dict[str, tuple[Action, tuple[str, ...]]]:
    return {one.name: (one.action, one.reasons) for one in (*made.data, *made.services)}


def test_a_first_deploy_creates_everything() -> None:
    made = plan(record(), facts())

    assert actions(made) == dict.fromkeys(("db", "backend", "worker", "nginx"), (Action.CREATE, ("first release",)))
    assert made.edge == EdgeAction.START
    assert made.previous == ""
    assert made.push == ("postgres:17", "shop/backend:0123456789abcdef", "nginx:alpine", "haproxy:3.0")
    assert made.build == ("backend", "worker")
    assert made.migrate == ("backend",)
    assert made.gaps == ()
    assert not made.noop


def migrating(names: tuple[str, ...] | None, release_id: str = "20261121-120000-1a2b3c4") -> ReleaseRecord:
    fresh = changed("backend", image="new") if release_id != LIVE.id else LIVE
    services = dict(fresh.services)
    services["backend"] = dataclasses.replace(services["backend"], migrations=names)
    return dataclasses.replace(fresh, services=services)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (("shop.0001",), ("shop.0001", "shop.0002", "mail.0001"), {"backend": ("shop.0002", "mail.0001")}),
        (("shop.0001",), ("shop.0001",), {"backend": ()}),
        (None, ("shop.0001",), {}),
        (("shop.0001",), None, {}),
    ],
    ids=["new ones", "none is new", "the live release cannot tell", "nobody can tell"],
)
def test_migrations_that_the_live_release_does_not_have_are_named(
    before: tuple[str, ...] | None, now: tuple[str, ...] | None, told: dict[str, tuple[str, ...]]
) -> None:
    assert plan(migrating(now), facts(migrating(before, LIVE.id))).migrations == told


def test_a_first_deploy_names_every_migration() -> None:
    assert plan(migrating(("shop.0001",)), facts()).migrations == {"backend": ("shop.0001",)}


def test_images_that_are_here_are_not_built_again() -> None:
    assert plan(record(), facts(), frozenset({"shop/backend:0123456789abcdef"})).build == ()


def test_an_equal_stack_is_nothing_to_do() -> None:
    made = plan(record(), facts(LIVE))

    assert made.noop
    assert made.push == ()
    assert made.migrate == ()


def test_one_changed_service_takes_the_release_with_it_and_says_why() -> None:
    made = plan(changed("backend", **{"environment.DEBUG": "9", "command": "8"}), facts(LIVE))

    assert actions(made) == {
        "db": (Action.KEEP, ()),
        "backend": (Action.REPLACE, ("command", "environment.DEBUG")),
        "worker": (Action.REPLACE, ("moves with the release",)),
        "nginx": (Action.REPLACE, ("moves with the release",)),
    }
    assert made.gaps == ("worker stops before its new version starts: a worker never runs twice",)


def test_a_service_that_is_not_running_is_a_reason() -> None:
    made = plan(record(), facts(LIVE, containers=running(LIVE, backend="exited")))

    assert actions(made)["backend"] == (Action.CREATE, ("not running: exited",))


def test_a_service_that_is_gone_from_the_host_is_a_reason() -> None:
    containers = tuple(one for one in running(LIVE) if one.service != "worker")

    assert actions(plan(record(), facts(LIVE, containers=containers)))["worker"] == (
        Action.CREATE,
        ("not running: missing",),
    )


def test_services_come_and_go() -> None:
    fresh = record()
    services = {name: one for name, one in fresh.services.items() if name != "worker"} | {
        "mailer": service(Kind.WORKER)
    }
    made = plan(dataclasses.replace(fresh, services=services), facts(LIVE))

    assert actions(made)["mailer"] == (Action.CREATE, ("new service",))
    assert actions(made)["worker"] == (Action.REMOVE, ("no longer in the stack",))
    assert not made.noop


def test_a_changed_data_service_is_a_gap() -> None:
    made = plan(changed("db", image="other"), facts(LIVE))

    assert actions(made)["db"] == (Action.REPLACE, ("image",))
    assert actions(made)["backend"] == (Action.REPLACE, ("moves with the release",))
    assert "db is replaced: requests that need it fail until it is healthy again" in made.gaps


def test_a_stopped_data_service_is_started() -> None:
    made = plan(record(), facts(LIVE, containers=running(LIVE, db="exited")))

    assert actions(made)["db"] == (Action.CREATE, ("not running",))


@pytest.mark.parametrize(
    ("port", "action"),
    [
        (HTTP, EdgeAction.SWITCH),
        (dataclasses.replace(HTTP, http=False), EdgeAction.RELOAD),
        (dataclasses.replace(HTTP, target=8080), EdgeAction.RELOAD),
        (dataclasses.replace(HTTP, published=8080), EdgeAction.RECREATE),
        (dataclasses.replace(HTTP, host_ip="10.0.0.1"), EdgeAction.RECREATE),
    ],
)
def test_the_edge_is_touched_as_little_as_its_ports_allow(port: Port, action: EdgeAction) -> None:
    made = plan(dataclasses.replace(record(), public=(PublicPort("nginx", port),)), facts(LIVE))

    assert made.edge == action
    assert made.noop == (action == EdgeAction.SWITCH)
    assert any("the edge is replaced" in gap for gap in made.gaps) == (action == EdgeAction.RECREATE)


@pytest.mark.parametrize(
    ("runs", "why"),
    [
        (("sha256:older", ""), "its image is newer"),
        (("sha256:2", "made by an older version"), "its definition changes"),
    ],
)
def test_an_edge_that_is_no_longer_what_it_should_be_is_replaced_and_announced(runs: tuple[str, str], why: str) -> None:
    made = plan(record(), facts(LIVE, edge_runs=runs))

    assert made.edge == EdgeAction.RECREATE
    assert f"the edge is replaced because {why}: one to three seconds of refused connections" in made.gaps[0]
    assert not made.noop


def test_names_bring_port_443_and_the_image_of_their_acme_client() -> None:
    tls = Tls({"shop.example.com": "nginx"}, "ops@example.com", "https://ca.example.com/dir")
    made = make_plan(Wanted(record(), frozenset(), 0, (), tls), facts(LIVE), LAYOUT)

    assert made.edge == EdgeAction.RECREATE
    assert made.push == ("goacme/lego:v4.9.1",)
    assert made.ports == ("80", "443")
    assert "its public ports change" in made.gaps[0]


def test_a_stopped_edge_is_started() -> None:
    containers = tuple(one for one in running(LIVE) if one.service != "edge")

    assert plan(record(), facts(LIVE, containers=containers, edge_serves="")).edge == EdgeAction.START


def test_a_stack_without_public_ports_needs_no_edge() -> None:
    made = plan(dataclasses.replace(record(), public=()), facts())

    assert made.edge == EdgeAction.NONE
    assert "haproxy:3.0" not in made.push


def test_the_running_edge_knows_best_which_release_is_live() -> None:
    """The link is moved last: after a crash in between, the edge is what users see."""
    newer = record("20261121-115900-1111111")
    state = EMPTY.listening(listeners_of(newer)).with_target("blue", target_of(LIVE, LAYOUT))
    state = state.with_target("green", target_of(newer, LAYOUT)).switched("green")
    found = facts(LIVE, releases={LIVE.id: LIVE, newer.id: newer}, edge=state, edge_serves="green")

    assert found.current == LIVE.id
    assert found.live == newer


def test_a_plan_is_json_for_scripts() -> None:
    document = plan(record(), facts()).to_json()

    assert document["noop"] is False
    assert document["services"][0]["action"] == "create"


def test_what_a_killed_deploy_left_is_seen_and_needs_no_new_release() -> None:
    older = record("20261121-100000-9999999")
    journal = (Entry(NOW, Outcome.STARTED, LIVE.id, "ada@laptop", previous=older.id),)
    found = facts(LIVE, releases={older.id: older, LIVE.id: LIVE}, journal=journal)
    found = dataclasses.replace(found, containers=(*found.containers, *running(older)))

    made = plan(record(), found)

    assert made.leftovers == (f"ada@laptop began {LIVE.id} and never ended", f"{older.id} still runs")
    assert not made.changes
    assert not made.noop
