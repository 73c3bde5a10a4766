"""What was changed on a cluster by hand, and what its data services are there besides. No Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deploy.model.command import Command
from deploy.model.drift import Drift
from deploy.model.errors import DeployError
from deploy.model.options import ServiceOptions
from deploy.model.plan import EdgeAction
from deploy.model.receiver import with_receivers
from deploy.model.stack import Stack
from deploy.model.swarm.differing import mounted_in
from deploy.model.swarm.drift import find_swarm_drift
from deploy.model.swarm.found import Cluster, Node, SwarmService
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.refused import check_swarm
from deploy.model.swarm.render import Subject, render_app, render_data
from tests.unit.examples import LAYOUT, facts, record, stack
from tests.unit.test_swarm import FILES, IMAGES, PLACES, environment, subject, there, wanted
from tests.unit.test_swarm import cluster as looked_at

NETWORKS = {"n1": "shop_default", "n2": "other"}


def documents() -> dict[str, Any]:
    """What is staged of the example: its app and its data, no edge."""
    app, data = render_app(subject()).document, render_data(subject()).document
    found: dict[str, Any] = json.loads(json.dumps({"app": app, "data": data}))
    return found


def text(documents: Mapping[str, Any], **more: str) -> str:
    networks = "\n".join(f"{key} {name}" for key, name in NETWORKS.items())
    sections = {part: json.dumps(one) for part, one in documents.items()}
    sections |= {"networks": networks} | {key.replace("_", " "): value for key, value in more.items()} | {"end": ""}
    return "".join(f"\n@@{name}\n{value}\n" for name, value in sections.items())


def as_deployed(document: Mapping[str, Any], stack: str) -> Iterator[SwarmService]:
    """The services of a document as the engine tells of them (recorded from 26.1)."""
    for name, raw in document["services"].items():
        container = {
            "Image": raw["image"],
            "Env": [f"{key}={value.replace('$$', '$')}" for key, value in (raw.get("environment") or {}).items()],
            "Labels": {**(raw.get("labels") or {}), "com.docker.stack.namespace": stack},
            "Mounts": [
                {
                    "Type": one["type"],
                    "Source": document["volumes"][one["source"]]["name"] if one["type"] == "volume" else one["source"],
                    "Target": one["target"],
                }
                for one in raw.get("volumes") or ()
            ],
            "Configs": [
                {"ConfigName": document["configs"][one["source"]]["name"], "File": {"Name": one["target"]}}
                for one in raw.get("configs") or ()
            ],
            "Command": raw.get("entrypoint"),
            "Args": raw.get("command"),
            "Healthcheck": {"Test": (raw.get("healthcheck") or {}).get("test")},
        }
        spec = {
            "ContainerSpec": container,
            "Placement": {"Constraints": (raw["deploy"].get("placement") or {}).get("constraints") or []},
            "Networks": [{"Target": "n1"}],
        }
        yield SwarmService(
            id=f"s-{name}",
            name=name,
            stack=stack,
            wanted=raw["deploy"]["replicas"],
            image=raw["image"],
            release="r1",
            update="",
            update_message="",
            spec=spec,
            labels={**(raw["deploy"].get("labels") or {}), "com.docker.stack.image": "x"},
            ports=tuple(
                {"PublishedPort": one["published"], "TargetPort": one["target"], "Protocol": one["protocol"]}
                for one in raw.get("ports") or ()
            ),
        )


def cluster(*services: SwarmService, labelled: int = 1) -> Cluster:
    nodes = tuple(
        Node(
            f"n{number}",
            f"m{number}",
            "ready",
            "active",
            "manager",
            "",
            {"windlass.data.shop": "yes"} if number < labelled else {},
        )
        for number in range(2)
    )
    return Cluster(nodes, services, ())


def deployed() -> dict[str, SwarmService]:
    found = documents()
    services = [*as_deployed(found["app"], "shop"), *as_deployed(found["data"], "shop-data")]
    return {one.name: one for one in services}


def drift(services: Mapping[str, SwarmService], labelled: int = 1, **more: str) -> list[Drift]:
    live = record()
    found = cluster(*services.values(), labelled=labelled)
    return [*find_swarm_drift(facts(live), live, found, LAYOUT, text(documents(), **more), "inv prod")]


def changed(name: str, **keys: Any) -> dict[str, SwarmService]:
    services = deployed()
    services[name] = SwarmService(**services[name].__dict__ | keys)
    return services


def with_container(name: str, **keys: Any) -> dict[str, SwarmService]:
    spec = deployed()[name].spec
    return changed(name, spec={**spec, "ContainerSpec": {**spec["ContainerSpec"], **keys}})


def test_what_was_deployed_is_no_drift() -> None:
    assert drift(deployed()) == []


def test_a_service_that_was_scaled_is_told_with_the_way_back() -> None:
    (one,) = drift(changed("worker", wanted=3))
    assert str(one) == "shop_worker is to run 3 times, its stack says once"
    assert one.remedy == "docker service scale shop_worker=1"


def test_another_image_is_told_in_short() -> None:
    (one,) = drift(changed("worker", image=f"127.0.0.1:5577/shop/worker@sha256:{'b' * 64}"))
    assert one.text == "was updated: image worker@aa → worker@bbbbbbbbbbbb"
    assert "docker stack deploy --resolve-image never --compose-file stack.json shop" in one.remedy


def test_of_an_environment_only_names_are_told() -> None:
    (one,) = drift(with_container("backend", Env=["SECRET_KEY=s3cret", "EXTRA=1"]))
    assert "EXTRA" in one.text
    assert "SECRET_KEY" in one.text
    assert "s3cret" not in str(one)


def test_a_data_service_goes_back_by_its_own_document() -> None:
    (one,) = drift(with_container("db", Mounts=[]))
    assert one.text == "was updated: mounts -volume shop_pg:/var/lib/postgresql/data"
    assert f"cd {LAYOUT.data} &&" in one.remedy


def test_a_service_that_is_gone_or_too_many_is_told() -> None:
    services = deployed()
    del services["worker"]
    services["guest"] = SwarmService(**services["backend"].__dict__ | {"name": "guest"})
    told = {one.name: one.text for one in drift(services)}
    assert told == {
        "shop_worker": "is not in the cluster",
        "shop_guest": "is of the stack shop, which has no such service",
    }


def test_who_is_in_our_network_and_of_no_release_is_told() -> None:
    (one,) = drift(deployed(), others="guest n1,\nelsewhere n2,")
    assert str(one) == "guest is in the network shop_default, and no release has brought it"


def test_a_network_that_is_gone_is_told() -> None:
    live, services = record(), deployed()
    told = text(documents()).replace("n1 shop_default", "n1 else")
    names = {one.name for one in find_swarm_drift(facts(live), live, cluster(*services.values()), LAYOUT, told, "")}
    assert "shop_default" in names


@pytest.mark.parametrize(("labelled", "said"), [(0, "is on no node"), (2, "is on m0 and on m1")])
def test_the_label_of_the_node_with_the_data_is_on_one(labelled: int, said: str) -> None:
    (one,) = drift(deployed(), labelled=labelled)
    assert said in one.text


def test_files_that_were_changed_or_added_are_told() -> None:
    told = {one.name for one in drift(deployed(), changed_data="stack.json", added="swarm/app/notes")}
    assert told == {f"{LAYOUT.data}/stack.json", f"{LAYOUT.release(record().id)}/swarm/app/notes"}


def test_a_look_that_was_cut_is_an_error() -> None:
    with pytest.raises(DeployError, match="could not be read"):
        find_swarm_drift(facts(record()), record(), cluster(), LAYOUT, "@@app\n{}", "inv prod")


# --- data services


def receiving() -> Stack:
    found = stack()
    database = found.services["db"]
    asking = type(database)(**database.__dict__ | {"options": ServiceOptions(point_in_time=True)})
    return with_receivers(Stack({**found.services, "db": asking}, found.document), LAYOUT, Command("receive"))


def test_what_receives_wal_is_a_service_beside_its_database() -> None:
    made = render_data(
        Subject(receiving(), LAYOUT, PLACES, "r1", {**IMAGES, "db-wal": IMAGES["db"]}, FILES, "dnsrr")
    ).document
    receiver, database = made["services"]["db-wal"], made["services"]["db"]

    assert receiver["image"] == database["image"]
    assert receiver["deploy"]["placement"] == database["deploy"]["placement"]
    assert {"type": "bind", "source": str(LAYOUT.wal("db")), "target": "/wal"} in receiver["volumes"]
    assert {one["source"] for one in receiver["volumes"]} & {one["source"] for one in database["volumes"]}
    assert receiver["networks"] == {"apart": {}}
    assert made["networks"]["apart"] == {"driver": "overlay", "internal": True}


def test_point_in_time_stops_no_deploy_to_a_cluster() -> None:
    assert not [one for one in check_swarm(receiving(), PLACES, environment()) if "db" in one.message and one.fatal]


def test_files_of_a_service_have_their_place_beside_the_document() -> None:
    document = render_data(subject()).document
    found = {target: file for file, target in mounted_in(document, "db")}
    assert {*found} == {"/docker-entrypoint-initdb.d/10.sql", "/docker-entrypoint-initdb.d/20.sh"}
    assert all(file.startswith("files/") for file in found.values())


def test_an_edge_that_is_gone_is_brought_back_by_a_deploy() -> None:
    live = record()
    services = tuple(one for one in there(live.id) if one.name != "edge")
    plan = make_swarm_plan(wanted(), facts(live), looked_at(services=services), LAYOUT)
    assert not plan.noop
    assert plan.edge == EdgeAction.START
