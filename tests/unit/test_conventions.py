"""Which files make an environment, when nobody named them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from deploy.model.findings import choose_compose_files, choose_env_file, examples, placeholders

OVERLAY: dict[str, Any] = {"services": {"web": {"restart": "always"}}}
BASE: dict[str, Any] = {"services": {"web": {"build": "."}, "db": {"image": "postgres:17"}}}


def chosen(files: Mapping[str, Any], environment: str = "prod") -> tuple[str, ...]:
    found = choose_compose_files(files.keys(), environment, local=environment == "dev", document=files.get)
    return found.paths if found else ()


@pytest.mark.parametrize(
    ("names", "environment", "paths"),
    [
        ("compose.yaml", "dev", "compose.yaml"),
        ("compose.yaml", "prod", "compose.yaml"),
        ("docker-compose.yml", "prod", "docker-compose.yml"),
        ("compose.yaml compose.override.yaml", "dev", "compose.yaml compose.override.yaml"),
        ("compose.yaml compose.override.yaml", "prod", "compose.yaml"),
        ("compose.yaml docker-compose.yml", "dev", "compose.yaml"),
        (
            "docker-compose.yml docker-compose.dev.yml docker-compose.prod.yml",
            "dev",
            "docker-compose.yml docker-compose.dev.yml",
        ),
        (
            "docker-compose.yml docker-compose.dev.yml docker-compose.prod.yml",
            "prod",
            "docker-compose.yml docker-compose.prod.yml",
        ),
        (
            "docker-compose.yml docker-compose.production.yml",
            "prod",
            "docker-compose.yml docker-compose.production.yml",
        ),
        ("docker-compose.yml docker-compose-prod.yml", "prod", "docker-compose.yml docker-compose-prod.yml"),
        ("compose.yaml compose.staging.yaml compose.prod.yaml", "staging", "compose.yaml compose.staging.yaml"),
        ("compose.yaml compose.prod.yaml", "staging", "compose.yaml compose.prod.yaml"),
        ("docker-compose.local.yml docker-compose.production.yml", "prod", "docker-compose.production.yml"),
        ("docker-compose.local.yml docker-compose.production.yml", "dev", "docker-compose.local.yml"),
        ("local.yml production.yml", "prod", "production.yml"),
        ("docker/compose.yaml docker/compose.prod.yaml", "prod", "docker/compose.yaml docker/compose.prod.yaml"),
        ("compose.yaml deploy/compose.yaml", "prod", "compose.yaml"),
        ("README.md src/compose.yaml", "prod", ""),
    ],
)
def test_files_go_by_their_names(names: str, environment: str, paths: str) -> None:
    files = {
        name: BASE if name.rsplit("/", 1)[-1] in {"compose.yaml", "docker-compose.yml"} else OVERLAY
        for name in names.split()
    }

    assert chosen(files, environment) == tuple(paths.split())


@pytest.mark.parametrize(
    ("own", "alone"),
    [
        (OVERLAY, False),
        ({"services": {"web": {"build": ".", "depends_on": ["db"]}, "db": {"image": "postgres:17"}}}, True),
        ({"services": {"web": {"build": "."}, "proxy": {"image": "nginx"}}}, True),
        ({"services": {"web": {"build": {"context": ".", "target": "production"}}}}, False),
        ({"services": {"web": {"build": ".", "depends_on": {"db": {"condition": "service_healthy"}}}}}, False),
        ({"services": {"web": {"build": ".", "links": ["db:database"]}}}, False),
        (None, False),
    ],
)
def test_a_file_that_is_whole_by_itself_is_no_overlay(own: dict[str, Any] | None, alone: bool) -> None:
    files = {"docker-compose.yml": BASE, "docker-compose.prod.yml": own}

    assert (chosen(files) == ("docker-compose.prod.yml",)) == alone


def test_any_yaml_is_not_a_compose_file() -> None:
    assert chosen({"compose.yaml": BASE, "production.yml": {"database": {"host": "db"}}}) == ("compose.yaml",)


@pytest.mark.parametrize(
    ("names", "environment", "shared", "path"),
    [
        ("", "dev", False, ".env"),
        ("", "prod", False, ".env.prod"),
        (".env .env.prod", "prod", True, ".env.prod"),
        (".env.production", "prod", False, ".env.production"),
        ("prod.env", "prod", False, "prod.env"),
        (".env.production", "staging", False, ".env.staging"),
        ("staging.env", "staging", False, "staging.env"),
        (".env", "prod", True, ".env"),
        (".env", "prod", False, ".env.prod"),
        (".env .env.example", "prod", True, ".env.prod"),
        (".env.dev", "dev", False, ".env.dev"),
        (".env.dev .env.example", "dev", False, ".env"),
        ("docker/.env", "dev", False, "docker/.env"),
        ("docker/.env.production", "prod", False, "docker/.env.production"),
    ],
)
def test_env_files_go_by_their_names(names: str, environment: str, shared: bool, path: str) -> None:
    wanted = ".env" if environment == "dev" else f".env.{environment}"
    found = choose_env_file(names.split(), environment, wanted, shared=shared, folders=("", "docker"))

    assert found.path == path
    assert found.reason


def test_an_env_file_that_is_named_is_taken_as_it_is() -> None:
    assert choose_env_file([".env.prod"], "prod", "secrets/prod.env", shared=True).path == "secrets/prod.env"


def test_an_environments_own_example_comes_before_the_general_one() -> None:
    names = (".env.example", ".env.prod.example", "compose/.env.sample")

    assert examples(names, "prod")[0] == ".env.prod.example"
    assert examples(names, "dev") == (".env.example",)
    assert examples(names, "dev", ("compose", "")) == ("compose/.env.sample", ".env.example")


@pytest.mark.parametrize(
    ("name", "value", "made_up"),
    [
        ("SECRET_KEY", "changeme", True),
        ("SECRET_KEY", "your-secret-key-here", True),
        ("DB_PASSWORD", "postgres", True),
        ("DB_PASSWORD", "<password>", True),
        ("JWT_SECRET", "xxxxxxxx", True),
        ("API_KEY", "api_key", True),
        ("SECRET_KEY", "kJ4hTq9ZpL2vXw8c", False),
        ("SECRET_KEY", "", False),
        ("POSTGRES_USER", "postgres", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/password", False),
    ],
)
def test_an_examples_secret_is_known(name: str, value: str, made_up: bool) -> None:
    assert placeholders({name: value}) == ((name,) if made_up else ())
