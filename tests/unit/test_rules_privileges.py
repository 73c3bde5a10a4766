"""What a service may do to the host that it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.model.rules import Dockerfile
from tests.unit.rule_projects import found, problems


@pytest.mark.parametrize(
    ("rule", "text", "line"),
    [
        ("privileged", "image: x\n    privileged: true", 4),
        ("privileged", "image: x\n    privileged: false", 0),
        ("docker-socket", "image: x\n    volumes:\n      - /var/run/docker.sock:/var/run/docker.sock", 5),
        ("docker-socket", "image: x\n    volumes:\n      - /run/docker.sock:/run/docker.sock:ro", 5),
        ("docker-socket", "image: x\n    volumes:\n      - /run/user/1000/podman/podman.sock:/s", 5),
        ("docker-socket", "image: x\n    volumes:\n      - /var/run/postgresql:/var/run/postgresql", 0),
        (
            "docker-socket",
            "image: tecnativa/docker-socket-proxy\n    volumes: ['/run/docker.sock:/run/docker.sock']",
            0,
        ),
        ("docker-socket", "image: x\n    environment: {DOCKER_HOST: 'tcp://10.0.0.1:2375'}", 4),
        ("docker-socket", "image: x\n    environment: {DOCKER_HOST: 'tcp://one:2375'}", 0),
        ("host-root-mount", "image: x\n    volumes:\n      - a:/a\n      - /:/host", 6),
        ("host-root-mount", "image: x\n    volumes:\n      - /etc/:/host/etc", 5),
        ("host-root-mount", "image: x\n    volumes:\n      - /:/host:ro", 0),
        ("host-root-mount", "image: x\n    volumes:\n      - /etc/letsencrypt:/etc/letsencrypt", 0),
        ("added-capabilities", "image: x\n    cap_add:\n      - SYS_ADMIN", 5),
        ("added-capabilities", "image: x\n    cap_add: [CAP_NET_ADMIN]", 4),
        ("added-capabilities", "image: x\n    cap_add: [ALL]", 4),
        ("added-capabilities", "image: x\n    cap_add: [CHOWN, NET_BIND_SERVICE]", 0),
        ("no-new-privileges", "image: x", 2),
        ("no-new-privileges", "image: x\n    security_opt: ['no-new-privileges:true']", 0),
        ("no-new-privileges", "image: x\n    security_opt: ['no-new-privileges=true']", 0),
        ("no-new-privileges", "image: x\n    security_opt: ['no-new-privileges:false']", 4),
        ("writable-root", "image: x", 2),
        ("writable-root", "image: x\n    read_only: true", 0),
        ("writable-root", "image: x\n    read_only: false", 4),
        ("host-namespace", "image: x\n    network_mode: host", 4),
        ("host-namespace", "image: x\n    pid: host", 4),
        ("host-namespace", "image: x\n    ipc: host", 4),
        ("host-namespace", "image: x\n    ipc: shareable", 0),
        ("runs-as-root", "image: python:3.13", 3),
        ("runs-as-root", "image: python:3.13\n    user: '1000'", 0),
        ("runs-as-root", "image: acme/app\n    user: '0:0'", 4),
        ("runs-as-root", "image: nginx", 3),
        ("runs-as-root", "image: nginxinc/nginx-unprivileged", 0),
        ("runs-as-root", "image: acme/app", 0),
        ("runs-as-root", "image: postgres:17", 0),
    ],
)
def test_a_privilege_is_found_where_it_is_written(rule: str, text: str, line: int, tmp_path: Path) -> None:
    lines = found(tmp_path, rule, f"services:\n  one:\n    {text}\n")

    assert lines == ([f"{rule} compose.yaml:{line} warning"] if line else [])


@pytest.mark.parametrize(
    ("dockerfile", "place"),
    [
        ("FROM python:3.13\nCOPY . /app\n", "compose.yaml:3"),
        ("FROM python:3.13\nUSER 1000\n", ""),
        ("FROM python:3.13\nUSER 1000\nRUN true\nUSER root\n", "app/Dockerfile:4"),
        ("FROM python:3.13 AS a\nUSER 0\nFROM python:3.13\nUSER app:app\n", ""),
        ("FROM python:3.13 AS a\nUSER app\nFROM a\n", ""),
        ("FROM python:3.13 AS a\nUSER app\nFROM python:3.13\n", "compose.yaml:3"),
        ("ARG WHO=app\nFROM python:3.13\nUSER $WHO\n", ""),
        ("FROM acme/base\n", ""),
        ("FROM nginxinc/nginx-unprivileged\n", ""),
        ("FROM postgres:17\n", ""),
        ("FROM debian\nRUN apt-get install -y gosu\n", ""),
        ("", ""),
    ],
)
def test_who_runs_a_built_image_is_read_from_its_dockerfile(dockerfile: str, place: str, tmp_path: Path) -> None:
    lines = found(tmp_path, "runs-as-root", "services:\n  one:\n    build: app\n", dockerfile=dockerfile)

    assert lines == ([f"runs-as-root {place} warning"] if place else [])


def test_no_new_privileges_is_mended_by_an_overlay(tmp_path: Path) -> None:
    ((problem, _),) = problems(tmp_path, "no-new-privileges", "services:\n  one:\n    image: x\n")

    assert problem.overlay == {"services": {"one": {"security_opt": ["no-new-privileges:true"]}}}


def test_the_place_of_an_instruction_is_in_the_stage_that_is_built() -> None:
    file = Dockerfile("Dockerfile", "FROM a AS prod\nUSER root\nFROM prod AS dev\nUSER root\n", "prod")

    assert file.last("USER", "root") == "Dockerfile:2"
    assert Dockerfile("Dockerfile", file.text, "").last("USER", "root") == "Dockerfile:4"


def test_what_is_privileged_gains_nothing_from_it(tmp_path: Path) -> None:
    text = "services:\n  one:\n    image: x\n    privileged: true\n"

    assert found(tmp_path, "no-new-privileges", text) == []
