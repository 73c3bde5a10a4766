"""Rules about variables: what compose files ask for, against what env files set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.engine.lines import SourceLines
from deploy.model.checks import Problem
from deploy.model.rules import EnvFile, Variable
from tests.unit.examples import broken, model

COMPOSE = """\
services:
  web:
    image: acme/app:${TAG:-1}
    environment:
      - HANDED
      - MAIL=${MAIL_HOST:-}
      - SENTRY=${SENTRY_DSN}
    build:
      args: {FLAVOUR: }
secrets:
  token: {environment: TOKEN}
"""


def env_file(path: str, text: str) -> EnvFile:
    pairs = [line.partition("=") for line in text.splitlines()]
    return EnvFile(path, tuple(Variable(name, value, line) for line, (name, _, value) in enumerate(pairs, 1) if name))


def found(folder: Path, rule: str, env: str | None, example: str | None = None, **changes: Any) -> tuple[Problem, ...]:
    compose = changes.pop("compose", COMPOSE)
    (folder / "compose.yaml").write_text(compose)
    return broken(
        model(),
        rule,
        files=SourceLines((folder / "compose.yaml",), folder).written(),
        env=None if env is None else env_file(".env.prod", env),
        example=None if example is None else env_file(".env.example", example),
        **changes,
    )


def unset(name: str) -> tuple[str]:
    """Compose's own words."""
    return (f'The "{name}" variable is not set. Defaulting to a blank string.',)


def test_a_blank_variable_is_found_where_it_is_asked_for(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "undefined-variable", "TAG=2", warnings=unset("SENTRY_DSN"))

    assert problem.place == "compose.yaml:7"
    assert "set it in .env.prod, or write ${SENTRY_DSN:-}" in problem.remedy
    assert not problem.fatal


def test_where_the_example_has_it_is_said(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "undefined-variable", "", "A=1\nSENTRY_DSN=\n", warnings=unset("SENTRY_DSN"))

    assert ".env.example:2 has it" in problem.remedy


def test_a_dollar_in_a_password_is_known(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "undefined-variable", "A=1\nPASSWORD=ab$cdef\n", warnings=unset("cdef"))

    assert problem.place == ".env.prod:2"
    assert problem.remedy == "put the value of PASSWORD between single quotes"
    assert "cdef" not in problem.message


def test_without_a_warning_of_composes_nothing_is_blank(tmp_path: Path) -> None:
    assert not found(tmp_path, "undefined-variable", "")


@pytest.mark.parametrize(
    ("env", "example", "wrong"),
    [
        ("", "MAIL_HOST=smtp.example.com", True),
        ("", "MAIL_HOST=", False),
        ("MAIL_HOST=", "MAIL_HOST=smtp.example.com", False),
        # a default that is none of blank is as good as the example
        ("", "TAG=2", False),
        ("", "UNKNOWN=2", False),
        (None, "MAIL_HOST=smtp.example.com", False),
    ],
)
def test_what_the_example_sets_and_is_blank_here(tmp_path: Path, env: str | None, example: str, wrong: bool) -> None:
    problems = found(tmp_path, "missing-from-env", env, example)

    assert [one.place for one in problems] == [".env.example:1"] * wrong
    assert not problems or "compose.yaml:6" in problems[0].message


def test_what_the_process_has_itself_is_set(tmp_path: Path) -> None:
    elsewhere = frozenset({"MAIL_HOST"})

    assert not found(tmp_path, "missing-from-env", "", "MAIL_HOST=smtp", set_elsewhere=elsewhere)


@pytest.mark.parametrize(
    ("env", "places"),
    [
        ("TAG=1\nHANDED=1\nFLAVOUR=1\nTOKEN=1\nMAIL_HOST=1\nSENTRY_DSN=1", []),
        ("COMPOSE_PROFILES=a\nDOCKER_BUILDKIT=1", []),
        ("TAG=${BASE}\nBASE=1", []),
        ("TAG=1\nLEFT_OVER=1", [".env.prod:2"]),
    ],
)
def test_variables_that_nothing_asks_for(tmp_path: Path, env: str, places: list[str]) -> None:
    assert [one.place for one in found(tmp_path, "unused-variable", env)] == places


def test_a_misspelt_variable_is_told_with_what_was_meant(tmp_path: Path) -> None:
    (problem,) = found(tmp_path, "unused-variable", "SENTRY_DNS=1")

    assert problem.remedy == "did you mean 'SENTRY_DSN'?"


def test_what_the_example_has_may_be_for_another_environment(tmp_path: Path) -> None:
    assert not found(tmp_path, "unused-variable", "DEV_PORT=1", "DEV_PORT=8000")


@pytest.mark.parametrize("written", [".env.prod", "[.env.prod]", "[{path: ./.env.prod}]", "${ENV_FILE}"])
def test_a_file_that_a_service_gets_as_it_is_is_used_whole(tmp_path: Path, written: str) -> None:
    compose = f"services: {{web: {{image: a, env_file: {written}}}}}\n".replace("${ENV_FILE}", '"${ENV_FILE}"')

    assert not found(tmp_path, "unused-variable", "ANY=1", compose=compose)
    assert found(tmp_path, "unused-variable", "ANY=1", compose="services: {web: {image: a, env_file: web.env}}\n")


@pytest.mark.parametrize(
    ("env", "example", "remedies"),
    [
        ("TAG=1", "TAG=", []),
        ("TAG=1", None, []),
        ("TAG=1", "SENTRY_DSN=1", ["add it to .env.example"]),
        ("TAG=1", "TAGS=1", ["did you mean 'TAGS'?"]),
        ("LEFT_OVER=1", "TAG=1", []),
    ],
)
def test_what_the_example_does_not_have(tmp_path: Path, env: str, example: str | None, remedies: list[str]) -> None:
    assert [one.remedy for one in found(tmp_path, "unknown-to-example", env, example)] == remedies
