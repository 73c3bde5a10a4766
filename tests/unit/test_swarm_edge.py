"""The edge of a cluster: its configuration, its stack, when it is replaced, what its controller tells. No Docker."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deploy.model.edge import Maintenance, Tls, page_template, render_maintenance
from deploy.model.edge.config import render_config
from deploy.model.edge.paths import ON_A_NODE
from deploy.model.edge.state import EMPTY, listeners_of
from deploy.model.plan import EdgeAction, Plan, Wanted
from deploy.model.release import PublicPort, ReleaseRecord
from deploy.model.stack import Port
from deploy.model.swarm.edge import controller_config, door_config, edge_config, state_of
from deploy.model.swarm.edge_stack import SCRIPTS, EdgeStack
from deploy.model.swarm.edges import parse_edges
from deploy.model.swarm.found import Cluster, Node, SwarmService
from deploy.model.swarm.plan import make_swarm_plan
from tests.unit.examples import LAYOUT, facts, record

TLS = Tls({"shop.example.com": "nginx"}, "ops@example.com", "https://ca.example.com/dir")
HTTP = Port(80, 80, http=True)


def edge(live: ReleaseRecord | None = None, tls: Tls | None = None, **changes: Any) -> EdgeStack:
    made = EdgeStack(live or record(), tls, LAYOUT, "n1", "dnsrr", dict.fromkeys(SCRIPTS, "true\n"))
    return dataclasses.replace(made, **changes)


def services(tls: Tls | None = None, live: ReleaseRecord | None = None) -> dict[str, Any]:
    found: dict[str, Any] = edge(live, tls).document({}, "haproxy@sha256:aa").document["services"]
    return found


def test_it_depends_on_public_ports_and_names_only() -> None:
    live, newer = record(), record("20261122-120000-2b3c4d5")
    assert edge_config(live, "shop", TLS) == edge_config(newer, "shop", TLS)
    assert "server-template s 1-48 tasks.shop_nginx:80 init-addr last,none" in edge_config(live, "shop", None)
    assert "tasks.shop-edge_acme:5002" in edge_config(live, "shop", TLS)


def test_users_get_the_same_from_both_engines() -> None:
    """Frontends differ in where their files are and in the backend behind a port, and in nothing else."""

    def frontends(config: str) -> list[str]:
        parts = [part.strip() for part in config.split("\n\n") if part.startswith("frontend")]
        return [line for part in parts for line in part.splitlines() if not line.startswith("  use_backend ")]

    one_host = render_config(EMPTY.listening(listeners_of(record()), TLS), LAYOUT)
    moved = edge_config(record(), "shop", TLS)
    for file in ("maintenance.map", "maintenance.html"):
        moved = moved.replace(f"{ON_A_NODE.config}/{file}", f"/usr/local/etc/haproxy/{file}")
    moved = moved.replace(f"{ON_A_NODE.certificates}/", "/certs/")
    assert frontends(moved) == frontends(one_host)
    assert len(frontends(moved)) > 20


def test_it_is_on_every_node_and_holds_the_ports_there() -> None:
    found = services(TLS)["edge"]
    assert found["deploy"]["mode"] == "global"
    assert [(one["target"], one["published"], one["mode"]) for one in found["ports"]] == [
        (10000, 80, "host"),
        (9443, 443, "host"),
    ]
    assert found["networks"] == ["control", "default"]


def test_a_port_that_only_a_host_itself_is_to_reach_is_not_published_to_everybody() -> None:
    local = Port(8080, 80, "127.0.0.1", http=True)
    live = record(public=(PublicPort("nginx", HTTP), PublicPort("nginx", local)))
    assert [one["published"] for one in services(live=live)["edge"]["ports"]] == [80]
    assert "8080" not in edge_config(live, "shop", None)


def test_only_the_edges_have_what_lets_them_ask_and_only_the_controller_answers() -> None:
    found = services(TLS)
    assert {one["source"] for one in found["edge"]["secrets"]} == {"ca.pem", "client.pem"}
    assert {one["source"] for one in found["controller"]["secrets"]} == {"ca.pem", "server.pem"}
    assert "secrets" not in found["acme"]
    assert found["controller"]["networks"] == found["acme"]["networks"] == ["control"]
    assert "verify required" in controller_config()
    assert "verify required" in door_config("shop")
    assert "bind 127.0.0.1:" in door_config("shop")


def test_the_client_of_the_authority_is_started_when_edges_answer_its_challenges() -> None:
    found = services(TLS)
    assert found["acme"]["deploy"]["replicas"] == 0
    assert found["controller"]["deploy"]["replicas"] == 1
    assert "acme" not in services()


def test_names_and_images_do_not_replace_the_edge_and_ports_do() -> None:
    more = dataclasses.replace(TLS, names={**TLS.names, "www.example.com": "nginx"})
    another = record(public=(PublicPort("nginx", HTTP), PublicPort("nginx", Port(7000, 7000))))
    assert edge(tls=TLS).definition() == edge(tls=more).definition()
    assert edge(tls=TLS).definition() != edge().definition()
    assert edge(another).definition() != edge().definition()
    assert edge(scripts=dict.fromkeys(SCRIPTS, "false\n")).definition() != edge().definition()
    assert services()["edge"]["deploy"]["labels"] == {"windlass.edge": edge().definition()}


def planned(tls: Tls | None, runs: str, before: Tls | None = None) -> Plan:
    live = record()
    wanted = Wanted(record("20261122-120000-2b3c4d5"), frozenset(), 0, (), tls)
    there = SwarmService("s1", "edge", "shop-edge", None, "haproxy", "", "", "", {}, definition=runs)
    seen = facts(live, edge=state_of(live, before))
    return make_swarm_plan(wanted, seen, Cluster((), (there,), ()), LAYOUT, "0011")


@pytest.mark.parametrize(
    ("plan", "action"),
    [
        (planned(TLS, "0011", TLS), EdgeAction.NONE),
        (planned(TLS, "0011", dataclasses.replace(TLS, names={"other.example.com": "nginx"})), EdgeAction.RELOAD),
        (planned(TLS, "2233"), EdgeAction.RECREATE),
        (planned(None, ""), EdgeAction.RECREATE),
    ],
)
def test_what_becomes_of_it(plan: Plan, action: EdgeAction) -> None:
    assert plan.edge == action


def test_a_controller_that_another_manager_has_is_something_to_do() -> None:
    nodes = tuple(Node(one, one, "ready", "active", "manager", "", {}) for one in ("n1", "n2"))
    spec = {"Placement": {"Constraints": ["node.id == n1"]}}
    controller = SwarmService("s2", "controller", "shop-edge", 1, "haproxy", "", "", "", spec)
    edge = SwarmService("s1", "edge", "shop-edge", None, "haproxy", "", "", "", {}, definition="0011")
    wanted = Wanted(record("20261122-120000-2b3c4d5"), frozenset(), 0, (), None)
    seen = facts(record(), edge=state_of(record(), None))

    def planned_through(node: str) -> Plan:
        return make_swarm_plan(wanted, seen, Cluster(nodes, (edge, controller), ()), LAYOUT, "0011", node)

    assert planned_through("n1").edge == EdgeAction.NONE
    assert planned_through("n2").edge == EdgeAction.RELOAD


def test_a_change_of_names_alone_is_something_to_do() -> None:
    plan = planned(TLS, "0011", dataclasses.replace(TLS, names={"other.example.com": "nginx"}))
    assert not plan.noop
    assert "goes on answering" in " ".join(plan.gaps)


def test_a_page_on_a_node_reads_its_own_map() -> None:
    page = page_template("{message}", where="page.html", paths=ON_A_NODE)
    assert "/var/lib/haproxy/current/maintenance.map" in page
    assert render_maintenance(Maintenance("ada", "now", "")).startswith("mode on\n")


def test_what_the_controller_tells() -> None:
    told = parse_edges("aa\nm1 0 aa \nw1 1 bb \nw2 40 aa \nw3 0 bb bind: address in use\nw4 0 - \n")
    behind = told.behind(["m1", "w1", "w2", "w3", "w4", "w5"])
    assert told.newest == "aa"
    assert behind == {
        "w1": "it has an older state",
        "w2": "it does not ask for it",
        "w3": "bind: address in use",
        "w4": "it has an older state",
        "w5": "it does not ask for it",
    }
    assert parse_edges("").nodes == {}
