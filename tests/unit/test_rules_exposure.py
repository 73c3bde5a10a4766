"""What is open to people whom it should not be open to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rule_projects import found, printed, problems

DB = """\
services:
  db:
    image: postgres:17
    ports:
      - "{port}"
"""


@pytest.mark.parametrize(
    ("port", "severity"),
    [
        ("5432:5432", "error"),
        ("0.0.0.0:5432:5432", "error"),
        ("[::]:5432:5432", "error"),
        ("203.0.113.9:5432:5432", "error"),
        ("5000-5010:5432", "error"),
        ("5432", "error"),
        ("${DB_PORT:-15432}:5432", "error"),
        ("10.0.0.3:5432:5432", "warning"),
        ("172.31.0.3:5432:5432", "warning"),
        ("192.168.1.2:5432:5432", "warning"),
        ("172.32.0.3:5432:5432", "error"),
        ("127.0.0.1:5432:5432", ""),
        ("[::1]:5432:5432", ""),
    ],
)
def test_a_published_database_is_found_where_it_is_written(port: str, severity: str, tmp_path: Path) -> None:
    expected = [f"published-data compose.yaml:5 {severity}"] if severity else []

    assert found(tmp_path, "published-data", DB.format(port=port)) == expected


@pytest.mark.parametrize("cleared", ["ports: []", "ports:"])
def test_an_override_that_clears_nothing_is_named(cleared: str, tmp_path: Path) -> None:
    later = f"services:\n  db:\n    {cleared}\n"
    ((problem, place),) = problems(tmp_path, "published-data", DB.format(port="5432:5432"), later)

    assert problem.message.endswith("; compose1.yaml says `ports: []`, which clears nothing")
    assert place == "compose.yaml:5"


def test_what_stands_before_the_ports_did_not_try_to_clear_them(tmp_path: Path) -> None:
    earlier = "services:\n  db:\n    image: postgres:17\n    ports: []\n"
    ((problem, _),) = problems(tmp_path, "published-data", earlier, DB.format(port="5432:5432"))

    assert "clears" not in problem.message


def test_the_overlay_leaves_the_ports_that_are_nobodys(tmp_path: Path) -> None:
    text = DB.format(port="5432:5432")
    ((problem, _),) = problems(tmp_path, "published-data", text)
    ((other, _),) = problems(tmp_path, "published-data", text + "      - 127.0.0.1:6000:5432\n")

    gone, left = (one.overlay["services"]["db"]["ports"] for one in (problem, other))
    assert (gone.tag, gone.value) == ("!reset", [])
    assert (left.tag, left.value) == ("!override", ["127.0.0.1:6000:5432"])


def service(text: str) -> str:
    return f"services:\n  one:\n    {text}\n"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("{image: minio/minio, ports: ['9000:9000']}", ""),
        ("{image: itzg/minecraft-server, ports: ['25565:25565']}", ""),
        ("{image: acme/pages, ports: ['8080:8080'], volumes: ['pages:/pages']}", ""),
        ("{image: acme/pages, ports: ['2222:22'], volumes: ['pages:/pages']}", "warning"),
        ("{image: acme/pooler, ports: ['5432:5432']}", "warning"),
        ("{image: acme/app, ports: ['8080:8080']}", ""),
        ("{image: elasticsearch:8.1.0, ports: ['9200:9200']}", "error"),
    ],
)
def test_what_is_meant_for_everybody_is_no_database(text: str, severity: str, tmp_path: Path) -> None:
    text = f"services:\n  one: {text}\n"

    assert [one.split()[-1] for one in found(tmp_path, "published-data", text)] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("rule", "text", "place"),
    [
        ("published-admin", "image: adminer\n    ports: ['8080:8080']", "4 warning"),
        ("published-admin", "image: dpage/pgadmin4\n    ports: ['127.0.0.1:8080:80']", ""),
        ("published-admin", "image: adminer", ""),
        (
            "published-admin",
            "image: traefik:v3\n    command: --api.insecure=true\n    ports: ['80:80', '9:8080']",
            "5 warning",
        ),
        ("published-admin", "image: traefik:v3\n    command: --api.insecure=true\n    ports: ['80:80']", ""),
        ("published-admin", "image: traefik:v3\n    ports: ['80:80', '8080:8080']", ""),
        ("trust-authentication", "image: postgres\n    environment: {POSTGRES_HOST_AUTH_METHOD: trust}", "4 error"),
        ("trust-authentication", "image: postgres\n    environment: {POSTGRES_HOST_AUTH_METHOD: md5}", ""),
        ("trust-authentication", "image: postgres\n    environment: {POSTGRES_INITDB_ARGS: --auth=trust}", "4 error"),
        ("trust-authentication", "image: postgres\n    environment: {POSTGRES_INITDB_ARGS: --auth-local=trust}", ""),
        ("trust-authentication", "image: mysql\n    environment: [MYSQL_ALLOW_EMPTY_PASSWORD=yes]", "4 error"),
        (
            "trust-authentication",
            "image: mysql\n    environment: [MYSQL_ALLOW_EMPTY_PASSWORD=yes, MYSQL_ROOT_PASSWORD=x]",
            "",
        ),
        ("trust-authentication", "image: bitnami/redis\n    environment: {ALLOW_EMPTY_PASSWORD: yes}", "4 warning"),
        ("trust-authentication", "image: bitnami/redis\n    environment: {ALLOW_EMPTY_PASSWORD: no}", ""),
        ("trust-authentication", "image: redis\n    ports: ['6379:6379']", "4 error"),
        ("trust-authentication", "image: redis\n    ports: ['127.0.0.1:6379:6379']", ""),
        (
            "trust-authentication",
            "image: redis\n    ports: ['6379:6379']\n    command: redis-server --requirepass x",
            "",
        ),
        ("trust-authentication", "image: redis", ""),
        ("trust-authentication", "image: mongo\n    ports: ['27017:27017']", "4 error"),
        ("cors-any", "image: x\n    environment: {CORS_ORIGINS: '*'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {CORS_ALLOWED_ORIGINS: 'https://a.example,*'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {BACKEND_CORS_ORIGINS: '[\"*\"]'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {CORS_ALLOW_ALL_ORIGINS: 'True'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {CORS_ORIGIN_ALLOW_ALL: 'true'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {ACCESS_CONTROL_ALLOW_ORIGIN: '*'}", "4 warning"),
        ("cors-any", "image: x\n    environment: {CORS_ALLOW_ALL_ORIGINS: 'False'}", ""),
        ("cors-any", "image: x\n    environment: {CORS_ORIGINS: 'https://*.example.com'}", ""),
        ("hosts-any", "image: x\n    environment: {ALLOWED_HOSTS: '*'}", "4 warning"),
        ("hosts-any", "image: x\n    environment: {DJANGO_ALLOWED_HOSTS: 'a.example *'}", "4 warning"),
        ("hosts-any", "image: x\n    environment: {TRUSTED_HOSTS: '*'}", "4 warning"),
        ("hosts-any", "image: x\n    environment: {ALLOWED_HOSTS: '.example.com'}", ""),
    ],
)
def test_a_mistake_is_found_and_what_is_near_to_it_is_none(rule: str, text: str, place: str, tmp_path: Path) -> None:
    expected = [f"{rule} compose.yaml:{place}"] if place else []

    assert found(tmp_path, rule, service(text)) == expected


def test_what_the_env_file_says_is_told_there(tmp_path: Path) -> None:
    text = service("image: x\n    environment: {ALLOWED_HOSTS: '${HOSTS:-shop.example}'}")

    assert found(tmp_path, "hosts-any", text, env="A=1\nHOSTS=*\n") == ["hosts-any .env.prod:2 warning"]
    assert "* " not in printed(tmp_path, "hosts-any", text)
