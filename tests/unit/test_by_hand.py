"""A stack that somebody runs on the host by hand: what a plan says of it, and what would be lost by taking it over."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from deploy.model.checks import check_by_hand, check_host
from deploy.model.facts import Container, Facts, Mounted
from deploy.model.places import Place, Placement, Places
from deploy.model.plan import Wanted, make_plan
from deploy.model.stack import parse_stack
from deploy.ui.plans import plan_lines
from deploy.ui.reports import status_problems, status_rows
from tests.unit.examples import LAYOUT, NOW, facts, record

ROOT = Path("/src/shop")
STACK = parse_stack(
    {
        "services": {
            "db": {"image": "postgres:17", "volumes": [{"type": "volume", "source": "pg", "target": "/data"}]},
            "backend": {
                "image": "shop",
                "ports": [{"target": 8000, "published": "80"}],
                "volumes": [
                    {"type": "bind", "source": "/src/shop/uploads", "target": "/uploads"},
                    {"type": "bind", "source": "/src/shop/site.conf", "target": "/site.conf", "read_only": True},
                    {"type": "bind", "source": "/srv/media", "target": "/media"},
                ],
            },
        },
        "volumes": {"pg": {"name": "shop_pg"}},
    }
)
PLACES = Places(ROOT, {"/src/shop/uploads": Placement(Place.KEPT)})
NAMELESS = "ab" * 32


def container(service: str, ports: str = "", project: str = LAYOUT.project) -> Container:
    return Container(f"{project}-{service}-1", "running", "Up", project, service, service, ports, f"id-{service}")


def by_hand(*mounted: tuple[str, str, str, str]) -> Facts:
    """A host with db and backend started by hand; each mount as service, type, source, target."""
    found: dict[str, tuple[Mounted, ...]] = {}
    for service, *rest in mounted:
        found[f"id-{service}"] = (*found.get(f"id-{service}", ()), Mounted(*rest))
    containers = (container("db"), container("backend", "0.0.0.0:80->8000/tcp, :::80->8000/tcp"))
    return facts(containers=containers, listening=frozenset({22, 80}), mounted=found)


def test_the_plan_says_what_is_taken_over_and_what_users_notice() -> None:
    wanted = record()
    found = dataclasses.replace(by_hand(), containers=(container("db"), container("nginx", "0.0.0.0:80->80/tcp")))

    plan = make_plan(Wanted(wanted, frozenset(), 0, ()), found, LAYOUT)
    text = "\n".join(plan_lines(plan))

    assert plan.by_hand == ("db", "nginx")
    assert "take over  db, nginx: the compose project shop, started by hand" in text
    assert "db is stopped and started as a service of ours on its volume" in text
    assert "port 80 goes over from nginx to the edge" in text


def test_what_runs_by_hand_beside_the_live_release_is_something_to_do() -> None:
    live = record()
    found = facts(live)
    beside = dataclasses.replace(found, containers=(*found.containers, container("worker")))

    plan = make_plan(Wanted(live, frozenset(), 0, ()), beside, LAYOUT)

    assert plan.leftovers == ("worker of the compose project shop, started by hand, run beside it",)
    assert (plan.changes, plan.noop) == (False, False)
    assert make_plan(Wanted(live, frozenset(), 0, ()), found, LAYOUT).noop


def test_ports_that_are_taken_over_are_no_problem() -> None:
    def problems(found: Facts) -> list[str]:
        return [
            str(one) for one in check_host(found, record(), LAYOUT, architecture="amd64", incoming_bytes=0, now=NOW)
        ]

    assert problems(by_hand()) == []
    other = (
        container("db", project="old"),
        container("backend", project="old"),
        container("worker", project="old"),
        container("nginx", "0.0.0.0:80->80/tcp", "old"),
    )
    (told,) = problems(dataclasses.replace(by_hand(), containers=other))
    assert "held by the container old-nginx-1 → it looks like this stack, started by hand" in told
    assert "`deploy: {project: old}` in invoke.yaml takes it over with its data" in told
    stranger = (container("nginx", "0.0.0.0:80->80/tcp", "blog"),)
    assert problems(dataclasses.replace(by_hand(), containers=stranger)) == [
        "port 80 (for nginx) is held by the container blog-nginx-1 → stop it, or publish another port"
    ]


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        (("db", "volume", "shop_pg", "/data"), None),
        (("db", "volume", "old_pg", "/data"), "in the volume old_pg, which the release does not mount there"),
        (("db", "volume", NAMELESS, "/data"), "in a volume without a name, which the release does not mount there"),
        (("db", "volume", NAMELESS, "/elsewhere"), "at /elsewhere is in a volume without a name"),
        (("backend", "bind", "/home/ops/shop/uploads", "/uploads"), "in the folder /home/ops/shop/uploads"),
        (("backend", "bind", "/home/ops/shop/site.conf", "/site.conf"), None),
        (("backend", "bind", "/srv/media", "/media"), None),
        (("backend", "bind", "/home/ops/shop", "/app"), None),
    ],
)
def test_data_that_the_release_would_not_find_is_an_error(mount: tuple[str, str, str, str], found: str | None) -> None:
    problems = list(check_by_hand(by_hand(mount), STACK, PLACES, LAYOUT))

    assert len(problems) == (0 if found is None else 1)
    if found:
        assert found in problems[0].message
        assert problems[0].fatal


def test_a_nameless_volume_of_an_application_is_said_and_no_error() -> None:
    (problem,) = check_by_hand(by_hand(("backend", "volume", NAMELESS, "/cache")), STACK, PLACES, LAYOUT)

    assert not problem.fatal


def test_the_status_tells_what_runs_by_hand_before_a_release_and_beside_one() -> None:
    told = f"backend, db of the compose project {LAYOUT.project} run by hand"
    live = record()
    released = facts(live)
    beside = dataclasses.replace(released, containers=(*released.containers, container("backend")))

    assert status_problems(by_hand(), LAYOUT) == (f"no release is live; {told}: a deploy takes them over",)
    assert [row[:3] for row in status_rows(by_hand(), LAYOUT)] == [
        ("by hand", "db", "running"),
        ("by hand", "backend", "running"),
    ]
    assert status_problems(released, LAYOUT) == ()
    assert status_problems(beside, LAYOUT) == (
        f"backend of the compose project {LAYOUT.project} run by hand beside it: deploy again",
    )
