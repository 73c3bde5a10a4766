"""Rules about builds and proxies, on real files: Dockerfiles, contexts, settings of nginx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.engine.compose import ComposeProject
from deploy.engine.lines import SourceLines
from deploy.engine.subject import read_subject
from deploy.model.checks import Problem
from deploy.model.places import Places
from deploy.model.rules import RULES, examine
from deploy.model.settings import parse_settings
from deploy.model.stack import parse_stack
from deploy.shell import LocalShell

KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n"
ALL = "FROM python:3.13\nCOPY . .\n"
STAGED = "FROM python:3.13 AS build\nCOPY . .\nFROM python:3.13\nCOPY --from=build /app /app\n"


def found(root: Path, rule: str, dockerfile: str, **service: Any) -> list[Problem]:
    """What breaks a rule in a project with one service, built from `app`."""
    (root / "app").mkdir(exist_ok=True)
    (root / "app" / "Dockerfile").write_text(dockerfile)
    (root / "compose.yaml").write_text("services:\n  web:\n    build: app\n")
    build = {"context": str(root / "app"), "dockerfile": "Dockerfile"} | service.pop("build", {})
    document = {"services": {"web": {"build": build, **service}}}
    files = (root / "compose.yaml",)
    lines = SourceLines(files, root)
    environment = parse_settings({}, folder="shop").environment("prod")
    compose = ComposeProject(LocalShell(root), "shop", files)
    subject = read_subject(compose, environment, root, parse_stack(document), Places(root), lines, example=None)
    return list(examine(subject, [one for one in RULES if one.id == rule], {}))


@pytest.mark.parametrize(
    ("name", "text", "dockerfile", "fatal"),
    [
        (".env", "API_KEY=kJ4hTq9ZpL2v\n", ALL, True),
        (".env.prod", "export DB_PASSWORD='kJ4hTq9ZpL2v'\n", ALL, True),
        (".env", "API_KEY=kJ4hTq9ZpL2v\n", STAGED, False),
        (".env", "API_KEY=kJ4hTq9ZpL2v\n", "FROM python:3.13\nCOPY src /src\n", None),
        ("src/.env", "API_KEY=kJ4hTq9ZpL2v\n", "FROM python:3.13\nCOPY src /src\n", False),
        (".env", "API_KEY=kJ4hTq9ZpL2v\n", 'FROM python:3.13\nCOPY --chown=1 ["./", "/app"]\n', True),
        (".env", "API_KEY=kJ4hTq9ZpL2v\n", "FROM python:3.13\nCOPY .env* /app/\n", False),
        ("certs/server.key", KEY, ALL, True),
        ("id_ed25519", KEY, ALL, True),
        ("tests/certs/server.key", KEY, ALL, False),
        ("credentials.json", "{}", ALL, False),
        (".npmrc", "//registry/:_authToken=abc\n", ALL, False),
        # called like secrets, and none
        (".env", "VITE_API_URL=/api\nVITE_TOKEN=public\n", ALL, None),
        (".env.production", "NODE_ENV=production\nSECRET_KEY=changeme\n", ALL, None),
        (".env", "API_KEY=\nDB_PASSWORD=$OTHER\n", ALL, None),
        (".env.example", "API_KEY=kJ4hTq9ZpL2v\n", ALL, None),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\n", ALL, None),
        (".npmrc", "save-exact=true\n", ALL, None),
    ],
)
def test_secrets_that_a_build_sees(tmp_path: Path, name: str, text: str, dockerfile: str, fatal: bool | None) -> None:
    file = tmp_path / "app" / name
    file.parent.mkdir(parents=True)
    file.write_text(text)
    problems = found(tmp_path, "secrets-in-context", dockerfile)

    assert [one.fatal for one in problems] == ([] if fatal is None else [fatal])
    if fatal:
        assert problems[0].place == "app/Dockerfile:2"
        assert problems[0].remedy == f"add {name} to app/.dockerignore"


def test_what_the_build_does_not_see_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ".env").write_text("API_KEY=kJ4hTq9ZpL2v\n")
    (tmp_path / "app" / ".dockerignore").write_text(".env*\n")

    assert not found(tmp_path, "secrets-in-context", ALL)


def test_stages_of_another_target_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ".env").write_text("API_KEY=kJ4hTq9ZpL2v\n")
    text = "FROM python:3.13 AS base\nFROM base AS dev\nCOPY . .\nFROM base AS prod\nCOPY src /src\n"

    assert [one.fatal for one in found(tmp_path, "secrets-in-context", text, build={"target": "prod"})] == []
    assert [one.fatal for one in found(tmp_path, "secrets-in-context", text, build={"target": "dev"})] == [True]


@pytest.mark.parametrize(
    ("dockerfile", "ignored", "places"),
    [
        (ALL, None, ["app/Dockerfile:2"]),
        (STAGED, None, ["app/Dockerfile:2"]),
        (ALL, "*.log\n", []),
        ("FROM python:3.13\nCOPY src ./\n", None, []),
        ("FROM python:3.13 AS a\nFROM python:3.13\nCOPY --from=a . .\n", None, []),
    ],
)
def test_a_build_that_takes_everything(tmp_path: Path, dockerfile: str, ignored: str | None, places: list[str]) -> None:
    (tmp_path / "app" / "node_modules").mkdir(parents=True)
    if ignored:
        (tmp_path / "app" / ".dockerignore").write_text(ignored)

    assert [one.place for one in found(tmp_path, "no-dockerignore", dockerfile)] == places


def test_a_small_folder_needs_no_ignore_file(tmp_path: Path) -> None:
    assert not found(tmp_path, "no-dockerignore", ALL)


@pytest.mark.parametrize(
    ("dockerfile", "args", "places"),
    [
        ("FROM a:1\nENV SECRET_KEY=abc\n", {}, ["app/Dockerfile:2"]),
        ("FROM a:1\nENV DEBUG=0 \\\n    API_KEY='abc'\n", {}, ["app/Dockerfile:2"]),
        ("FROM a:1\nENV SECRET_KEY abc\n", {}, ["app/Dockerfile:2"]),
        ("FROM a:1\nARG NPM_TOKEN=abc\n", {}, ["app/Dockerfile:2"]),
        ("FROM a:1\nARG NPM_TOKEN\nENV NPM_TOKEN=$NPM_TOKEN\n", {}, ["app/Dockerfile:3"]),
        ("FROM a:1\nARG NPM_TOKEN\n", {"NPM_TOKEN": "abc"}, [""]),
        ("FROM a:1\nARG NPM_TOKEN\n", {}, []),
        ("FROM a:1\nARG NPM_TOKEN\n", {"NPM_TOKEN": None}, []),
        ("FROM a:1 AS b\nARG NPM_TOKEN\nENV SECRET_KEY=abc\nFROM a:1\n", {"NPM_TOKEN": "abc"}, []),
        ("FROM a:1\nENV SECRET_KEY=\n", {}, []),
        ("FROM a:1\nENV TOKENIZERS_PARALLELISM=false PASSWORD_FILE=/run/x\n", {}, []),
        ("FROM a:1\nARG VITE_TOKEN=abc NEXT_PUBLIC_API_KEY=abc\n", {}, []),
        ("FROM a:1\nRUN SECRET_KEY=abc make\n", {}, []),
    ],
)
def test_secrets_that_stay_in_an_image(
    tmp_path: Path, dockerfile: str, args: dict[str, str | None], places: list[str]
) -> None:
    problems = found(tmp_path, "secret-in-build-arg", dockerfile, build={"args": args})

    assert [one.place for one in problems] == places
    assert "abc" not in "".join(map(str, problems))


LIMITS = "http {\n  limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;\n}\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (LIMITS, [2]),
        ("limit_conn_zone $remote_addr zone=a:1m;\n", [1]),
        (f"user nginx;\n# its own\n  # limits\n{LIMITS}", [5]),
        ("# limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;\n", []),
        ("limit_req_zone $http_x_forwarded_for zone=a:1m rate=1r/s;\n", []),
        (f"set_real_ip_from 10.0.0.0/8;\nreal_ip_header X-Forwarded-For;\n{LIMITS}", []),
        ("location /admin {\n  allow 203.0.113.7;\n  deny all;\n}\n", [2]),
        ("location /status {\n  allow 127.0.0.1;\n  deny all;\n}\n", []),
        ("location ~ /[.] {\n  deny all;\n}\n", []),
        ("geo $office {\n  default 0;\n}\n", [1]),
        ("geo $http_x_real_ip $office {\n  default 0;\n}\n", []),
        ("map $remote_addr $x { }\n", []),
    ],
)
def test_nginx_goes_by_the_edges_address(tmp_path: Path, text: str, lines: list[int]) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "nginx.conf").write_text(text)
    problems = found(
        tmp_path, "limits-by-edge-address", "FROM nginx:1.30\nCOPY nginx.conf /etc/nginx/conf.d/default.conf\n"
    )

    assert [one.place for one in problems] == [f"app/nginx.conf:{line}" for line in lines]


def mounted(root: Path) -> dict[str, Any]:
    (root / "conf").mkdir()
    (root / "conf" / "site.conf").write_text(LIMITS)
    mount = {"type": "bind", "source": str(root / "conf"), "target": "/etc/nginx/conf.d", "read_only": True}
    return {"volumes": [mount]}


def test_settings_that_are_mounted_are_read_too(tmp_path: Path) -> None:
    problems = found(tmp_path, "limits-by-edge-address", "FROM nginx:1.30\n", **mounted(tmp_path))

    assert [one.place for one in problems] == ["conf/site.conf:2"]


def test_one_file_that_knows_the_client_is_enough(tmp_path: Path) -> None:
    service = mounted(tmp_path)
    (tmp_path / "conf" / "real.conf").write_text("real_ip_header X-Forwarded-For;\n")

    assert not found(tmp_path, "limits-by-edge-address", "FROM nginx:1.30\n", **service)


def test_files_of_another_context_are_followed(tmp_path: Path) -> None:
    (tmp_path / "setup").mkdir()
    (tmp_path / "setup" / "nginx.conf").write_text(LIMITS)
    problems = found(
        tmp_path,
        "limits-by-edge-address",
        "FROM python:3.13\nCOPY --from=setup nginx.conf /etc/nginx/nginx.conf\n",
        build={"additional_contexts": {"setup": str(tmp_path / "setup")}},
    )

    assert [one.place for one in problems] == ["setup/nginx.conf:2"]


def test_what_is_no_text_is_left_alone(tmp_path: Path) -> None:
    service = mounted(tmp_path)
    (tmp_path / "conf" / "dhparam.bin").write_bytes(b"\xff\xfe\x00limit_req_zone $remote_addr")
    (tmp_path / "conf" / "gone.conf").symlink_to("nowhere")

    assert len(found(tmp_path, "limits-by-edge-address", "FROM nginx:1.30\n", **service)) == 1
