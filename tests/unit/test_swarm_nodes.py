"""The life of a cluster's nodes: who may run where, what a drain means, who may leave, and who joins. No Docker."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.model.errors import DeployError, UsageError
from deploy.model.swarm import names
from deploy.model.swarm.drain import Share, found_node, lacking_on, leaving, require_leavable, to_spread
from deploy.model.swarm.found import Cluster, Node, SwarmService, Task
from deploy.model.swarm.node import Membership, former, require_joinable
from deploy.model.swarm.placement import may_run_on, wanted_of
from deploy.model.swarm.registry import STACK as REGISTRY_STACK
from deploy.model.swarm.report import status_hints
from deploy.release.swarm.prune import Freed, parse_freed


def node(name: str, **changes: Any) -> Node:
    usual: dict[str, Any] = {
        "id": f"id-{name}",
        "hostname": name,
        "state": "ready",
        "availability": "active",
        "role": "worker",
        "address": f"10.0.0.{name[-1]}",
        "labels": {},
    }
    return Node(**usual | changes)


def service(name: str, *constraints: str, wanted: int | None = 2, **changes: Any) -> SwarmService:
    spec = {"Placement": {"Constraints": [*constraints]}}
    usual: dict[str, Any] = {"id": f"s-{name}", "stack": "shop", "image": "", "release": "", "update": ""}
    return SwarmService(name=name, wanted=wanted, spec=spec, update_message="", **usual | changes)


def cluster(*where: tuple[SwarmService, str], nodes: tuple[Node, ...] = ()) -> Cluster:
    """Services, each with the nodes that its containers are on, as words."""
    tasks = tuple(
        Task(f"{one.id}-{number}", one.id, str(number), f"id-{on}", "running", "running", "", "", "", {})
        for one, words in where
        for number, on in enumerate(words.split())
    )
    return Cluster(nodes or NODES, tuple(one for one, _ in where), tasks)


DATA = {names.data_label("shop"): "yes"}
M1, W1, W2 = node("m1", role="manager", labels=DATA, leader=True), node("w1", labels={"zone": "b"}), node("w2")
NODES = (M1, W1, W2)


@pytest.mark.parametrize(
    ("constraint", "allowed"),
    [
        ("node.id == id-w1", True),
        ("node.id!=id-w1", False),
        ("node.hostname == w2", False),
        ("node.role == worker", True),
        ("node.role != worker", False),
        ("node.labels.zone == b", True),
        ("node.labels.zone == B", True),
        ("node.labels.zone != b", False),
        ("node.labels.disk == ssd", False),
        ("node.labels.disk != ssd", True),
        ("node.platform.os == linux", True),
        ("engine.labels.gpu == yes", True),
    ],
)
def test_constraints_say_where_a_service_may_run(constraint: str, allowed: bool) -> None:
    assert may_run_on(service("web", constraint), W1) == allowed


def test_a_service_of_every_node_is_wanted_where_its_constraints_allow_it() -> None:
    found = Cluster((M1, W1, node("w3", state="down")), (), ())
    assert wanted_of(service("agent", "node.role == worker", wanted=None), found) == 1
    assert wanted_of(service("agent", wanted=None), found) == 2


WEB, DB = service("web"), service("db", f"node.labels.{names.data_label('shop')} == yes", wanted=1, stops_first=True)
EDGE = service("edge", wanted=None, stack="shop-edge")
REGISTRY = service("registry", "node.id == id-m1", wanted=1, stack=REGISTRY_STACK)
ALL = ((WEB, "w1 w2"), (DB, "m1"), (EDGE, "m1 w1 w2"), (REGISTRY, "m1"))


def test_what_may_run_elsewhere_moves_and_what_is_everywhere_ends() -> None:
    found = leaving(cluster(*ALL), W1)
    assert (found.moves, found.stops, found.ends, found.keeps) == ((WEB,), (), (EDGE,), ())


def test_what_only_one_node_may_have_stops_there() -> None:
    found = leaving(cluster(*ALL), M1)
    assert found.stops == (DB, REGISTRY)
    assert found.keeps == ("the data of shop", "the cluster's registry")


def test_nothing_moves_to_nodes_that_rest() -> None:
    nodes = (M1, node("w1"), node("w2", availability="drain"))
    on_workers = service("web", "node.role == worker")
    assert leaving(cluster((on_workers, "w1"), nodes=nodes), nodes[1]).stops == (on_workers,)


def test_a_node_is_found_by_its_name_or_address_where_these_are_one_nodes_only() -> None:
    twice = cluster(nodes=(M1, W1, node("x1", hostname="w1", address="10.0.0.9")))
    assert found_node(cluster(), ("w1", "deploy")) == W1
    assert found_node(cluster(), ("10.0.0.2",)) == W2
    assert found_node(twice, ("w1",)) is None
    assert found_node(cluster(), ("w9", "")) is None


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({"m1": "ready"}, "only manager"),
        ({"m1": "ready", "m2": "ready"}, ""),
        ({"m1": "ready", "m2": "ready", "m3": "ready"}, ""),
        ({"m1": "ready", "m2": "ready", "m3": "down"}, "no majority"),
        ({"m1": "down", "m2": "ready", "m3": "ready"}, ""),
        ({"m1": "ready", "m2": "down"}, "no majority"),
    ],
)
def test_a_manager_that_the_others_need_does_not_leave(states: dict[str, str], said: str) -> None:
    managers = tuple(node(name, role="manager", state=state) for name, state in states.items())
    found = cluster(nodes=(*managers, W1))
    require_leavable(found, W1)
    if not said:
        require_leavable(found, managers[0])
        return
    with pytest.raises(UsageError, match=said):
        require_leavable(found, managers[0])


def test_a_node_that_is_back_gets_containers_of_what_is_doubled_elsewhere() -> None:
    assert to_spread(cluster((WEB, "w2 w2")), W1) == (Share(WEB, off=""),)
    assert to_spread(cluster((WEB, "w1 w2")), W1) == ()


def test_a_node_that_is_back_gets_as_much_as_makes_it_no_fuller_than_others() -> None:
    other, third = service("api"), service("mail")
    found = cluster((WEB, "m1 w2"), (other, "m1 w2"), (third, "m1 w2"))
    assert to_spread(found, W1) == (Share(WEB, off=M1.id), Share(other, off=W2.id))


def test_nothing_is_rolled_over_for_balance_that_would_be_away_for_it() -> None:
    worker = service("worker", wanted=2, stops_first=True)
    pinned = service("pinned", "node.hostname == w2")
    assert to_spread(cluster((worker, "w2 w2"), (pinned, "w2 w2"), (EDGE, "m1 w2")), W1) == ()


def test_a_node_that_rests_or_is_down_gets_nothing() -> None:
    for changes in ({"availability": "drain"}, {"state": "down"}):
        resting = node("w1", **changes)
        assert to_spread(cluster((WEB, "w2 w2"), nodes=(M1, resting, W2)), resting) == ()


def test_what_is_on_every_node_is_waited_for() -> None:
    assert lacking_on(cluster((EDGE, "m1 w2"), (WEB, "w2")), W1) == ("shop-edge_edge",)
    assert lacking_on(cluster((EDGE, "m1 w1 w2")), W1) == ()


def test_status_says_which_nodes_rest_and_which_came_back_to_nothing() -> None:
    resting = node("w1", availability="drain")
    assert ["rests (drain)" in one for one in status_hints(cluster((WEB, "m1 w2"), nodes=(M1, resting, W2)))] == [True]
    (idle,) = status_hints(cluster((WEB, "w2 w2"), (EDGE, "m1 w1 w2"), nodes=(W1, W2)))
    assert "node w1 has no container of web" in idle
    assert not [*status_hints(cluster(*ALL))]


# --- joining


def member(state: str = "inactive", own: str = "", *, manager: bool = False) -> Membership:
    return Membership(state, manager, own, "", "", "", "10.0.0.1")


@pytest.mark.parametrize(
    ("first", "second", "known", "said"),
    [
        (member(), member("active", "x"), (), "m1, which is named first and would make one, is in none"),
        (member("active", "a", manager=True), member("active", "x"), ("a",), "in another cluster than m1"),
        (member("active", "a"), member(), (), "does not manage it"),
        (member("locked", "a"), member(), (), "docker swarm unlock"),
        (member("active", "a", manager=True), member("locked", "b"), ("a", "b"), "docker swarm unlock"),
    ],
)
def test_who_cannot_join_is_told_before_anything_is_done(
    first: Membership, second: Membership, known: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DeployError) as told:
        require_joinable({"m1": first, "w1": second}, known)
    assert said in str(told.value)


@pytest.mark.parametrize("second", [member(), member("active", "b"), member("pending", "x"), member("error")])
def test_who_can_join_or_has_joined_is_taken(second: Membership) -> None:
    require_joinable({"m1": member("active", "a", manager=True), "w1": second}, ("a", "b"))


def test_a_machine_that_comes_back_is_told_by_name_and_address() -> None:
    new = node("w1", id="new")
    assert former((M1, node("w1", state="down"), new), new) == node("w1", state="down")
    assert former((M1, node("w1"), new), new) is None
    assert former((M1, node("w1", state="down", address="10.0.0.7"), new), new) is None


# --- what is given back


def test_what_was_freed_is_read_and_summed() -> None:
    text = "registry 3 2048\nnode m1 2 1000000\nnode w1 1 500000\nsomething else\n"
    found = parse_freed(text)
    assert found == Freed(2048 * 1024, {"m1": 1_000_000, "w1": 500_000})
    assert str(found) == "freed 2.1 MB in the registry, 1.5 MB on 2 nodes"


def test_a_registry_that_was_pushed_to_has_freed_nothing() -> None:
    found = parse_freed("registry busy\nnode m1 0 0\n")
    assert found.registry_bytes is None
    assert str(found) == "freed 0 B on 1 node"
