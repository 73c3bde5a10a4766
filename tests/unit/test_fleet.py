"""A run over several hosts, on doubles of a host's own deploy and rollback."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.model.errors import DeployError
from deploy.model.plan import Plan, Wanted, make_plan
from deploy.model.waves import HostOutcome, OnFailure, parse_waves
from deploy.release import fleet
from deploy.release.deploy import Deployed
from deploy.release.fleet import Member, Rollout
from deploy.shell import LocalShell
from deploy.tasks.plans import alike
from deploy.ui import Console, Several
from tests.unit.examples import LAYOUT, facts, record

OLD, NEW = "20261121-110000-0000000", "20261121-120000-1a2b3c4"


class Hosts:
    """What each host serves, which of them fail, and what was done in which order."""

    def __init__(self, names: str) -> None:
        self.serves = dict.fromkeys(names, OLD)
        self.failing: set[str] = set()
        self.locked_by_others: set[str] = set()
        self.new_there: set[str] = set()
        self.log: list[str] = []

    def members(self) -> list[Member]:
        return [self._member(name) for name in self.serves]

    def _member(self, name: str) -> Member:
        live = None if name in self.new_there else record(OLD)
        wanted = dataclasses.replace(record(NEW), services={"backend": record().services["backend"]}, public=())
        plan = make_plan(Wanted(wanted, frozenset(), 0, ()), facts(live, host=name), LAYOUT)

        def found() -> Any:
            return SimpleNamespace(live=SimpleNamespace(id=self.serves[name]), journal=())

        site: Any = SimpleNamespace(facts=found, spec=name)
        prepared: Any = SimpleNamespace(environment=None)
        return Member(name, f"machine {name}", site, prepared, plan)

    def deploy(self, _: Any, plan: Plan, *__: Any, **___: Any) -> Deployed:
        self.log.append(f"deploy {plan.host}")
        if plan.host in self.failing:
            raise DeployError(f"{plan.host}: unhealthy", details="the last lines")
        self.serves[plan.host] = NEW
        return Deployed(NEW, plan.previous, 3, 1000, None, ())

    def roll_back(self, _: Any, site: Any, __: Any, target: str, *___: Any, **____: Any) -> Deployed:
        self.log.append(f"return {site.spec}")
        if f"{site.spec} back" in self.failing:
            raise DeployError(f"{site.spec}: gone")
        self.serves[site.spec] = target
        return Deployed(target, NEW, 2, 0, None, ())

    @contextlib.contextmanager
    def locked(self, site: Any, *_: Any, on_taken: Callable[[], None]) -> Iterator[Any]:
        self.log.append(f"lock {site.spec}")
        if site.spec in self.locked_by_others:
            raise DeployError(f"{site.spec}: another deploy is going on: ada", "wait for it")
        on_taken()
        yield SimpleNamespace(facts=None, look_again=lambda: None)
        self.log.append(f"unlock {site.spec}")


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    hosts = Hosts("abcd")
    monkeypatch.setattr(fleet, "locked", hosts.locked)
    monkeypatch.setattr(fleet, "deploy", hosts.deploy)
    monkeypatch.setattr(fleet, "roll_back", hosts.roll_back)
    monkeypatch.setattr(fleet, "choose", lambda _, wanted: wanted)
    monkeypatch.setattr(fleet, "migrations_since", lambda *_: ())
    monkeypatch.setattr(fleet, "require_unchanged", lambda *_: None)
    return hosts


def run(hosts: Hosts, waves: str = "1,2", on_failure: OnFailure = OnFailure.RETURN) -> dict[str, HostOutcome]:
    rollout = Rollout(
        hosts.members(),
        parse_waves(waves.split(","), "--wave"),
        LocalShell(),
        Console(),
        at_once=1,
        on_failure=on_failure,
    )
    rollout.run()
    for name, result in rollout.results.items():
        assert result.serves == hosts.serves[name]
    return {name: result.outcome for name, result in rollout.results.items()}


def test_every_lock_is_taken_before_the_first_change_and_let_go_after_the_last(hosts: Hosts) -> None:
    assert set(run(hosts).values()) == {HostOutcome.DEPLOYED}

    assert [line.split()[0] for line in hosts.log] == ["lock"] * 4 + ["deploy"] * 4 + ["unlock"] * 4


def test_a_lock_that_somebody_holds_ends_the_run_before_anything_changes(hosts: Hosts) -> None:
    hosts.locked_by_others = {"c"}
    with pytest.raises(DeployError, match="c: another deploy is going on: ada; nothing was changed on any host"):
        run(hosts)

    assert hosts.log[:3] == ["lock a", "lock b", "lock c"]
    assert sorted(hosts.log[3:]) == ["unlock a", "unlock b"]


def test_a_failed_wave_goes_back_and_later_ones_are_not_begun(hosts: Hosts) -> None:
    hosts.failing = {"c"}

    assert run(hosts) == {
        "a": HostOutcome.DEPLOYED,
        "b": HostOutcome.RETURNED,
        "c": HostOutcome.FAILED,
        "d": HostOutcome.NOT_BEGUN,
    }
    assert "return b" in hosts.log
    assert "deploy d" not in hosts.log


def test_within_a_failed_wave_no_further_host_is_begun(hosts: Hosts) -> None:
    hosts.failing = {"b"}

    assert run(hosts)["c"] == HostOutcome.NOT_BEGUN


@pytest.mark.parametrize(
    ("on_failure", "b", "d"),
    [
        (OnFailure.STOP, HostOutcome.DEPLOYED, HostOutcome.NOT_BEGUN),
        (OnFailure.CONTINUE, HostOutcome.DEPLOYED, HostOutcome.DEPLOYED),
    ],
)
def test_who_wants_it_otherwise_says_so(hosts: Hosts, on_failure: OnFailure, b: HostOutcome, d: HostOutcome) -> None:
    hosts.failing = {"c"}
    outcomes = run(hosts, on_failure=on_failure)

    assert (outcomes["b"], outcomes["c"], outcomes["d"]) == (b, HostOutcome.FAILED, d)


def test_a_first_release_has_none_to_go_back_to(hosts: Hosts, capsys: pytest.CaptureFixture[str]) -> None:
    hosts.new_there, hosts.failing = {"b"}, {"c"}

    assert run(hosts)["b"] == HostOutcome.DEPLOYED
    assert f"b keeps {NEW}: there is none before to return to" in capsys.readouterr().err


def test_a_host_that_cannot_go_back_is_told_from_one_that_did(hosts: Hosts) -> None:
    hosts.failing = {"c", "b back"}

    assert run(hosts)["b"] == HostOutcome.NOT_RETURNED


def test_every_line_begins_with_its_host(capsys: pytest.CaptureFixture[str]) -> None:
    several = Several(Console(), ["app1", "b"])
    with several, several.of("app1").step("Push 2 images") as one, several.of("b").step("Switch"):
        one.result = "[3 MB] sent"
    several.of("b").say("two\nlines")
    several.of("b").warn("careful")

    lines = [re.sub(r"\d+\.\d s$", "… s", line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "b     ✓ Switch  … s",
        "app1  ✓ Push 2 images  [3 MB] sent  … s",
        "b     two",
        "b     lines",
        "b     ! careful",
    ]


def test_hosts_to_which_the_same_happens_are_one_plan_with_what_is_said_of_some() -> None:
    plans = [one.plan for one in Hosts("abc").members()]
    warned = [
        dataclasses.replace(plan, warnings=("of all", *said))
        for plan, said in zip(plans, (["low on memory"], [], ["low on memory"]), strict=True)
    ]

    (told,) = alike(warned)

    assert told.host == "a, b, c"
    assert told.warnings == ("of all", "a, c: low on memory")
