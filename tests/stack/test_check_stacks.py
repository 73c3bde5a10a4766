"""`prod.check` on the reference stacks: nothing is wrong with them, and what a twin has broken is found at its line."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, copy_of_this_checkout

SECRET = "kJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8c"


@dataclass(frozen=True)
class Mistake:
    """A change of one file, and where the rule that finds it must lead."""

    rule: str
    file: str
    old: str
    new: str
    shows: str
    """A text of the line, as it is after the change."""
    before: int = 0
    """How many lines above that it is told."""


@dataclass(frozen=True)
class Twin:
    """A stack, and what is broken in its twin beside what is broken in all."""

    stack: str
    dockerfile: str
    """Of the application."""
    base: tuple[str, str, str]
    """The FROM line of its last stage: as it is, as it becomes, the rule."""
    more: tuple[Mistake, ...] = ()

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Each at a place of its own."""
        common, prod = f"compose/{self.stack}/compose.yaml", f"compose/{self.stack}/prod.yaml"
        password = "      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?"
        was, becomes, rule = self.base
        return (
            Mistake("short-stop-grace", prod, "stop_grace_period: 60s", "stop_grace_period: 5s", "grace_period: 5s"),
            Mistake(
                "data-folder",
                prod,
                "postgres_data:/var/lib/postgresql/data",
                "postgres_data:/var/lib/postgresql",
                "- postgres_data:/var",
            ),
            Mistake("no-log-rotation", prod, "options: {max-size: 10m, ", "options: {", "  logging:"),
            Mistake("unused-volume", prod, "\nvolumes:\n", "\nvolumes:\n  left_over:\n", "  left_over:"),
            Mistake("undefined-variable", prod, password, f"      TUNING: ${{NO_TUNING}}\n{password}", "${NO_TUNING}"),
            Mistake("depends-without-health", common, "service_healthy", "service_started", "service_started", 1),
            Mistake(rule, self.dockerfile, was, becomes, becomes),
            Mistake("secret-in-build-arg", self.dockerfile, "", "ENV API_TOKEN=abcdef\n", "ENV API_TOKEN"),
            Mistake("unused-variable", ".env.prod", "", "POSTGRES_PASWORD=x\n", "POSTGRES_PASWORD"),
            *self.more,
        )


OLD_PYTHON = ("FROM python:3.13-slim AS runtime", "FROM python:3.9-slim AS runtime", "end-of-life")
PROXY = "docker/primary-assistant/nginx/default.conf.template"
TWINS = (
    Twin("alarm", "docker/alarm/Dockerfile", OLD_PYTHON),
    Twin("autopack", "docker/autopack/Dockerfile", OLD_PYTHON),
    Twin(
        "primary-assistant",
        "docker/primary-assistant/web/Dockerfile",
        OLD_PYTHON,
        (Mistake("limits-by-edge-address", PROXY, "real_ip_", "# real_ip_", "zone=auth:1m"),),
    ),
    Twin(
        "procgenie",
        "docker/procgenie/api/Dockerfile",
        ("FROM node:${NODE_VERSION} AS base", "FROM node:lts-alpine AS base", "moving-tag"),
        (Mistake("moving-tag", "compose/procgenie/compose.yaml", "redis:8-alpine", "redis:latest", "redis:latest"),),
    ),
    Twin("timetracker", "docker/timetracker/backend/Dockerfile", OLD_PYTHON),
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone, in which each stack is broken in its turn."""
    return copy_of_this_checkout(tmp_path_factory.mktemp("checks"))


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stack)
def test_a_stack_is_clean_and_what_is_broken_in_its_twin_is_found_at_its_line(checkout: Path, twin: Twin) -> None:
    project = Project(checkout, "shop", {"INVOKE_DEPLOY_STACK": twin.stack})
    own = checkout / "compose" / twin.stack / ".env.example"
    example = (own if own.is_file() else checkout / ".env.example").read_text()
    (checkout / ".env.prod").write_text(re.sub(r"(?m)^([A-Z_]+)=<random.*$", rf"\1={SECRET}\1", example))

    assert [one for one in problems(project) if not one["allowed"]] == []

    for mistake in twin.mistakes:
        file = checkout / mistake.file
        text = file.read_text()
        assert mistake.old in text, mistake
        file.write_text(text.replace(mistake.old, mistake.new, 1) if mistake.old else text + mistake.new)
    if twin.more and twin.more[0].file == PROXY:
        hide(checkout / PROXY)
    found = {(one["rule"], f"{one['file']}:{one['line']}") for one in problems(project)}

    assert {(mistake.rule, place(checkout, mistake)) for mistake in twin.mistakes} <= found


def problems(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.attempt("prod.check", "--local", "--json").stdout)
    return found


def hide(file: Path) -> None:
    """Nothing of it may believe the edge any more."""
    file.write_text(re.sub(r"(?m)^(\s*)(set_real_ip_from|real_ip_header)", r"\1# \2", file.read_text()))


def place(root: Path, mistake: Mistake) -> str:
    lines = (root / mistake.file).read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if mistake.shows in line)
    return f"{mistake.file}:{number - mistake.before}"
