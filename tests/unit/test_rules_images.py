"""Rules about images: what their tags say, and whether they are still kept up."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from deploy.model.checks import Problem
from deploy.model.rules import Dockerfile
from deploy.model.rules.end_of_life import ends_of, longest
from tests.unit.examples import broken, model

TODAY = date(2026, 11, 21)


def with_image(image: str, name: str = "db") -> dict[str, Any]:
    document = model()
    document["services"][name]["image"] = image
    return document


def built(text: str, *rules: str, target: str = "", **build: Any) -> tuple[Problem, ...]:
    document = model()
    document["services"] = {"backend": document["services"]["backend"]}
    document["services"]["backend"]["build"] |= build
    return broken(document, *rules, dockerfiles={"backend": Dockerfile("app/Dockerfile", text, target)}, today=TODAY)


@pytest.mark.parametrize(
    ("image", "fatal"),
    [
        ("postgres", True),
        ("postgres:latest", True),
        ("postgres:alpine", True),
        ("postgres:alpine3.20", True),
        ("registry:5000/mirror/mysql:lts", True),
        ("mongo:jammy", True),
        ("redis", False),
        ("redis:latest", False),
        ("acme/app:main", False),
        ("node:lts-alpine", False),
        ("nginx:stable-alpine", False),
        ("timescale/timescaledb:latest-pg17", False),
        ("postgres:17", None),
        ("postgres:17-alpine3.20", None),
        ("pgvector/pgvector:pg17", None),
        ("postgres@sha256:0123", None),
        ("redis:latest@sha256:0123", None),
        ("nginx:alpine", None),
        ("registry:5000/acme/app:1.2", None),
        ("acme/app:mainline2", None),
    ],
)
def test_tags_that_move(image: str, fatal: bool | None) -> None:
    found = [one for one in broken(with_image(image), "moving-tag") if one.service == "db"]

    assert [one.fatal for one in found] == ([] if fatal is None else [fatal])


def test_a_registrys_port_is_no_tag() -> None:
    assert broken(with_image("registry:5000/acme/app"), "moving-tag")


@pytest.mark.parametrize(
    ("text", "target", "lines"),
    [
        ("ARG A=1\nFROM python\n", "", [2]),
        ("FROM python:3.13\n", "", []),
        ("FROM python:latest AS base\nFROM base\n", "", [1]),
        ("FROM python:latest AS dev\nFROM python:3.13 AS prod\n", "prod", []),
        ("FROM node:lts AS page\nFROM nginx:1.30\nCOPY --from=page /a /b\n", "", [1]),
        ("FROM node:lts AS tests\nFROM nginx:1.30\n", "", []),
        ("ARG TAG=latest\nFROM python:${TAG}\n", "", [2]),
        ("FROM scratch\n", "", []),
    ],
)
def test_what_a_build_starts_from_is_looked_at_too(text: str, target: str, lines: list[int]) -> None:
    found = built(text, "moving-tag", target=target)

    assert [one.place for one in found] == [f"app/Dockerfile:{line}" for line in lines]
    assert not any(one.fatal for one in found)


def test_arguments_of_the_build_win_over_the_defaults() -> None:
    assert not built("ARG TAG=latest\nFROM python:${TAG}\n", "moving-tag", args={"TAG": "3.13"})


def test_a_database_that_is_built_needs_its_major_version_as_well() -> None:
    (problem,) = built("FROM postgres:latest\n", "moving-tag")

    assert problem.fatal


@pytest.mark.parametrize(
    ("name", "tag", "ends"),
    [
        ("python", "3.9-slim", {"python 3.9": date(2025, 10, 31)}),
        ("python", "3.10.4-bullseye", {"python 3.10": date(2026, 10, 31), "debian 11": date(2026, 8, 31)}),
        ("node", "20-alpine3.16", {"node 20": date(2026, 4, 30), "alpine 3.16": date(2024, 5, 23)}),
        ("postgres", "13-alpine", {"postgres 13": date(2025, 11, 13)}),
        ("pgvector", "pg14", {"postgres 14": date(2026, 11, 12)}),
        ("timescaledb", "2.17.2-pg16", {"postgres 16": date(2028, 11, 9)}),
        ("debian", "bookworm-slim", {"debian 12": date(2028, 6, 30)}),
        ("debian", "12.5", {"debian 12": date(2028, 6, 30)}),
        ("mysql", "8", {"mysql 8": date(2032, 4, 30)}),
        ("mysql", "8.0.36", {"mysql 8.0": date(2026, 4, 30)}),
        ("redis", "8-alpine", {}),
        ("golang", "1.27", {}),
        ("ubuntu", "20.04", {"ubuntu 20.04": date(2025, 5, 31)}),
        ("acme", "1.2", {}),
        ("python", "slim", {}),
    ],
)
def test_what_a_tag_says_of_its_end(name: str, tag: str, ends: dict[str, date]) -> None:
    assert dict(ends_of(name, tag)) == ends


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("postgres:14", "postgres:14: postgres 14 has had no security updates since 2026-11-12"),
        ("debian:trixie", ""),
        ("redis:8.0", "redis:8.0: redis 8.0 gets none after 2026-12-01"),
        ("postgres:15", ""),
    ],
)
def test_an_end_is_told_and_one_that_is_near(image: str, said: str) -> None:
    found = [one for one in broken(with_image(image), "end-of-life", today=TODAY) if one.service == "db"]

    assert [one.message for one in found] == ([f"db: {said}"] if said else [])
    assert not any(one.fatal for one in found)


def test_only_what_a_service_runs_on_is_told_of_not_what_builds_it() -> None:
    text = "FROM node:18 AS page\nFROM python:3.8 AS base\nFROM base\nCOPY --from=page /a /b\n"

    assert [one.place for one in built(text, "end-of-life")] == ["app/Dockerfile:2"]


def test_the_release_that_is_kept_up_the_longest_is_named() -> None:
    best = longest("python")

    assert best
    assert best[1] == date(2030, 10, 31)
    assert longest("acme") is None


@pytest.mark.parametrize(
    ("platforms", "wrong"),
    [
        (("linux/amd64", "linux/arm64"), True),
        (("linux/arm64/v8", "linux/arm64"), False),
        (("linux/amd64", "linux/amd64"), False),
        (("linux/amd64", None), False),
    ],
)
def test_one_host_is_of_one_platform(platforms: tuple[str | None, str | None], wrong: bool) -> None:
    document = model()
    for name, platform in zip(("db", "nginx"), platforms, strict=True):
        if platform:
            document["services"][name]["platform"] = platform

    assert [one.path for one in broken(document, "platform")] == [("services", "nginx", "platform")] * wrong
