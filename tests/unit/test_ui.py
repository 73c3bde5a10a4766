"""What people see."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from datetime import datetime, timedelta

import pytest

from deploy.model.edge import PLACEHOLDER, Certificate, Tls
from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Container
from deploy.model.journal import Deed, Entry, Outcome, Part, Probes, Ran
from deploy.model.plan import Wanted, make_plan
from deploy.ui import Console
from deploy.ui.history import release_documents, release_rows
from deploy.ui.plans import plan_lines
from deploy.ui.reports import status_problems, status_rows, summary
from deploy.ui.units import age, count, duration, size
from tests.unit.examples import LAYOUT, NOW, facts, record, running


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (108_300_000, "108.3 MB"), (2.5e9, "2.5 GB"), (3e12, "3.0 TB")],
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (41, "41 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=9), "9 days ago"),
        (timedelta(seconds=-5), "0 s ago"),
    ],
)
def test_ages(past: timedelta, text: str) -> None:
    assert age(NOW - past, NOW) == text


def test_counts() -> None:
    assert (count(1, "release"), count(2, "release")) == ("1 release", "2 releases")


def test_talk_goes_to_stderr_and_data_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.say("[talk]")
    console.data("data")
    console.table(("a", "long heading"), [("1", "2"), ("wide cell", "")])

    out, err = capsys.readouterr()
    assert err == "[talk]\n"
    assert out == "data\na          long heading\n1          2\nwide cell\n"


def test_a_step_ends_with_its_result_and_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.step("Build") as step:
        step.result = "3 images"
    with pytest.raises(DeployError), console.step("Push"):
        raise DeployError("no")

    good, bad = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"✓ Build  3 images  \d+\.\d s", good)
    assert re.fullmatch(r"✗ Push  \d+\.\d s", bad)


def test_nobody_is_asked_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    console = Console()

    console.confirm("Sure?", yes=True, consequence="this removes everything")
    with pytest.raises(UsageError, match=r"this removes everything; nobody can be asked, and --yes was not given"):
        console.confirm("Sure?", yes=False, consequence="this removes everything")


LIVE = record("20261121-110000-0000000")


def test_a_plan_says_what_nobody_declared() -> None:
    found = ("web migrates by x (Django: manage.py); false says that it does not",)
    wanted = Wanted(record(), frozenset(), 0, ("backend",), found=found)

    assert f"  found    {found[0]}" in list(plan_lines(make_plan(wanted, facts(), LAYOUT)))
    assert make_plan(wanted, facts(LIVE), LAYOUT).found == (), "nothing is migrated, so nothing is said"


def test_a_plan_reads_as_text() -> None:
    fresh = record()
    services = dict(fresh.services)
    services["backend"] = dataclasses.replace(
        services["backend"], source="build:b", image="shop/backend:b", parts={"image": "new"}
    )
    plan = make_plan(
        Wanted(dataclasses.replace(fresh, services=services), frozenset(), 57_500_000, ("backend",)),
        facts(LIVE),
        LAYOUT,
    )

    assert list(plan_lines(plan)) == [
        "shop on app1: release 20261121-120000-1a2b3c4, now 20261121-110000-0000000",
        "",
        "  = db         keep     data",
        "  ~ backend    replace  web     environment.DEBUG, image",
        "  ~ worker     replace  worker  moves with the release",
        "  ~ nginx      replace  web     moves with the release",
        "  ~ edge       switch to the new release",
        "",
        "  build    backend",
        "  push     shop/backend:b (about 57.5 MB and what is built)",
        "  migrate  backend, if anything is pending; looked at again after the push, backed up before",
        "  note     worker stops before its new version starts: a worker never runs twice",
    ]


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ((), "backend: none is new"),
        (("shop.1",), "backend: shop.1"),
        (tuple(f"shop.{n}" for n in range(7)), "backend: shop.0, shop.1, shop.2, shop.3 and 3 more"),
    ],
)
def test_migrations_are_named_in_a_plan(names: tuple[str, ...], line: str) -> None:
    plan = make_plan(Wanted(record(), frozenset(), 0, ("backend",)), facts(), LAYOUT)
    lines = [*plan_lines(dataclasses.replace(plan, migrations={"backend": names}))]
    assert f"  migrate  {line}; looked at again after the push, backed up before" in lines


def entry(outcome: Outcome, release: str, minutes: int, **changes: object) -> Entry:
    return dataclasses.replace(Entry(NOW - timedelta(minutes=minutes), outcome, release, "ada@laptop"), **changes)  # type: ignore[arg-type]


def test_releases_never_show_a_failure_or_a_rollback_as_deployed() -> None:
    other = record("20261121-110500-1111111")
    journal = (
        entry(Outcome.STARTED, LIVE.id, 60),
        entry(Outcome.DEPLOYED, LIVE.id, 59),
        entry(Outcome.STARTED, other.id, 50),
        entry(Outcome.DEPLOYED, other.id, 49),
        entry(Outcome.STARTED, "20261121-111000-2222222", 40),
        entry(Outcome.FAILED, "20261121-111000-2222222", 39),
        entry(Outcome.STARTED, LIVE.id, 30),
        entry(Outcome.ROLLED_BACK, LIVE.id, 29),
        entry(Outcome.STARTED, "20261121-115900-3333333", 1),
    )
    rows = list(release_rows(facts(LIVE, journal=journal, releases={LIVE.id: LIVE, other.id: other})))

    assert [(row[0], row[1][-7:], row[2], row[-1]) for row in rows] == [
        ("", "3333333", "interrupted", "removed"),
        ("→", "0000000", "rolled back", "kept"),
        ("", "2222222", "failed", "removed"),
        ("", "1111111", "deployed", "kept"),
        ("", "0000000", "deployed", "kept"),
    ]


def test_releases_are_numbers_and_times_for_scripts() -> None:
    done = entry(
        Outcome.DEPLOYED,
        LIVE.id,
        59,
        revision="1a2b3c4-dirty",
        duration_s=12.3,
        steps={"Push 1 image": 3.1, "Switch": 0.4},
        bytes_sent=1500,
        probes=Probes(212, 0, 41),
        migrations=(Ran("backend", ("shop.0002_prices",), {"shop": "0001_initial"}),),
        deeds=(Deed("backend", Part.RELEASE, "create", (), ("c0ffee",), "beef"),),
    )
    found = facts(LIVE, journal=(entry(Outcome.STARTED, LIVE.id, 60), done))
    (document,) = json.loads(json.dumps(list(release_documents(found))))

    assert document["live"] is True
    assert (document["revision"], document["dirty"]) == ("1a2b3c4", True)
    assert datetime.fromisoformat(document["at"]) == done.at
    assert (document["duration_s"], document["bytes_sent"]) == (12.3, 1500)
    assert document["steps"] == {"Push 1 image": 3.1, "Switch": 0.4}
    assert document["probes"] == {"sent": 212, "failed": 0, "slowest_ms": 41}
    assert document["migrations"][0]["names"] == ["shop.0002_prices"]
    assert document["services"][0] | {"after": ["c0ffee"]} == document["services"][0]
    assert next(iter(release_rows(found, steps=True)))[-1] == "Push 1 image 3.1 s, Switch 0.4 s"


def test_status_tells_what_is_wrong() -> None:
    assert status_problems(facts(LIVE), LAYOUT) == ()
    assert status_problems(facts(), LAYOUT) == ("no release is live",)
    assert status_problems(facts(engine_version="", engine_error="down"), LAYOUT) == ("no Docker engine answers: down",)
    assert status_problems(facts(LIVE, containers=running(LIVE, backend="exited")), LAYOUT) == ("backend is exited",)
    assert status_problems(facts(LIVE, edge_serves=""), LAYOUT) == ("the edge does not run: no public port answers",)
    assert status_problems(facts(LIVE, journal=(entry(Outcome.STARTED, "r9", 1),)), LAYOUT) == (
        "r9 was begun by ada@laptop and never ended: deploy again",
    )


def test_a_service_without_a_container_is_shown_as_missing() -> None:
    containers = tuple(one for one in running(LIVE) if one.service != "worker")
    rows = list(status_rows(facts(LIVE, containers=containers), LAYOUT))

    assert ("live", "worker", "missing", "", LIVE.services["worker"].image) in rows


def test_the_last_change_is_a_sentence() -> None:
    assert summary(facts()) == "nothing was ever deployed"
    journal = (entry(Outcome.FAILED, "r1", 5), entry(Outcome.STARTED, "r2", 1))
    assert summary(facts(journal=journal)) == "last change: r1 failed 5 min ago by ada@laptop"
    held = {"by": "ada@laptop", "purpose": "deploying r2"}
    assert summary(facts(journal=journal, lock=held)) == "ada@laptop is deploying r2"


def test_certificates_that_are_missing_or_running_out_are_problems() -> None:
    tls = Tls({"a.org": "nginx", "b.org": "nginx", "c.org": "nginx", "d.org": "nginx"}, "ops@a.org", "https://ca/dir")
    found = facts(LIVE)
    assert found.edge
    certificates = (
        Certificate("a.org", "/CN=R11", NOW + timedelta(days=60)),
        Certificate("b.org", f"/CN={PLACEHOLDER}", NOW + timedelta(days=900), "no such name"),
        Certificate("c.org", "/CN=R11", NOW - timedelta(days=1)),
        Certificate("d.org", "/CN=R11", NOW + timedelta(days=9), "connection refused"),
        Certificate("former.org", f"/CN={PLACEHOLDER}", None),
    )
    edge = dataclasses.replace(found.edge, tls=tls)
    found = dataclasses.replace(found, edge=edge, certificates=certificates)

    assert status_problems(found, LAYOUT) == (
        "the ACME client does not run: certificates are not renewed; deploy again",
        "b.org has no certificate yet: no such name",
        "the certificate of c.org has expired",
        "the certificate of d.org is not renewed and ends in 9 days: connection refused",
    )
    client = Container(LAYOUT.acme_container, "running", "Up", LAYOUT.edge_project, "acme", "goacme/lego:v4.9.1", "")
    assert len(status_problems(dataclasses.replace(found, containers=(*found.containers, client)), LAYOUT)) == 3


def test_maintenance_is_said_first_and_is_no_problem() -> None:
    found = facts(
        LIVE, maintenance={"by": "ada@laptop", "since": "2026-11-21T11:00+00:00", "message": "Back at 18:00."}
    )

    said = (
        "in maintenance since 2026-11-21T11:00+00:00 by ada@laptop (Back at 18:00.): users get the page; last change: "
    )
    assert summary(found).startswith(said)
    assert status_problems(found, LAYOUT) == ()
