"""What was changed by hand, from what a host prints."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from deploy.model.drift import find_drift
from deploy.model.edge import render_config, render_map, servers_of
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.journal import Deed, Entry, Outcome, Part
from tests.unit.examples import LAYOUT, NOW, facts, record, running

LIVE = record("20261121-110000-0000000")
PROJECT = LAYOUT.release_project(LIVE.id)
IMAGE = "sha256:0123456789abcdef"
DEEDS = tuple(Deed(name, Part.RELEASE, "create", (), ("c",), IMAGE[7:19]) for name in ("backend", "worker", "nginx"))
HOST = facts(
    LIVE,
    images={one.image: IMAGE for one in LIVE.services.values()} | {"haproxy:3.0": IMAGE},
    journal=(Entry(NOW, Outcome.DEPLOYED, LIVE.id, "ada@laptop", deeds=DEEDS),),
)


MISSING = "release backend has no container"


def packed(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.b64encode(text.encode()).decode()


def document(project: str, network: str, *services: str) -> str:
    return packed(
        {"name": project, "services": {name: {"networks": {network: None}} for name in services}, "networks": {}}
    )


def container(project: str, name: str, **changes: str) -> str:
    images = {one: kept.image for one, kept in LIVE.services.items()} | {"edge": "haproxy:3.0"}
    network = {LAYOUT.data_project: "lasting", LAYOUT.edge_project: "edge"}.get(project, "default")
    values = {
        "name": f"/{project}-{name}-1",
        "project": project,
        "service": name,
        "hash": f"hash-{name}",
        "one_off": "False",
        "running": "true",
        "image_id": IMAGE,
        "image": images[name],
        "networks": f"{project}_{network},",
    }
    return "\t".join((values | changes).values())


def printed(**changes: str) -> str:
    """What drift.sh prints on a host as a deploy has left it."""
    state = HOST.edge
    assert state
    target = state.slots[state.live]
    assert target
    app = ("backend", "worker", "nginx")
    servers = [one.replace("=", " ").replace("/", " ").split() for one in servers_of(state.live, target)]
    sections = {
        "document release": document(PROJECT, "default", *app),
        "hashes release": "\n".join(f"{name} hash-{name}" for name in app),
        "changed release": "",
        "document data": document(LAYOUT.data_project, "lasting", "db"),
        "hashes data": "db hash-db",
        "document edge": document(LAYOUT.edge_project, "edge", "edge"),
        "hashes edge": "edge hash-edge",
        "added": "",
        "containers": "\n".join(
            [
                *(container(PROJECT, name) for name in app),
                container(LAYOUT.data_project, "db"),
                container(LAYOUT.edge_project, "edge"),
            ]
        ),
        "edge haproxy.cfg": packed(render_config(state, LAYOUT)),
        "edge live.map": packed(render_map(state)),
        "servers": "\n".join(
            f"3 {backend} 1 {server} 172.0.0.2 2 0 1 1 9 6 3 4 6 0 0 0 {address.replace(':', ' ')} - 0 0 - - 0"
            for backend, server, address in servers
        ),
    }
    return "".join(f"@@{name}\n{text}\n" for name, text in (sections | changes).items()) + "@@end\n"


def drift(text: str, found: Facts = HOST) -> list[str]:
    return [str(one) for one in find_drift(found, LIVE, LAYOUT, text, "inv prod")]


def test_a_host_as_a_deploy_left_it_has_none() -> None:
    assert drift(printed()) == []


def test_half_an_answer_is_none() -> None:
    with pytest.raises(DeployError, match="app1: what stands there could not be read"):
        drift(printed().removesuffix("@@end\n"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"changed release": "./files/nginx/default.conf"},
            f"/opt/shop/releases/{LIVE.id}/files/nginx/default.conf is not as it was staged",
        ),
        ({"added": "./notes.txt"}, f"/opt/shop/releases/{LIVE.id}/notes.txt was added"),
        (
            {"hashes data": "db other"},
            "shop-data-db-1 was made from another definition than its compose file has",
        ),
        ({"edge live.map": packed("live green\n")}, "/opt/shop/edge/etc/live.map is not as this version writes it"),
        ({"servers": ""}, "the edge's server blue_port_80/s1 is not in its memory"),
    ],
)
def test_what_was_changed_is_named(changes: dict[str, str], told: str) -> None:
    (found,) = drift(printed(**changes))
    assert found.startswith(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"networks": f"{PROJECT}_default,bridge,"}, [f"{PROJECT}-backend-1 was put into the network bridge"]),
        ({"networks": ","}, [f"{PROJECT}-backend-1 was taken out of the network {PROJECT}_default"]),
        (
            {"image_id": "sha256:ffffffffffffffff"},
            [
                f"{PROJECT}-backend-1 runs the image ffffffffffff instead of 0123456789ab",
                f"{LIVE.services['backend'].image} of {PROJECT}-backend-1 names another image now",
            ],
        ),
        (
            {"one_off": "True"},
            [MISSING, f"{PROJECT}-backend-1 was started by `compose run`"],
        ),
        ({"service": "backed"}, [MISSING, f"{PROJECT}-backend-1 is of no service there"]),
    ],
)
def test_containers_that_were_touched_are_named(changes: dict[str, str], told: list[str]) -> None:
    lines = [container(PROJECT, "backend", **changes)]
    lines += [container(PROJECT, name) for name in ("worker", "nginx")]
    lines += [container(LAYOUT.data_project, "db"), container(LAYOUT.edge_project, "edge")]
    found = drift(printed(containers="\n".join(lines)))

    assert len(found) == len(told)
    assert all(text.startswith(start) for text, start in zip(found, told, strict=True))


def test_data_services_and_the_edge_are_in_the_networks_of_every_release() -> None:
    lines = [container(PROJECT, name) for name in ("backend", "worker", "nginx")]
    lines.append(container(LAYOUT.data_project, "db", networks=f"shop-data_lasting,{PROJECT}_default,"))
    lines.append(container(LAYOUT.edge_project, "edge", networks=f"shop-edge_edge,{PROJECT}_default,"))
    assert drift(printed(containers="\n".join(lines))) == []


def test_a_server_taken_out_of_service_by_hand_is_named() -> None:
    text = printed().replace(" 172.0.0.2 2 0 ", " 172.0.0.2 2 1 ")
    assert drift(text) == ["the edge's server blue_port_80/s1 was taken out of service"]


def test_a_link_that_points_elsewhere_is_named() -> None:
    found = dataclasses.replace(HOST, current="other")
    assert drift(printed(), found) == [f"/opt/shop/current names other, {LIVE.id} serves"]


def test_a_release_that_runs_beside_the_live_one_is_named_unless_it_is_warm() -> None:
    older = record("20261121-100000-9999999")
    both: Any = {older.id: older, LIVE.id: LIVE}
    found = dataclasses.replace(HOST, releases=both, containers=(*HOST.containers, *running(older)))
    beside = container(LAYOUT.release_project(older.id), "backend")
    text = printed().replace("@@containers\n", f"@@containers\n{beside}\n")

    assert drift(text, found) == [f"shop-{older.id}-backend-1 runs although its release is not live"]
    assert drift(text, dataclasses.replace(found, warm={older.id: NOW.replace(hour=13)})) == []
