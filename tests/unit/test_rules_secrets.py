"""Secrets that are missing, weak, or known to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.model.rules.strength import bits, looks_random, weakness
from tests.unit.rule_projects import found, printed, problems

GOOD = "q7Fz3LkP0wXe9RbT5uYn2MhVc8GdJs4A"
RULES = "blank-secret default-password example-secret weak-secret secret-in-compose url-password shared-secret"


def environment(text: str) -> str:
    return f"services:\n  one:\n    image: x\n    environment:\n      {text}\n"


def lines(folder: Path, rules: str, text: str, **more: str | None) -> list[str]:
    return [one.removeprefix("compose.yaml") for one in found(folder, rules, environment(text), **more)]


@pytest.mark.parametrize(
    ("text", "env", "line"),
    [
        ("PASSWORD: ''", None, "compose.yaml:5 error"),
        ("DB_PASSWORD: ${DB_PASSWORD}", "A=1\nDB_PASSWORD=\n", ".env.prod:2 error"),
        ("DB_PASSWORD: ${DB_PASSWORD:-}", "", "compose.yaml:5 error"),
        ("SMTP_PASSWORD: ''", None, "compose.yaml:5 warning"),
        ("SENTRY_TOKEN: ''", None, "compose.yaml:5 warning"),
        ("ALLOW_EMPTY_PASSWORD: ''", None, ""),
        ("TOKEN_EXPIRY: ''", None, ""),
        ("DB_PASSWORD_FILE: ''", None, ""),
    ],
)
def test_a_blank_secret_is_found(text: str, env: str | None, line: str, tmp_path: Path) -> None:
    assert lines(tmp_path, "blank-secret", text, env=env) == ([f"blank-secret {line}"] if line else [])


@pytest.mark.parametrize(
    ("text", "env", "line"),
    [
        ("POSTGRES_PASSWORD: postgres", None, "compose.yaml:5"),
        ("POSTGRES_PASSWORD: ${PG:-postgres}", None, "compose.yaml:5"),
        ("POSTGRES_PASSWORD: ${PG:?}", "PG=Postgres\n", ".env.prod:1"),
        ("MINIO_ROOT_PASSWORD: minioadmin", None, "compose.yaml:5"),
        ("RABBITMQ_DEFAULT_PASS: guest", None, "compose.yaml:5"),
        ("BROKER_URL: amqp://guest:guest@mq//", None, "compose.yaml:5"),
        ("SHOP_USER: shop-keeper\n      SHOP_PASSWORD: shop-keeper", None, "compose.yaml:6"),
        ("MYSQL_ALLOW_EMPTY_PASSWORD: 'yes'", None, ""),
        ("MYSQL_ROOT_PASSWORD: ${ROOT:?}", f"ROOT={GOOD}\n", ""),
        ("BROKER_URL: amqp://shop:${MQ_PASSWORD:?}@mq//", f"MQ_PASSWORD={GOOD}\n", ""),
        ("POSTGRES_USER: postgres", None, ""),
    ],
)
def test_a_password_that_is_tried_first_is_found(text: str, env: str | None, line: str, tmp_path: Path) -> None:
    assert lines(tmp_path, "default-password", text, env=env) == ([f"default-password {line} error"] if line else [])


@pytest.mark.parametrize(
    ("text", "env", "line"),
    [
        ("SECRET_KEY: ${KEY:?}", "KEY=from-somebodys-example-9\n", ".env.prod:1"),
        ("SECRET_KEY: ${KEY:?}", "KEY=change-me-before-you-go-live\n", ".env.prod:1"),
        ("SECRET_KEY: ${KEY:?}", "KEY=django-insecure-8sf7Gh2kPq0ZxWv5Ty3Nb\n", ".env.prod:1"),
        ("SECRET_KEY: ${KEY:?}", "KEY=<random:32>\n", ".env.prod:1"),
        ("SECRET_KEY: ${KEY:?}", f"KEY={'x' * 40}\n", ".env.prod:1"),
        ("SECRET_KEY: ${KEY:-aVeryLongOneThatAnybodyCanRead1}", "", "compose.yaml:5"),
        ("SECRET_KEY: ${KEY:-aVeryLongOneThatAnybodyCanRead1}", f"KEY={GOOD}\n", ""),
        ("SECRET_KEY: ${KEY:?}", f"KEY={GOOD}\n", ""),
        ("SECRET_KEY: ${KEY:?}", f"KEY=dev{GOOD}\n", ""),
        ("GREETING: ${GREETING:-change me}", "", ""),
        ("SENTRY_TOKEN: ${SENTRY_TOKEN:-none}", "", ""),
    ],
)
def test_a_secret_of_an_example_is_found(text: str, env: str, line: str, tmp_path: Path) -> None:
    expected = [f"example-secret {line} error"] if line else []

    assert lines(tmp_path, "example-secret", text, env=env, example="KEY=from-somebodys-example-9\n") == expected


def test_a_default_of_what_others_make_up_is_warned_of(tmp_path: Path) -> None:
    text = "SENTRY_TOKEN: ${SENTRY_TOKEN:-not-used-here}"

    assert lines(tmp_path, "example-secret", text, env="") == ["example-secret compose.yaml:5 warning"]


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("DB_PASSWORD", "hX9#q", "error"),
        ("DB_PASSWORD", "hX9#q2Lp", "warning"),
        ("DB_PASSWORD", "hX9#q2LpZ0wR7vTn", ""),
        ("DB_PASSWORD", "abababababababababab", "warning"),
        ("DB_PASSWORD", "qwertyuiopasdfghjk", "warning"),
        ("DB_PASSWORD", "Summer2026!!!!!!!!", "warning"),
        ("SECRET_KEY", "hX9#q2LpZ0wR7vTn", "warning"),
        ("SECRET_KEY", GOOD, ""),
        ("JWT_SECRET", "hX9#q2LpZ0wR7vTn", "warning"),
        ("API_TOKEN", "hX9#q", "warning"),
        ("TOKEN_EXPIRE_MINUTES", "30", ""),
        ("PASSWORD_MIN_LENGTH", "8", ""),
        ("MAX_TOKENS", "4096", ""),
        ("VITE_MAP_TOKEN", "short", ""),
        ("BROKER_URL", "amqp://shop@mq", ""),
        ("NGINX_PROXY_PASS", "backend", ""),
        ("PUSHER_APP_KEY", "app-key", ""),
        ("APP_KEY", "base64:abc", "warning"),
        ("JWT_PRIVATE_KEY", "/run/jwt.pem", ""),
        ("PASSWORD_SALT", "ab3#", "warning"),
    ],
)
def test_a_secret_that_can_be_guessed_is_found(name: str, value: str, severity: str, tmp_path: Path) -> None:
    expected = [f"weak-secret .env.prod:2 {severity}"] if severity else []

    assert lines(tmp_path, "weak-secret", f"{name}: ${{{name}}}", env=f"A=1\n{name}={value}\n") == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"DB_PASSWORD: {GOOD}", "secret-in-compose compose.yaml:5"),
        (f"- DB_PASSWORD={GOOD}", "secret-in-compose compose.yaml:5"),
        ("DB_PASSWORD: ${PW:?}", ""),
        ("DB_PASSWORD_FILE: /run/secrets/db", ""),
        (f"DATABASE_URL: postgres://shop:{GOOD}@db/shop", "url-password compose.yaml:5"),
        ("DATABASE_URL: postgres://${DB_USER:-shop}:${PW:?}@db:5432/shop", ""),
        ("DATABASE_URL: postgres://shop@db/shop", ""),
        ("PROXY: http://shop.example:8080/a:b@c", ""),
    ],
)
def test_a_secret_that_git_keeps_is_found(text: str, line: str, tmp_path: Path) -> None:
    def kept(**more: object) -> list[str]:
        return found(tmp_path, "secret-in-compose url-password", environment(text), env=f"PW={GOOD}\n", **more)

    expected = [f"{line} warning"] if line else []
    assert kept() == expected  # without git, whoever has the project has it
    assert kept(tracked=frozenset({"compose.yaml"})) == expected
    assert kept(tracked=frozenset()) == []


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ("SECRET_KEY POSTGRES_PASSWORD", True),
        ("SECRET_KEY JWT_SECRET", True),
        ("REDIS_PASSWORD POSTGRES_PASSWORD", True),
        ("MYSQL_ROOT_PASSWORD MYSQL_PASSWORD", True),
        ("POSTGRES_PASSWORD DB_PASSWORD", False),
        ("PGPASSWORD POSTGRES_PASSWORD", False),
        ("QDRANT__SERVICE__API_KEY SHOP_QDRANT_API_KEY", False),
    ],
)
def test_two_secrets_of_one_value_are_found(names: str, told: bool, tmp_path: Path) -> None:
    first, second = names.split()
    text = environment(f"{first}: ${{{first}}}\n      {second}: ${{{second}}}")
    expected = ["shared-secret .env.prod:2 warning"] if told else []

    assert found(tmp_path, "shared-secret", text, env=f"{first}={GOOD}\n{second}={GOOD}\n") == expected


def test_one_variable_that_two_services_get_is_one_secret_and_told_once(tmp_path: Path) -> None:
    service = "    image: x\n    environment: {DB_PASSWORD: '${PW}', REDIS_PASSWORD: '${PW}'}\n"
    text = f"services:\n  one:\n{service}  two:\n{service}"
    ((problem, place),) = problems(tmp_path, RULES, text, env="PW=short-one\n")

    assert (problem.message, place) == ("PW (one, two) has 9 characters, 16 are wanted", ".env.prod:1")


def test_a_file_beside_that_git_does_not_know_may_say_a_secret(tmp_path: Path) -> None:
    mine = f"services:\n  one:\n    environment:\n      DB_PASSWORD: {GOOD}\n"
    files = (environment("A: b"), mine)

    assert found(tmp_path, "secret-in-compose", *files, tracked=frozenset({"compose.yaml"})) == []
    assert found(tmp_path, "secret-in-compose", *files, tracked=frozenset({"compose1.yaml"})) == [
        "secret-in-compose compose1.yaml:4 warning"
    ]


def test_the_database_comes_before_who_asks_it(tmp_path: Path) -> None:
    text = "services:\n  api: {image: x, environment: {PW: '${PW}', DB_PASSWORD: '${PW}'}}\n"
    text += "  db: {image: postgres, environment: {POSTGRES_PASSWORD: '${PW}'}}\n"
    ((problem, _),) = problems(tmp_path, "weak-secret", text, env="PW=short-one\n")

    assert problem.service == "db"


def test_what_only_stands_in_for_a_secret_is_not_judged(tmp_path: Path) -> None:
    text = environment("SECRET_KEY: ${KEY:?}\n      DB_PASSWORD: ${PW}")

    assert found(tmp_path, RULES, text, env="KEY=1\nPW=\n", stood_in=frozenset({"KEY", "PW"})) == []


def test_a_secret_of_an_anchor_and_of_what_is_extended_is_found_where_it_stands(tmp_path: Path) -> None:
    text = """\
x-common: &common
  DB_PASSWORD: postgres
services:
  base:
    image: x
    environment:
      API_PASSWORD: admin
  one:
    extends: base
    environment:
      <<: *common
"""
    assert "default-password compose.yaml:2 error" in found(tmp_path, "default-password", text)
    assert "default-password compose.yaml:7 error" in found(tmp_path, "default-password", text)


def test_no_value_is_ever_shown(tmp_path: Path) -> None:
    values = ["hX9#q", "abababababababababab", "postgres", "change-me-before-you-go-live", "hunter2hunter"]
    env = "".join(f"P{number}_PASSWORD={value}\n" for number, value in enumerate(values))
    text = "\n      ".join(f"P{number}_PASSWORD: ${{P{number}_PASSWORD}}" for number, _ in enumerate(values))
    text += "\n      URL: postgres://shop:hunter3hunter@db/shop\n      X_PASSWORD: hunter4hunter"
    shown = printed(tmp_path, RULES, environment(text), env=env)

    assert len(shown.splitlines()) > 2 * len(values)
    assert not [value for value in (*values, "hunter3hunter", "hunter4hunter") if value in shown]


def test_the_strength_of_a_secret_is_measured() -> None:
    assert bits("aaaaaaaaaaaaaaaa") == 0
    assert bits("abcdefgh") == pytest.approx(24)
    assert bits(GOOD) == pytest.approx(160)
    assert looks_random(GOOD)
    assert not looks_random("change-me-before-you-go-live")
    assert weakness("0123456789abcdef" * 2, key=True) == ("", False)
    assert weakness("0" * 40, key=True) == ("repeats few characters", False)
