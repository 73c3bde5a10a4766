"""Services that end, that live on with a page, and that are on networks of others: plans, commands, the edge."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pytest

from deploy.data.find import database_services
from deploy.model.checks import check_host
from deploy.model.edge import edge_networks, listeners_of, target_of
from deploy.model.facts import Container
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.plan import Wanted, make_plan
from deploy.model.release import PublicPort, ReleaseRecord, ServiceRecord
from deploy.model.stack import Port
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui.reports import status_problems
from tests.unit.examples import HTTP, LAYOUT, facts, record, running, service

ENDED = "Exited (0) 2 minutes ago"
SITE = Site(LocalShell(), LAYOUT, "app1")


def with_services(**services: ServiceRecord) -> ReleaseRecord:
    plain = record()
    return dataclasses.replace(plain, services={**plain.services, **services})


def ended(release: ReleaseRecord, *names: str, status: str = ENDED) -> tuple[Container, ...]:
    return tuple(
        dataclasses.replace(one, state="exited", status=status) if one.service in names else one
        for one in running(release)
    )


def test_a_service_that_may_end_and_has_is_as_it_should_be() -> None:
    live = with_services(tidy=service(may_end=True), seed=service(Kind.JOB))
    found = facts(live, containers=ended(live, "tidy", "seed"))

    assert make_plan(Wanted(live, frozenset(), 0, ()), found, LAYOUT).noop
    assert status_problems(found, LAYOUT) == ()


@pytest.mark.parametrize(("may_end", "status"), [(True, "Exited (1) 2 minutes ago"), (False, ENDED)])
def test_others_that_have_ended_are_not(may_end: bool, status: str) -> None:
    live = with_services(tidy=service(may_end=may_end))
    found = facts(live, containers=ended(live, "tidy", status=status))

    assert not make_plan(Wanted(live, frozenset(), 0, ()), found, LAYOUT).noop
    assert status_problems(found, LAYOUT) == ("tidy is exited",)


def test_jobs_of_a_release_that_is_gone_back_to_are_done() -> None:
    live = with_services(seed=service(Kind.JOB), late=service(Kind.JOB), tidy=service(may_end=True))
    found = facts(live, containers=ended(live, "seed", "tidy"))
    change = Change(SITE, environment=None, facts=found, record=live)  # type: ignore[arg-type]  # is not asked

    assert change.done(live) == ("seed",), "what merely may end is started again"


def test_a_record_says_what_may_end_and_which_networks_are_not_its_own() -> None:
    one = with_services(tidy=service(may_end=True, outside=("corp",)))

    assert ReleaseRecord.from_json(one.to_json(), where="here") == one


def test_a_database_that_is_built_is_one_to_back_up() -> None:
    built = service(Kind.DATA, base="registry.example/postgres:17")

    assert database_services([("db", built.runs), ("web", service().runs)]) == ("db",)


def test_a_record_of_before_knows_neither() -> None:
    document = json.loads(record().to_json())
    for raw in document["services"].values():
        del raw["may_end"], raw["outside"], raw["base"]

    assert ReleaseRecord.from_json(json.dumps(document), where="here") == record()


def test_the_edge_reaches_the_page_of_a_service_that_lives_on() -> None:
    """By a name that is the same for every release, in the network that the data services share."""
    wiki = service(Kind.DATA, networks={"front": ("wiki",), "back": ("wiki",)})
    release = dataclasses.replace(with_services(wiki=wiki), public=(PublicPort("wiki", Port(81, 8080, http=True)),))

    assert target_of(release, LAYOUT).servers == {"port_81": ("shop-data-wiki-1:8080",)}
    assert edge_networks(LAYOUT, [release]) == ("0-shop-data-back",)


def test_the_edge_joins_networks_of_others_where_a_service_has_no_other() -> None:
    release = dataclasses.replace(
        with_services(web=service(networks={}, outside=("corp", "dmz"))),
        public=(PublicPort("web", Port(81, 8080, http=True)), PublicPort("nginx", HTTP)),
    )

    assert edge_networks(LAYOUT, [release]) == ("corp", f"shop-{release.id}_default")


def problems(listening: Sequence[int], containers: Sequence[Container], port: Port) -> list[str]:
    found = facts(listening=frozenset(listening), containers=tuple(containers))
    layout = HostLayout("shop", PurePosixPath("/opt/shop"))
    return [
        one.message
        for one in check_host(
            found,
            record(),
            layout,
            architecture="amd64",
            incoming_bytes=0,
            now=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
            direct={"db": (port,)},
        )
    ]


def container(project: str, ports: str) -> Container:
    return Container(f"{project}-x-1", "running", "Up", project, "x", "x", ports)


SQL, DNS = Port(5432, 5432), Port(53, 53, protocol="udp")
ON_SQL, ON_DNS = "0.0.0.0:5432->5432/tcp", "0.0.0.0:53->53/udp"


@pytest.mark.parametrize(
    ("listening", "containers", "port", "expected"),
    [
        ([5432], [], SQL, ["port 5432 (for db) is held by a process outside Docker"]),
        ([5432], [container("blog", ON_SQL)], SQL, ["port 5432 (for db) is held by the container blog-x-1"]),
        ([5432], [container("shop-data", ON_SQL)], SQL, []),
        ([53], [], DNS, []),
        ([], [container("dns", ON_DNS)], DNS, ["port 53/udp (for db) is held by the container dns-x-1"]),
        ([], [], SQL, []),
    ],
)
def test_ports_that_containers_publish_themselves_must_be_free(
    listening: list[int], containers: list[Container], port: Port, expected: list[str]
) -> None:
    assert problems(listening, containers, port) == expected


def test_a_port_of_this_host_alone_is_not_asked_for_from_elsewhere() -> None:
    ports = [Port(80, 80, host_ip=address) for address in ("127.0.0.1", "::1", "", "10.0.0.1")]

    assert [port.local for port in ports] == [True, True, False, False]
    assert len(listeners_of(record())) == 1
