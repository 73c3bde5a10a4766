"""Moving between the engines: how it is known, what stands in its way, what a plan says. No Docker."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deploy.model.errors import UsageError
from deploy.model.facts import Container, Facts, Mounted, OnCluster
from deploy.model.facts.parse import parse_on_cluster
from deploy.model.plan import Action, EdgeAction, Plan, Wanted, make_plan
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine, parse_settings
from deploy.model.swarm.found import Cluster, Node
from deploy.model.swarm.move import (
    by_compose,
    check_entering,
    check_leaving,
    data_containers,
    enters_cluster,
    leaves_cluster,
    with_entering,
    with_leaving,
)
from deploy.model.swarm.names import is_task
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.refused import check_cluster
from deploy.release.rollback import require_engine
from tests.unit.examples import LAYOUT, facts, model, record, stack

LIVE = record()
THERE = record(engine=Engine.SWARM)
TASK = "m1p42o45h5qpeljf6wc58uiwab"[:25]
ON_CLUSTER = OnCluster(frozenset({"shop-data_db", "shop_backend", "shop-edge_edge"}), "m1", here=True)
NEW = dataclasses.replace(record("20261122-120000-2b3c4d5"), engine=Engine.SWARM)


def node(**changes: Any) -> Node:
    values: dict[str, Any] = {"state": "ready", "availability": "active", "role": "manager", "address": "10.0.0.1"}
    return Node("n1", "m1", **{**values, "labels": {}, **changes})


def task(name: str = "shop-data_db.1", service: str = "db", project: str = "shop-data") -> Container:
    return Container(f"{name}.{TASK}", "running", "Up 1 minute (healthy)", project, service, "postgres", "")


def in_cluster(**changes: Any) -> Facts:
    found = facts(THERE)
    values: dict[str, Any] = {"containers": (task(),), "edge": None, "edge_serves": "", "cluster": ON_CLUSTER}
    return dataclasses.replace(found, **values | changes)


def entering(found: Facts, node_: Node | None = None, **mounted: tuple[Mounted, ...]) -> list[str]:
    nodes = Cluster((node_ or node(),), (), ())
    return [one.message for one in check_entering(found, nodes, stack(), LAYOUT, "n1", mounted)]


def leaving(found: Facts) -> list[str]:
    return [one.message for one in check_leaving(found, stack(), LAYOUT)]


def wanted(release: ReleaseRecord) -> Wanted:
    return Wanted(release, frozenset(), 0, ())


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (f"shop_backend.1.{TASK}", True),
        (f"shop-data_db.1.{TASK}", True),
        (f"shop-edge_edge.{TASK}.{TASK}", True),
        ("shop_backend_1", False),
        ("shop-data-db-1", False),
        (f"shopping_backend.1.{TASK}", False),
    ],
)
def test_containers_of_a_cluster_are_told_by_their_names(name: str, ours: bool) -> None:
    assert is_task(name, "shop") == ours


def test_a_release_that_compose_serves_moves_to_the_cluster() -> None:
    assert enters_cluster(facts(LIVE), LAYOUT)
    assert not leaves_cluster(facts(LIVE))


def test_a_release_of_the_cluster_leaves_it() -> None:
    assert leaves_cluster(in_cluster())
    assert not enters_cluster(in_cluster(), LAYOUT)
    assert not by_compose(in_cluster(), LAYOUT)


def test_a_host_without_a_release_moves_nothing() -> None:
    assert not enters_cluster(facts(), LAYOUT)
    assert not leaves_cluster(facts())


def test_a_move_that_was_killed_is_one_still_by_either_engine() -> None:
    compose = Container("shop-data-db-1", "running", "Up", "shop-data", "db", "postgres:17", "")
    assert enters_cluster(in_cluster(containers=(compose,)), LAYOUT)
    assert leaves_cluster(dataclasses.replace(facts(LIVE), cluster=ON_CLUSTER))


def test_a_stopped_container_that_a_move_has_left_is_no_move() -> None:
    compose = Container("shop-data-db-1", "exited", "Exited (0)", "shop-data", "db", "postgres:17", "")
    found = in_cluster(containers=(task(), compose))
    assert not enters_cluster(found, LAYOUT)
    assert by_compose(found, LAYOUT) == (compose,)


def test_the_data_services_are_found_whoever_runs_them() -> None:
    assert data_containers(facts(LIVE), LAYOUT) == {"db": "shop-data-db-1"}
    assert data_containers(in_cluster(), LAYOUT) == {"db": f"shop-data_db.1.{TASK}"}


def test_what_the_host_tells_of_the_cluster_is_read() -> None:
    assert parse_on_cluster("service shop_web\nservice shop-data_db\ndata m1 here\n") == OnCluster(
        frozenset({"shop_web", "shop-data_db"}), "m1", here=True
    )
    assert not parse_on_cluster("service shop_web\ndata m2\n").here
    assert parse_on_cluster("") == OnCluster()


def test_a_record_tells_its_engine_and_an_old_one_is_of_compose() -> None:
    assert ReleaseRecord.from_json(THERE.to_json(), where="h").engine == Engine.SWARM
    old = LIVE.to_json().replace('"engine": "compose"', '"later": 1')
    assert ReleaseRecord.from_json(old, where="h").engine == Engine.COMPOSE


def test_the_volumes_must_be_where_the_cluster_looks_for_them() -> None:
    other = Node("n2", "w1", "ready", "active", "worker", "10.0.0.2", {"windlass.data.shop": "yes"})
    found = [*check_entering(facts(LIVE), Cluster((node(), other), (), ()), stack(), LAYOUT, "n1", {})]
    assert any("w1 is labelled" in one.message and "--label-rm" in one.remedy for one in found)


def test_only_a_release_of_the_cluster_must_have_its_data_there_already() -> None:
    unlabelled = Cluster((node(),), (), (), ip_vs=True, registry="n1")

    def said(found: Facts) -> bool:
        problems = check_cluster(unlabelled, found, stack(), "shop")
        return any("begin with empty volumes" in one.message for one in problems)

    assert not said(facts(LIVE))
    assert said(in_cluster())


def test_a_node_that_rests_takes_no_data() -> None:
    assert any("is drain in the cluster" in one for one in entering(facts(LIVE), node(availability="drain")))


def test_maintenance_ends_before_a_move() -> None:
    found = dataclasses.replace(facts(LIVE), maintenance={"by": "ada"})
    assert any("maintenance page" in one for one in entering(found))


def test_data_without_a_named_volume_is_told() -> None:
    nameless = Mounted("volume", "a" * 64, "/var/lib/postgresql/data")
    assert any("volume without a name" in one for one in entering(facts(LIVE), db=(nameless,)))
    assert not entering(facts(LIVE), db=(Mounted("volume", "shop_pg", "/var/lib/postgresql/data"),))


def test_a_new_data_service_comes_before_or_after_a_move() -> None:
    document = model()
    document["services"]["cache"] = document["services"]["db"] | {"image": "redis:7"}
    found = [*check_entering(facts(LIVE), Cluster((node(),), (), ()), stack(document), LAYOUT, "n1", {})]
    assert [one.message for one in found] == ["cache is new, and a move brings what is there"]


def test_a_worker_of_the_cluster_takes_nothing_back() -> None:
    found = dataclasses.replace(facts(), containers=(task("shop-edge_edge.x", "", ""), task("shop_web.1", "", "")))
    assert any("is a worker of" in one for one in leaving(found))


def test_a_manager_without_the_data_takes_nothing_back() -> None:
    found = in_cluster(cluster=dataclasses.replace(ON_CLUSTER, data_node="m2", here=False))
    assert any("its data is on node m2" in one for one in leaving(found))
    assert not leaving(in_cluster())


def to_cluster() -> Plan:
    found = facts(LIVE)
    return with_entering(make_swarm_plan(wanted(NEW), found, Cluster((), (), ()), LAYOUT), NEW, found)


def from_cluster() -> Plan:
    found = in_cluster()
    back = record("20261122-120000-2b3c4d5")
    return with_leaving(make_plan(wanted(back), found, LAYOUT), back, found)


@pytest.mark.parametrize("plan", [to_cluster(), from_cluster()])
def test_a_plan_says_that_it_is_a_move_and_what_users_notice(plan: Plan) -> None:
    assert plan.changes
    assert "volumes, backups, releases and the journal stay" in plan.moves
    assert [one.action for one in plan.data] == [Action.REPLACE]
    assert {one.action for one in plan.services} == {Action.CREATE}
    assert plan.edge == EdgeAction.START
    said = " ".join(plan.gaps)
    assert "db is stopped, then started on its volume" in said
    assert "port 80 goes over" in said
    assert "worker stops before it starts there" in said


@pytest.mark.parametrize(
    ("engine", "found", "target", "said"),
    [
        ("swarm", facts(THERE, releases={THERE.id: THERE, "r0": record("r0")}), record("r0"), "was made for compose"),
        ("compose", facts(THERE), THERE, "serves by swarm"),
        ("swarm", facts(LIVE), LIVE, "serves by compose"),
        ("compose", dataclasses.replace(facts(LIVE), cluster=ON_CLUSTER), LIVE, "never ended"),
    ],
)
def test_nobody_goes_back_to_the_other_engine(engine: str, found: Facts, target: ReleaseRecord, said: str) -> None:
    settings = parse_settings({"environments": {"prod": {"engine": engine}}}, folder="shop")
    with pytest.raises(UsageError, match=said):
        require_engine("m1", settings.environment("prod"), found, target)
