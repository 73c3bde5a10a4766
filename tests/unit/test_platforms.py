"""Images for another kind of machine: their names, and what is checked before they are built."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.engine.images import image_sources
from deploy.engine.platforms import without_variant
from deploy.model.checks import check_builder
from deploy.model.dockerfile import runs_programs
from deploy.model.errors import DeployError
from deploy.model.stack import Stack, parse_stack
from deploy.tasks.rollout import _require_one_kind


def stack(folder: Path, **changes: str) -> Stack:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    backend = {"build": {"context": str(folder), "dockerfile": "Dockerfile"}} | changes
    return parse_stack({"services": {"backend": backend, "cache": {"image": "redis:7"}}})


def test_an_image_is_named_by_what_it_is_for_too(tmp_path: Path) -> None:
    amd64, arm64 = (image_sources(stack(tmp_path), "shop", f"linux/{one}") for one in ("amd64", "arm64"))
    assert amd64["backend"].reference != arm64["backend"].reference
    assert amd64["cache"].reference == arm64["cache"].reference == "redis:7"


def test_a_services_own_platform_wins(tmp_path: Path) -> None:
    sources = image_sources(stack(tmp_path, platform="linux/riscv64"), "shop", "linux/amd64")
    assert (sources["backend"].platform, sources["cache"].platform) == ("linux/riscv64", "linux/amd64")


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("FROM scratch\nCOPY a /a\n", False),
        ("FROM python\n# RUN nothing\nCOPY a /a\n", False),
        ("FROM python\nrun pip install x\n", True),
        (
            "FROM --platform=$BUILDPLATFORM golang AS build\nRUN go build\nFROM scratch\nCOPY --from=build /x /x\n",
            False,
        ),
    ],
)
def test_which_builds_run_programs_of_the_host(text: str, runs: bool) -> None:
    assert runs_programs(text) == runs


@pytest.mark.parametrize(
    ("platform", "can_run", "stuck"),
    [
        ("linux/arm64", ["linux/amd64", "linux/386"], True),
        ("linux/arm64", ["linux/amd64", "linux/arm64"], False),
        ("linux/arm", ["linux/amd64", "linux/arm/v7"], False),
        ("linux/arm", ["linux/arm64"], True),
    ],
)
def test_a_builder_must_be_able_to_run_what_a_build_runs(platform: str, can_run: list[str], stuck: bool) -> None:
    runs, copies = "FROM python\nRUN true\n", "FROM scratch\nCOPY a /a\n"
    problems = list(check_builder({"backend": runs, "files": copies}, platform, "", can_run))
    assert bool(problems) == stuck
    assert not list(check_builder({"files": copies}, platform, "", can_run)), "copying runs nothing"
    if stuck:
        assert f"needs {platform}, and the builder of this machine cannot run that, as RUN for backend" in str(
            problems[0]
        )
        assert f"--install {platform.removeprefix('linux/')}" in problems[0].remedy
        assert "the builder 'big'" in str(next(check_builder({"backend": runs}, platform, "big", can_run)))


def test_a_variant_is_no_other_platform() -> None:
    assert without_variant("linux/arm64/v8") == without_variant("linux/arm64") == "linux/arm64"


def test_hosts_of_different_kinds_are_not_released_together() -> None:
    _require_one_kind({"a": "amd64", "b": "amd64"})
    with pytest.raises(DeployError, match=r"amd64: a,c; arm64: b"):
        _require_one_kind({"a": "amd64", "b": "arm64", "c": "amd64"})
