"""What a change did, as it was seen, against what its plan said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from deploy.model.deeds import Seen, deeds, differences, parse_seen
from deploy.model.facts import Container, Facts
from deploy.model.journal import Deed, Entry, Outcome, Part, replacing_s
from deploy.model.kinds import Kind
from deploy.model.plan import Plan, Wanted, make_plan
from deploy.model.release import ReleaseRecord
from tests.unit.examples import LAYOUT, NOW, facts, record, running, service

LIVE, NEXT = record("20261121-110000-0000000"), record()


def numbered(containers: tuple[Container, ...], prefix: str = "") -> tuple[Container, ...]:
    return tuple(dataclasses.replace(one, id=f"{prefix}{one.name}"[-12:]) for one in containers)


HOST = facts(LIVE, containers=numbered(running(LIVE)))


def after(release: ReleaseRecord, ids: Mapping[str, str]) -> tuple[Seen, ...]:
    """What runs once a release serves; `ids` are other ids than those from before."""
    return tuple(
        Seen(ids.get(one.service, one.id), one.project, one.service, one.running, "f00d")
        for one in numbered(running(release))
    )


def plan(wanted: ReleaseRecord, found: Facts = HOST) -> Plan:
    return make_plan(Wanted(wanted, frozenset(), 0, ()), found, LAYOUT)


def did(release: ReleaseRecord, ids: Mapping[str, str], found: Facts = HOST) -> tuple[Deed, ...]:
    return deeds(found, release, after(release, ids), LAYOUT)


def changed(name: str = "backend") -> ReleaseRecord:
    services = dict(NEXT.services)
    services[name] = dataclasses.replace(services[name], parts={"image": "new"})
    return dataclasses.replace(NEXT, services=services)


def test_containers_are_read_as_the_script_prints_them() -> None:
    text = "c0ffee\tshop-data\tdb\ttrue\tsha256:f00d\nhalf a line\n"
    assert parse_seen(text) == (Seen("c0ffee", "shop-data", "db", running=True, image="f00d"),)


def test_a_release_replaces_the_one_before_and_keeps_the_data() -> None:
    ids = {"backend": "b2", "worker": "w2", "nginx": "n2"}
    found = did(changed(), ids)

    assert {(one.part, one.name): one.action for one in found} == {
        ("release", "backend"): "replace",
        ("release", "worker"): "replace",
        ("release", "nginx"): "replace",
        ("data", "db"): "keep",
        ("edge", "edge"): "keep",
    }
    assert differences(plan(changed()), changed(), found, ()) == ()


def test_a_first_release_creates_everything() -> None:
    wanted = plan(NEXT, facts())
    found = did(NEXT, {}, facts())

    assert {one.action for one in found} == {"create"}
    assert differences(wanted, NEXT, found, wanted.push) == ()


def test_what_was_done_otherwise_is_said() -> None:
    ids = {"backend": "b2", "worker": "w2", "nginx": "n2", "db": "d2", "edge": "e2"}
    found = did(changed(), ids)

    assert differences(plan(changed()), changed(), found, ("shop/other:1",)) == (
        "db was to be kept and was replaced",
        "the edge was replaced; the plan said: switch",
        "shop/other:1 was sent, not planned",
    )


def test_a_service_that_did_not_come_is_said_unless_none_of_it_should_run() -> None:
    seen = tuple(one for one in after(changed(), {}) if one.service != "nginx")
    found = deeds(HOST, changed(), seen, LAYOUT)
    assert "nginx was to be replaced and was removed" in differences(plan(changed()), changed(), found, ())

    services = dict(changed().services) | {"nginx": service(replicas=0)}
    asleep = dataclasses.replace(changed(), services=services, public=())
    assert not any("nginx" in text for text in differences(plan(asleep), asleep, found, ()))


def test_a_job_that_has_ended_counts_as_done() -> None:
    services = {"seed": service(Kind.JOB)}
    first, second = (dataclasses.replace(one, services=services, public=()) for one in (LIVE, changed()))
    host = facts(first, containers=numbered(running(first, seed="exited")), edge=None, edge_serves="")
    seen = tuple(dataclasses.replace(one, running=False, id="s2") for one in after(second, {}) if one.service == "seed")

    assert [one.action for one in deeds(host, second, seen, LAYOUT) if one.part == Part.RELEASE] == ["replace"]


def test_how_long_a_data_service_is_away_is_known_from_the_last_time() -> None:
    journal = tuple(
        Entry(
            NOW,
            Outcome.DEPLOYED,
            LIVE.id,
            "ada@laptop",
            deeds=(Deed("db", Part.DATA, action, ("a",), ("b",)),),
            steps={"Bring up the data services": seconds},
        )
        for action, seconds in (("replace", 7.4), ("keep", 0.3))
    )

    assert replacing_s(journal, "db") == 7.4
    assert replacing_s(journal, "cache") is None
    made = plan(changed("db"), dataclasses.replace(HOST, journal=journal))
    assert made.data[0].gap_s == 7.4
    assert made.gaps[0].endswith("until it is healthy again, which took 7 s the last time")
