"""Which hosts go together, and which options say so."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.model.errors import UsageError
from deploy.model.settings import parse_settings
from deploy.model.waves import CANARY, HostOutcome, HostResult, Wave, parse_waves, parted
from deploy.ui import columns
from deploy.ui.reports import SUMMARY_HEADINGS, summary_rows

HOSTS = "abcdefghij"


@pytest.mark.parametrize(
    ("hosts", "waves", "expected"),
    [
        ("abc", "1,100%", ["a", "bc"]),
        ("a", "1,100%", ["a"]),
        (HOSTS, "1,50%", ["a", "bcdef", "ghij"]),
        (HOSTS, "3", ["abc", "def", "ghi", "j"]),
        (HOSTS, "1,2,30%", ["a", "bc", "def", "ghi", "j"]),
        ("abc", "10%", ["a", "b", "c"]),
        ("abc", "50", ["abc"]),
        ("", "1", []),
    ],
)
def test_hosts_go_wave_by_wave_and_the_last_wave_repeats(hosts: str, waves: str, expected: list[str]) -> None:
    assert ["".join(wave) for wave in parted(hosts, parse_waves(waves.split(","), "--wave"))] == expected


@pytest.mark.parametrize("word", ["", "0", "0%", "101%", "-1", "1.5", "half", "50 %x"])
def test_what_is_no_number_of_hosts_is_said(word: str) -> None:
    with pytest.raises(UsageError, match=r"--wave: '.*' is not a number of hosts"):
        parse_waves([word], "--wave")


@pytest.mark.parametrize(
    ("raw", "waves"),
    [
        ({}, CANARY),
        ({"waves": "1, 50%"}, (Wave(1), Wave(50, percent=True))),
        ({"waves": [2, "25%"]}, (Wave(2), Wave(25, percent=True))),
        ({"waves": 3}, (Wave(3),)),
        ({"waves": []}, CANARY),
    ],
)
def test_waves_are_a_setting(raw: dict[str, Any], waves: tuple[Wave, ...]) -> None:
    assert parse_settings({"environments": {"prod": raw}}, folder="x").environment("prod").waves == waves


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        ({"wave": 1}, "deploy.environments.prod.wave: unknown key", "did you mean 'waves'?"),
        ({"waves": [1, "many"]}, "deploy.environments.prod.waves: 'many' is not a number of hosts", "1,50%"),
        ({"parallel": 0}, "deploy.environments.prod.parallel is not a number of at least 1", "it is 0"),
    ],
)
def test_settings_that_cannot_be_are_named_with_their_place(raw: dict[str, Any], message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({"environments": {"prod": raw}}, folder="x")

    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_only_a_host_that_was_meant_to_be_left_out_is_no_failure() -> None:
    assert [outcome for outcome in HostOutcome if not outcome.bad] == [
        HostOutcome.DEPLOYED,
        HostOutcome.NOTHING_TO_DO,
        HostOutcome.SKIPPED,
    ]


def test_a_summary_has_a_line_for_every_host() -> None:
    results = [
        HostResult("app1", HostOutcome.DEPLOYED, "r2", 12.4, 19_400),
        HostResult("app2", HostOutcome.SKIPPED),
    ]

    assert list(columns(SUMMARY_HEADINGS, summary_rows(results))) == [
        "host  outcome               release there  took  sent     probes failed",
        "app1  deployed              r2             12 s  19.4 kB",
        "app2  skipped: unreachable",
    ]
