"""How problems are told: to people, to scripts, to code scanners; and what mends them as one file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from deploy.engine.overlay import overlay_text
from deploy.model.checks import Problem
from deploy.model.errors import UsageError
from deploy.model.rules import RULES, Severity, Tagged, examine
from deploy.model.rules.overlay import overlay_of
from deploy.ui.rules import problem_documents, problem_lines, rules_page, sarif, verdict
from tests.unit.examples import model, subject

ERROR = Problem("db is open", "close it", path=("services", "db", "ports"), rule="published-data")
WARNING = Problem("web logs", "", fatal=False, path=("services", "web"), rule="no-log-rotation", overlay={"a": 1})
ALLOWED = replace(ERROR, allowed="a firewall")
ELSEWHERE = Problem("KEY is blank", "set it", place="my settings/.env.prod:4", rule="blank-secret")
OF_HOST = Problem("the clock is off", "set it", fatal=False)


def locate(path: tuple[str, ...]) -> str:
    return {"db": "compose.yaml:6", "web": "compose.yaml:9"}.get(path[1], "") if len(path) > 1 else "compose.yaml:1"


def test_errors_come_first_and_what_is_allowed_last() -> None:
    assert list(problem_lines([ALLOWED, WARNING, ERROR, OF_HOST], locate)) == [
        "✗ compose.yaml:6: db is open  [published-data]",
        "    → close it",
        "! compose.yaml:9: web logs  [no-log-rotation]",
        "! the clock is off",
        "    → set it",
        "· compose.yaml:6: db is open  [published-data]",
        "    allowed: a firewall",
    ]


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        ([], "0 errors, 0 warnings"),
        ([ERROR], "1 error, 0 warnings"),
        ([ERROR, WARNING, OF_HOST, ALLOWED], "1 error, 2 warnings, 1 allowed"),
    ],
)
def test_the_verdict_counts(problems: list[Problem], said: str) -> None:
    assert verdict(problems) == said


def test_a_script_gets_every_field_of_every_problem() -> None:
    first, second, third = json.loads(json.dumps(problem_documents([ERROR, WARNING, ELSEWHERE], locate)))

    assert first == {
        "rule": "published-data",
        "severity": "error",
        "message": "db is open",
        "remedy": "close it",
        "service": "db",
        "file": "compose.yaml",
        "line": 6,
        "mends": False,
        "allowed": None,
    }
    assert (second["severity"], second["mends"]) == ("warning", True)
    assert (third["file"], third["line"], third["service"]) == ("my settings/.env.prod", 4, None)


def test_what_has_no_place_says_so_to_scripts() -> None:
    (only,) = problem_documents([OF_HOST], locate)

    assert (only["rule"], only["file"], only["line"]) == (None, None, None)


def results(*problems: Problem) -> list[dict[str, Any]]:
    log = json.loads(json.dumps(sarif(problems, RULES, locate, "1.2.3")))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        if "ruleIndex" in result:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    found: list[dict[str, Any]] = run["results"]
    return found


def test_a_scanner_is_told_of_every_rule_and_its_problems() -> None:
    (result,) = results(ERROR)

    assert result["level"] == "error"
    assert result["message"] == {"text": "db is open → close it"}
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "compose.yaml"}, "region": {"startLine": 6}}}
    ]
    assert "suppressions" not in result


def test_a_scanner_gets_addresses_that_are_valid_and_always_a_place() -> None:
    spaced, nowhere, outside = (
        one["locations"][0]["physicalLocation"] for one in results(ELSEWHERE, OF_HOST, replace(ERROR, place="/a b/c:2"))
    )

    assert spaced["artifactLocation"]["uri"] == "my%20settings/.env.prod"
    assert nowhere == {"artifactLocation": {"uri": "compose.yaml"}, "region": {"startLine": 1}}
    assert outside["artifactLocation"]["uri"] == "file:///a%20b/c"


def test_what_is_allowed_is_suppressed_with_its_reason() -> None:
    (result,) = results(ALLOWED)

    assert result["suppressions"] == [{"kind": "inSource", "justification": "a firewall"}]


def test_every_rule_explains_itself() -> None:
    page = rules_page(RULES)

    assert len({one.id for one in RULES}) == len(RULES)
    for one in RULES:
        assert one.title[0].isupper(), one.id
        assert not one.title.endswith("."), one.id
        assert one.why.endswith("."), one.id
        assert one.fix.endswith("."), one.id
        assert f"### {one.id}\n" in page


def test_a_rule_that_warns_never_stops_a_deploy() -> None:
    document = model()
    for service in document["services"].values():
        service.pop("healthcheck", None)
    ids = {one.id: one.severity for one in RULES}

    for one in examine(subject(document), RULES, {}):
        assert not (one.fatal and ids[one.rule] == Severity.WARNING)


def test_an_overlay_says_everything_that_mends_and_nothing_that_is_allowed() -> None:
    ports = {"services": {"db": {"ports": Tagged("!reset", [])}}}
    document = overlay_of(
        [
            replace(ERROR, overlay=ports),
            replace(WARNING, overlay={"services": {"db": {"restart": "always"}}}),
            replace(ALLOWED, overlay={"services": {"web": {"restart": "always"}}}),
            replace(WARNING, overlay={"services": {"db": {"restart": "no"}}}),
        ]
    )

    assert overlay_text(document, "Why.") == ("# Why.\nservices:\n  db:\n    ports: !reset []\n    restart: always\n")


def test_a_service_may_say_why_and_so_may_the_environment() -> None:
    document = model()
    document["services"]["db"]["x-deploy"] = {"allow": {"short-stop-grace": "it is small"}}

    def reasons(allowed: dict[str, str]) -> dict[str, str]:
        problems = examine(subject(document), RULES, allowed)
        return {one.rule: one.allowed for one in problems if one.service == "db"}

    assert reasons({})["short-stop-grace"] == "it is small"
    assert reasons({})["no-memory-limit"] == ""
    assert reasons({"short-stop-grace": "for all", "no-memory-limit": "for all"}) == {
        **reasons({}),
        "no-memory-limit": "for all",
    }


def test_a_rule_that_is_none_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"allow\.short-stop-grce: there is no such rule") as caught:
        examine(subject(model()), RULES, {"short-stop-grce": "x"})

    assert caught.value.remedy == "did you mean 'short-stop-grace'?"
