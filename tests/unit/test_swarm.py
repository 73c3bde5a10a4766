"""What a project is on a cluster: documents, what is refused, how far an update is, and plans. No Docker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.model.checks import Problem
from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.places import Places
from deploy.model.plan import Action, EdgeAction, Plan, Wanted
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine, Environment, parse_settings
from deploy.model.swarm.alone import HIGHEST, LOWEST
from deploy.model.swarm.differing import differing
from deploy.model.swarm.edge import state_of
from deploy.model.swarm.found import Cluster, Node, SwarmService, Task, parse_cluster
from deploy.model.swarm.node import parse_labels, parse_membership
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.progress import Progress, Watch
from deploy.model.swarm.refused import check_cluster, check_sizes, check_swarm
from deploy.model.swarm.registry import REGISTRY_PORT, door_config, registry_stack
from deploy.model.swarm.render import MountedFile, Subject, render_app, render_data, render_once
from deploy.model.swarm.report import status_problems
from tests.unit.examples import LAYOUT, facts, model, record, stack

PLACES = Places(Path("/src"))
IMAGES = {name: f"127.0.0.1:5577/shop/{name}@sha256:aa" for name in ("db", "backend", "worker", "nginx")}
FILES = {
    "/src/init": (MountedFile(b"create table t ();", "10.sql"), MountedFile(b"#!/bin/sh", "20.sh", executable=True))
}


def environment(**settings: Any) -> Environment:
    return parse_settings({"environments": {"prod": {"engine": "swarm", **settings}}}, folder="shop").environment(
        "prod"
    )


def subject(document: dict[str, Any] | None = None, files: Mapping[str, Any] | None = None) -> Subject:
    return Subject(stack(document), LAYOUT, PLACES, "r1", IMAGES, files or FILES, "dnsrr")


def with_backend(**keys: Any) -> dict[str, Any]:
    document = model()
    document["services"]["backend"] |= keys
    return document


def backend(**keys: Any) -> dict[str, Any]:
    found: dict[str, Any] = render_app(subject(with_backend(**keys))).document["services"]["backend"]
    return found


def problems(**keys: Any) -> list[Problem]:
    return [one for one in check_swarm(stack(with_backend(**keys)), PLACES, environment()) if one.path[2:3] == (*keys,)]


def test_only_what_a_cluster_knows_is_in_the_document() -> None:
    app = render_app(subject()).document

    assert {*app} == {"services", "networks", "volumes"}
    assert {*app["services"]} == {"backend", "worker", "nginx"}
    assert {*app["services"]["backend"]} == {"image", "environment", "deploy", "labels", "networks", "volumes"}
    assert "ports" not in app["services"]["nginx"]


def test_services_roll_one_after_the_other_and_start_before_they_stop() -> None:
    assert backend()["deploy"]["update_config"] == {
        "parallelism": 1,
        "order": "start-first",
        "failure_action": "rollback",
        "monitor": "5s",
    }


def test_what_never_runs_twice_stops_first() -> None:
    worker = render_app(subject()).document["services"]["worker"]
    assert worker["deploy"]["update_config"]["order"] == "stop-first"


def test_the_compose_files_own_update_config_is_obeyed() -> None:
    made = backend(deploy={"replicas": 4, "update_config": {"parallelism": 2, "order": "stop-first"}})["deploy"]

    assert made["replicas"] == 4
    assert made["update_config"] | {"parallelism": 2, "order": "stop-first"} == made["update_config"]
    assert made["rollback_config"] == {"parallelism": 2, "order": "stop-first"}


def test_limits_of_compose_become_those_of_a_cluster() -> None:
    made = backend(mem_limit="536870912", cpus=0.5, pids_limit=100, mem_reservation="1024")
    assert made["deploy"]["resources"] == {
        "limits": {"cpus": "0.5", "memory": "536870912", "pids": 100},
        "reservations": {"memory": "1024"},
    }


def test_memory_mounts_are_mounts() -> None:
    mounts = backend(tmpfs=["/tmp:size=64m,mode=1777", "/run"], shm_size="134217728")["volumes"]

    assert {"type": "tmpfs", "target": "/dev/shm", "tmpfs": {"size": 134217728}} in mounts
    assert {"type": "tmpfs", "target": "/tmp", "tmpfs": {"size": 67108864}} in mounts
    assert {"type": "tmpfs", "target": "/run"} in mounts


@pytest.mark.parametrize(
    ("restart", "condition"),
    [("no", "none"), ("always", "any"), ("unless-stopped", "any"), ("on-failure:3", "on-failure")],
)
def test_restart_is_a_policy(restart: str, condition: str) -> None:
    assert backend(restart=restart)["deploy"]["restart_policy"]["condition"] == condition


def test_whoever_has_a_volume_of_a_node_runs_on_the_node_with_the_data() -> None:
    app = render_app(subject()).document["services"]
    constraints = ["node.labels.windlass.data.shop == yes"]

    assert app["backend"]["deploy"]["placement"]["constraints"] == constraints
    assert app["nginx"]["deploy"]["placement"]["constraints"] == constraints
    assert "placement" not in app["worker"]["deploy"]


def test_ones_own_constraints_stand() -> None:
    own = ["node.labels.disk == ssd"]
    assert backend(deploy={"placement": {"constraints": own}})["deploy"]["placement"] == {"constraints": own}


def test_a_volume_that_all_nodes_share_pins_nobody() -> None:
    document = model()
    document["services"]["backend"]["volumes"] = [{"type": "volume", "source": "media", "target": "/media"}]
    document["volumes"]["media"] |= {
        "driver": "local",
        "driver_opts": {"type": "nfs", "device": ":/media", "o": "addr=nas"},
    }
    app = render_app(subject(document)).document

    assert "placement" not in app["services"]["backend"]["deploy"]
    assert app["volumes"]["media"]["driver_opts"]["type"] == "nfs"


def test_volumes_have_the_names_that_they_have_on_one_host() -> None:
    assert render_data(subject()).document["volumes"] == {"pg": {"name": "shop_pg"}}


def test_networks_are_shared_by_all_stacks() -> None:
    expected = {"default": {"name": "shop_default", "external": True}}
    assert render_app(subject()).document["networks"] == expected
    assert render_data(subject()).document["networks"] == expected


def test_files_of_the_project_are_configs_named_by_content() -> None:
    data = render_data(subject())
    service = data.document["services"]["db"]

    targets = {one["target"]: one["mode"] for one in service["configs"]}
    assert targets == {"/docker-entrypoint-initdb.d/10.sql": 0o444, "/docker-entrypoint-initdb.d/20.sh": 0o555}
    for entry in service["configs"]:
        config = data.document["configs"][entry["source"]]
        assert config["name"].startswith("shop-data_")
        assert data.files[config["file"].removeprefix("./")]
        assert len(config["name"]) <= 64


def test_another_content_is_another_config() -> None:
    before = render_data(subject()).document["configs"]
    other = {"/src/init": (MountedFile(b"create table u ();", "10.sql"),)}
    assert not {*before} & {*render_data(subject(files=other)).document["configs"]}


def test_secrets_and_configs_of_the_stack_are_named_by_content_too() -> None:
    document = with_backend(
        secrets=[{"source": "key", "target": "/run/secrets/key", "mode": "0440"}],
        configs=[{"source": "app", "target": "/app.ini"}],
    )
    document |= {"secrets": {"key": {"file": "/src/key"}}, "configs": {"app": {"content": "a=$$b"}}}
    made = render_app(subject(document, FILES | {"/src/key": (MountedFile(b"s3cret"),)}))

    (secret,) = made.document["services"]["backend"]["secrets"]
    assert secret["mode"] == 0o440
    assert secret["target"] == "/run/secrets/key"
    assert b"a=$b" in made.files.values()
    assert b"s3cret" in made.files.values()
    assert "s3cret" not in repr(made)


def test_data_services_are_found_as_those_of_one_host() -> None:
    labels = render_data(subject()).document["services"]["db"]["labels"]
    assert labels["com.docker.compose.project"] == "shop-data"
    assert labels["com.docker.compose.service"] == "db"


def test_what_runs_once_is_a_compose_project_in_the_clusters_networks() -> None:
    once = render_once(stack(), IMAGES, LAYOUT, "r1", PLACES).document
    assert once["networks"] == {"default": {"name": "shop_default", "external": True}}
    assert once["services"]["backend"]["environment"]["SECRET_KEY"] == "k$$y"


def test_documents_of_two_releases_differ_in_what_was_changed_only() -> None:
    def rendered(release: str, image: str, **keys: Any) -> Mapping[str, Any]:
        images = dict.fromkeys(IMAGES, image)
        return render_app(
            Subject(stack(with_backend(**keys)), LAYOUT, PLACES, release, images, FILES, "dnsrr")
        ).document

    assert differing(rendered("r1", "a"), rendered("r2", "b")) == frozenset()
    assert differing(rendered("r1", "a"), rendered("r2", "a", stop_grace_period="9s")) == {"backend"}
    assert differing(json.loads(json.dumps(rendered("r1", "a"))), rendered("r1", "a")) == frozenset()


@pytest.mark.parametrize("key", ["privileged", "devices", "network_mode", "pid"])
def test_what_cannot_work_on_a_cluster_stops_a_deploy(key: str) -> None:
    value: Any = {"privileged": True, "devices": ["/dev/kvm:/dev/kvm"], "network_mode": "host", "pid": "host"}[key]
    (found,) = problems(**{key: value})
    assert found.fatal
    assert "backend" in found.message


def test_what_is_left_out_is_said() -> None:
    (found,) = problems(security_opt=["no-new-privileges:true"])
    assert not found.fatal
    assert "no-new-privileges" in found.message


def test_an_unknown_key_is_said_to_be_left_out() -> None:
    (found,) = problems(oom_score_adj=500)
    assert "oom_score_adj" in found.message
    assert not found.fatal


def test_a_file_that_is_no_config_is_refused() -> None:
    (found,) = check_sizes({"/src/big": (MountedFile(b"0" * 600_000),)})
    assert found.fatal
    assert "600 kB" in found.message


def test_a_port_for_the_host_alone_is_left_out_and_said() -> None:
    document = with_backend(ports=[{"target": 8000, "published": "8000", "protocol": "tcp", "host_ip": "127.0.0.1"}])
    (found,) = [one for one in check_swarm(stack(document), PLACES, environment()) if "127.0.0.1" in one.message]
    assert not found.fatal
    assert "8000" in found.message
    document["services"]["db"]["ports"] = document["services"]["backend"]["ports"]
    ports = render_data(subject(document)).document["services"]["db"]["ports"]
    assert 8000 not in [one["published"] for one in ports]


def test_two_containers_with_the_same_volume_are_kept_from_one_node_by_a_port() -> None:
    made = render_data(subject()).document["services"]["db"]
    (port,) = made["ports"]
    assert (port["target"], port["protocol"], port["mode"]) == (9, "udp", "host")
    own, free = port["published"], port["published"] + 1
    assert LOWEST <= own <= HIGHEST

    def with_held(held: dict[int, str]) -> int:
        found = render_data(dataclasses.replace(subject(), held=held)).document["services"]["db"]["ports"]
        return int(found[0]["published"])

    assert with_held({own: "other_db"}) == free
    assert with_held({free: "shop-data_db", 53: "shop-data_db"}) == free, "it keeps the one that it has"
    # as many of it as there are to be, side by side
    assert "ports" not in render_app(subject()).document["services"]["backend"]


def test_a_port_that_a_service_publishes_itself_is_enough() -> None:
    document = model()
    document["services"]["db"]["ports"] = [{"target": 5432, "published": "5432", "protocol": "tcp"}]
    (port,) = render_data(subject(document)).document["services"]["db"]["ports"]
    assert (port["published"], port["protocol"]) == (5432, "tcp")


# --- what was found


def task(number: int = 1, state: str = "running", image: str = "new", **changes: Any) -> Task:
    values: dict[str, Any] = {
        "id": f"t{number}",
        "service": "s-backend",
        "slot": str(number),
        "node": "n1",
        "state": state,
        "desired": "running" if state == "running" else "shutdown",
        "error": "",
        "created": f"2026-11-21T12:00:{number:02}Z",
        "container": f"c{number}",
        "spec": {"ContainerSpec": {"Image": image}},
    }
    return Task(**values | changes)


def service(
    name: str = "backend", wanted: int | None = 2, update: str = "", release: str = "r0", **changes: Any
) -> SwarmService:
    values: dict[str, Any] = {
        "id": f"s-{name}",
        "name": name,
        "stack": "shop",
        "wanted": wanted,
        "image": "new",
        "release": release,
        "update": update,
        "update_message": "",
        "spec": {
            "ContainerSpec": {"Image": "new", "StopGracePeriod": 10_000_000_000, "DNSConfig": {}},
            "Runtime": "container",
        },
    }
    return SwarmService(**values | changes)


def node(name: str = "m1", **changes: Any) -> Node:
    values: dict[str, Any] = {
        "id": f"n-{name}",
        "hostname": name,
        "state": "ready",
        "availability": "active",
        "role": "manager",
        "address": "10.0.0.1",
        "labels": {"windlass.data.shop": "yes"},
    }
    return Node(**values | changes)


def cluster(
    *tasks: Task, services: tuple[SwarmService, ...] = (), nodes: tuple[Node, ...] = (), **changes: Any
) -> Cluster:
    known: dict[str, Any] = {"registry": "n1", "ip_vs": True}
    return Cluster(nodes or (node(),), services or (service(),), tasks, **known | changes)


def judged(found: Cluster, watch: Watch | None = None) -> Progress:
    return (watch or Watch("shop")).judge(found)[0].progress


def test_an_update_is_done_when_every_container_is_the_new_one() -> None:
    assert judged(cluster(task(1), task(2))) == Progress.DONE


def test_an_old_container_that_still_runs_is_not_done() -> None:
    assert judged(cluster(task(1), task(2), task(3, image="old"))) == Progress.ROLLING


def test_what_the_engine_still_watches_is_not_done() -> None:
    assert judged(cluster(task(1), task(2), services=(service(update="updating"),))) == Progress.ROLLING


@pytest.mark.parametrize("update", ["paused", "rollback_started", "rollback_completed", "rollback_paused"])
def test_an_update_that_the_cluster_gave_up_is_broken(update: str) -> None:
    assert judged(cluster(task(1), task(2), services=(service(update=update),))) == Progress.BROKEN


def test_a_new_service_whose_containers_fail_again_and_again_is_broken() -> None:
    failed = [task(number, "failed", error="exit 1") for number in range(1, 4)]
    assert judged(cluster(*failed[:2])) == Progress.ROLLING
    assert judged(cluster(*failed)) == Progress.BROKEN


def test_what_failed_before_its_needs_were_met_does_not_count() -> None:
    watch = Watch("shop", {"backend": frozenset({"db"})})
    failed = [task(number, "failed") for number in range(1, 4)]
    waiting = service("db", wanted=1)
    assert judged(cluster(*failed, services=(service(), waiting)), watch) == Progress.ROLLING
    ready = task(9, service="s-db")
    assert judged(cluster(*failed, ready, services=(service(), waiting)), watch) == Progress.ROLLING


def test_what_failed_before_the_update_does_not_count() -> None:
    failed = [task(number, "failed") for number in range(1, 5)]
    assert judged(cluster(*failed), Watch("shop", known=frozenset(one.id for one in failed))) == Progress.ROLLING


def test_what_has_ended_well_and_is_not_started_again_is_done() -> None:
    once = service(spec={"ContainerSpec": {"Image": "new"}, "RestartPolicy": {"Condition": "on-failure"}}, wanted=1)
    ended = task(1, "complete", spec=once.spec)
    assert judged(cluster(ended, services=(once,))) == Progress.DONE


def test_a_service_without_replicas_is_done_at_once() -> None:
    assert judged(cluster(services=(service(wanted=0),))) == Progress.DONE


def test_a_global_service_has_a_container_on_every_node_that_works() -> None:
    nodes = (node("m1"), node("w1"), node("w2", state="down"))
    found = cluster(task(1), task(2), services=(service(wanted=None),), nodes=nodes)
    assert judged(found) == Progress.DONE


def test_a_look_that_was_cut_is_an_error() -> None:
    with pytest.raises(DeployError, match="could not be looked at"):
        parse_cluster("@@about\n@@nodes\n[]", "m1")


def test_a_look_is_read() -> None:
    raw = {
        "ID": "s1",
        "Spec": {
            "Name": "shop_web",
            "Labels": {"com.docker.stack.namespace": "shop", "windlass.release": "r1"},
            "TaskTemplate": {"ContainerSpec": {"Image": "web@sha256:aa", "Env": ["A=s3cret"]}},
            "Mode": {"Replicated": {"Replicas": 3}},
        },
        "UpdateStatus": {"State": "updating", "Message": "update in progress"},
    }
    about = "ip_vs\nregistry 10.0.0.1 node.id == n1 \n"
    text = f"@@about\n{about}@@nodes\n[]\n@@services\n{json.dumps([raw])}\n@@tasks\n@@end\n"
    found = parse_cluster(text, "m1")

    (web,) = found.of("shop")
    assert (web.name, web.wanted, web.release, web.update) == ("web", 3, "r1", "updating")
    assert found.ip_vs
    assert (found.registry, found.registry_address) == ("n1", "10.0.0.1")
    assert found.registry_away
    assert "s3cret" not in repr(found)


def test_membership_is_read() -> None:
    found = parse_membership(
        "state=active\nmanager=true\nnode=n1\ncluster=c1\naddress=10.0.0.1\nhostname=m1\nreached=10.0.0.1"
    )
    assert found.inside
    assert found.manager


@pytest.mark.parametrize(
    ("word", "said"), [("w1", "no host with a label"), ("w1=zone", "no host"), ("w9=zone=b", "none of the hosts")]
)
def test_a_label_that_cannot_be_is_an_error(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_labels([word], ["m1", "w1"])


def test_labels_are_by_host() -> None:
    assert parse_labels(["w1=zone=b", "w1=disk=ssd"], ["w1"]) == {"w1": {"zone": "b", "disk": "ssd"}}


# --- plans


def wanted(**changes: Any) -> Wanted:
    return Wanted(record("20261122-120000-2b3c4d5", **changes), frozenset(), 0, ())


EDGE = "0011"


def seen(live: ReleaseRecord) -> Facts:
    """A manager whose edge is what a release needs."""
    return facts(live, edge=state_of(live, None))


def planned(plan_for: Wanted, live: ReleaseRecord, services: tuple[SwarmService, ...], definition: str = EDGE) -> Plan:
    return make_swarm_plan(plan_for, seen(live), cluster(services=services), LAYOUT, definition)


def there(release: str) -> tuple[SwarmService, ...]:
    app = tuple(service(name, wanted=1, release=release) for name in ("backend", "worker", "nginx"))
    edge = dataclasses.replace(service("edge", wanted=None, release="", stack="shop-edge"), definition=EDGE)
    return (*app, service("db", wanted=1, release="", stack="shop-data"), edge)


def test_a_cluster_that_runs_the_same_is_left_alone() -> None:
    live = record()
    plan = planned(wanted(), live, there(live.id))
    assert plan.noop
    assert plan.edge == EdgeAction.NONE


def test_only_what_differs_rolls_and_the_plan_says_that_versions_mix() -> None:
    live = record()
    changed = record().services["backend"]
    services = {**live.services, "backend": type(changed)(**changed.__dict__ | {"parts": {"image": "other"}})}
    plan = planned(wanted(services=services), live, there(live.id))

    assert {one.name: one.action for one in plan.services}["backend"] == Action.REPLACE
    assert {one.action for one in plan.services if one.name != "backend"} == {Action.KEEP}
    assert any("both versions" in gap for gap in plan.gaps)


def test_a_service_that_a_killed_deploy_has_left_is_made_one_with_the_others() -> None:
    live = record()
    services = (service("backend", wanted=1, release="another"), *there(live.id)[1:])
    plan = planned(wanted(), live, services)
    assert {one.name for one in plan.services if one.action == Action.REPLACE} == {"backend"}


def test_a_cluster_without_a_registry_cannot_be_deployed_to() -> None:
    found = [*check_cluster(cluster(registry=""), facts(), stack(), "shop")]
    assert any("registry" in one.message and one.fatal for one in found)


def test_a_manager_that_knows_nothing_of_what_runs_is_refused() -> None:
    found = [*check_cluster(cluster(services=there("r9")), facts(), stack(), "shop")]
    assert any("knows nothing of" in one.message and one.fatal for one in found)


def test_a_lost_node_with_the_data_is_refused() -> None:
    found = [*check_cluster(cluster(nodes=(node(state="down"),)), facts(record()), stack(), "shop")]
    assert any("keeps the data" in one.message and one.fatal for one in found)


def test_status_says_which_services_are_of_another_release() -> None:
    live = record(engine=Engine.SWARM)
    found = cluster(task(1, service="s-backend"), services=(service("backend", wanted=1, release="r9"),))
    assert any("backend is of r9" in one for one in status_problems(found, facts(live), "shop"))


# --- settings and the registry


def test_a_data_service_that_was_told_to_have_no_container_is_told_and_started_again() -> None:
    live = record(engine=Engine.SWARM)
    services = tuple(dataclasses.replace(one, wanted=0) if one.name == "db" else one for one in there(live.id))
    plan = make_swarm_plan(wanted(), facts(live), cluster(services=services), LAYOUT)
    assert [(one.name, one.action) for one in plan.data] == [("db", Action.CREATE)]
    assert any(
        "db was told to have no container" in one
        for one in status_problems(cluster(services=services), facts(live), "shop")
    )


def test_a_service_says_whether_it_runs_where_the_data_is() -> None:
    constraints = ["node.role == manager", "node.labels.windlass.data.shop == yes"]
    assert service(spec={"Placement": {"Constraints": constraints}}).tied_to("windlass.data.shop")
    assert not service(spec={"Placement": {"Constraints": constraints[:1]}}).tied_to("windlass.data.shop")
    assert not service().tied_to("windlass.data.shop")


def test_a_schedule_and_a_wanted_proof_mean_something_on_a_cluster() -> None:
    settings = environment(acme=False, schedule="03:15", deploy_needs_proof_h=24)
    assert [*check_swarm(stack(), PLACES, settings)] == [*check_swarm(stack(), PLACES, environment(acme=False))]


def test_compose_is_the_usual_engine() -> None:
    assert parse_settings({}, folder="shop").environment("prod").engine == Engine.COMPOSE


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="'swam' is no engine") as caught:
        environment(engine="swam")
    assert "swarm" in caught.value.remedy


def test_the_door_is_open_to_its_own_node_only() -> None:
    config = door_config("10.0.0.1")
    assert "bind 127.0.0.1:5577" in config
    assert f"10.0.0.1:{REGISTRY_PORT} ssl verify required" in config


def test_the_registry_stays_on_its_node() -> None:
    names = ("config.yml", "door.cfg", "ca.pem", "server.pem", "server.key", "client.pem")
    made = registry_stack("n1", "10.0.0.1", dict.fromkeys(names, "0" * 64), "d")
    assert made["services"]["registry"]["deploy"]["placement"] == {"constraints": ["node.id == n1"]}
    assert made["services"]["door"]["deploy"]["mode"] == "global"
