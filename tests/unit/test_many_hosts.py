"""What a run costs when hosts are many: counted, never timed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import resource
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bench.simulated import AT_ONCE, Seen, Simulated, SimulatedApp, simulate
from deploy.model.command import Command
from deploy.model.errors import DeployError, UnreachableError, UsageError, together
from deploy.model.plan import Plan, Wanted, make_plan
from deploy.model.settings import Environment
from deploy.model.waves import HostOutcome, HostResult, parse_waves
from deploy.release.fleet import ASKED_AT_ONCE
from deploy.remote.descriptors import make_room
from deploy.shell import LocalShell
from deploy.shell.remembering import Remembering
from deploy.tasks.hosts import visit
from deploy.tasks.plans import MOST_PLANS, alike, show_plans
from deploy.ui.reports import summary_lines
from tests.unit.examples import LAYOUT, facts, record

WIDEST = 300


@pytest.fixture(scope="module")
def hundred() -> Simulated:
    return simulate(100)


@pytest.fixture(scope="module")
def three_hundred() -> Simulated:
    return simulate(300)


def test_no_more_hosts_are_worked_on_at_once_than_was_asked_for(three_hundred: Simulated) -> None:
    most = three_hundred.seen.most

    assert most["deploy"] == AT_ONCE
    assert most["connect"] <= ASKED_AT_ONCE
    assert most["look"] <= ASKED_AT_ONCE
    assert three_hundred.seen.threads <= ASKED_AT_ONCE + 8


def test_what_is_done_grows_with_the_hosts_and_no_faster(hundred: Simulated, three_hundred: Simulated) -> None:
    once, thrice = hundred.seen.calls, three_hundred.seen.calls

    assert once["look"] == 99, "each host that was connected to, and a failed one again"
    assert once["deploy"] == 95
    assert once["prepare"] == thrice["prepare"] == 2, "one release, whatever the number of hosts"
    assert {what: 3 * number for what, number in once.items() if what != "prepare"} == {
        what: number for what, number in thrice.items() if what != "prepare"
    }


def test_hosts_are_looked_at_side_by_side(three_hundred: Simulated) -> None:
    assert three_hundred.seen.most["look"] > 1


def test_the_output_of_very_many_hosts_can_be_read(hundred: Simulated, three_hundred: Simulated) -> None:
    for run in (hundred, three_hundred):
        assert len(run.said) < 120
        assert max(map(len, run.said)) < WIDEST
    text = "\n".join(three_hundred.said)
    assert text.count("release 20261121-120000-1a2b3c4, now") == 2, "a plan for every kind of host"
    assert text.count("the host has no zstd") == 2, "a warning once a wave"
    assert "3      failed" in text
    assert "app50, app150, app250" in text, "those that failed are named"


def test_a_wave_of_many_says_in_one_line_how_it_ended() -> None:
    said = simulate(100, waves=parse_waves(["1", "40%"], "--wave")).said

    assert [line.rpartition("  ")[0] for line in said if "Wave" in line] == [
        "✓ Wave 1 of 4: app1  1 done",
        "✓ Wave 2 of 4: 38 hosts  38 done",
        "✓ Wave 3 of 4: 38 hosts  37 done, 1 failed",
        "✓ Wave 4 of 4: 18 hosts  18 done",
    ]


def test_a_summary_of_very_many_has_a_line_for_every_outcome() -> None:
    results = [HostResult(f"app{number}", HostOutcome.DEPLOYED, "r2", 3 + number, 1000) for number in range(40)]
    results += [HostResult(f"bad{number}", HostOutcome.FAILED, f"r{number}", 7) for number in range(3)]

    assert [re.sub(r" {2,}", "  ", line) for line in summary_lines(results)] == [
        "hosts  outcome  release there  took  sent  probes failed  which",
        "40  deployed  r2  3.0 s to 42 s  40.0 kB  app0, app1, app2, app3 and 36 more",
        "3  failed  3 releases  7.0 s  bad0, bad1, bad2",
    ]


def plans(number: int) -> list[Plan]:
    wanted = Wanted(record(), frozenset(), 0, ())
    return [
        dataclasses.replace(make_plan(wanted, facts(host=f"app{each}"), LAYOUT), push_bytes=each)
        for each in range(number)
    ]


def test_plans_are_not_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def compared(*_: object) -> bool:
        raise AssertionError

    many = plans(50)
    monkeypatch.setattr(Plan, "__eq__", compared)

    assert len([*alike(many)]) == 50


def test_of_very_many_different_plans_the_first_are_shown() -> None:
    shown: list[str] = []
    app: Any = SimpleNamespace(console=SimpleNamespace(warn=shown.append))
    show_plans(app, plans(15), shown.append)

    assert sum("nothing runs there yet" in line for line in shown) == MOST_PLANS
    assert shown[-1] == "… and 5 more plans for other hosts, all of them with prod.plan --json"


def test_of_very_many_errors_the_first_are_told() -> None:
    text = str(together([DeployError(f"app{number}: no") for number in range(1000)], "1000 hosts are not ready"))

    assert text.count(": no") == 20
    assert "… and 980 more" in text


class Asked(SimulatedApp):
    """Two of the hosts cannot be reached."""

    @contextlib.contextmanager
    def site(self, environment: Environment, spec: str, **_: Any) -> Iterator[Any]:  # noqa: ARG002
        with self.seen.doing("ask"):
            if spec in {"b", "d"}:
                raise UnreachableError(f"{spec}: cannot connect", "check it")
            yield SimpleNamespace(name=spec)


def asked(specs: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    said: list[str] = []
    environment: Any = None
    failed = visit(Asked(Seen()), environment, [*specs], str, lambda spec, _: said.append(spec))
    assert "✗ b: cannot connect\n→ check it" in capsys.readouterr().err or "b" not in specs
    return said, [*failed]


def test_a_host_that_cannot_be_asked_keeps_nobody_from_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked("abcde", capsys) == (["a", "c", "e"], ["b", "d"])


def test_answers_come_in_the_order_in_which_hosts_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    names = "zyxwvutsrqponm"

    assert asked(names, capsys) == ([*names], [])


def test_the_only_host_fails_as_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreachableError):
        asked("b", capsys)


def test_this_machine_is_asked_the_same_once() -> None:
    shell = Remembering(LocalShell())
    command = Command("sh", "-c", "date +%s%N; exit 3")
    first, second = (shell.run(command, check=False).stdout for _ in range(2))

    assert first == second
    with pytest.raises(DeployError, match="status 3"):
        shell.run(command)


def test_open_files_are_made_room_for_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))

    make_room(100)
    assert limits == [(1024, 4096)], "there is room"
    make_room(1000)
    assert limits[-1] == (2256, 4096)
    make_room(3000)
    assert limits[-1] == (4096, 4096), "a socket for each, if nothing leads to it by a pipe"
    with pytest.raises(UsageError, match="5000 hosts at once are more than this machine allows"):
        make_room(5000)
