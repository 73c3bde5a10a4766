"""What nginx of a stack would ask for where nobody is any more, on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.model.rules import ConfigFile
from tests.unit.rule_projects import problems

COMPOSE = """\
services:
  proxy: {image: nginx:1.30, ports: ["80:80"]}
  backend: {image: ours/backend:1, container_name: shop_backend}
  db: {image: postgres:17, volumes: [pg:/var/lib/postgresql/data]}
volumes: {pg: }
"""
DNS = "resolver 127.0.0.11 valid=1s ipv6=off;\n"


def stale(folder: Path, text: str, compose: str = COMPOSE, *, cluster: bool = True) -> list[str]:
    """`line message` of each problem."""
    nginx = {"proxy": (ConfigFile("nginx.conf", text),)}
    found = problems(folder, "stale-upstream", compose, cluster=cluster, nginx=nginx)
    assert not any(one.fatal for one, _ in found)
    return [f"{place.removeprefix('nginx.conf:')} {one.message.removeprefix('proxy: nginx ')}" for one, place in found]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("location / { proxy_pass http://backend:8000; }", ["1 looks backend up once, as it starts"]),
        (
            "server {\n  location /a/ {\n    proxy_pass http://backend/a/;\n  }\n}",
            ["3 looks backend up once, as it starts"],
        ),
        ("fastcgi_pass shop_backend:9000;", ["1 looks shop_backend up once, as it starts"]),
        ("grpc_pass grpc://backend:50051;", ["1 looks backend up once, as it starts"]),
        (
            "upstream app {\n  least_conn;\n  server backend:8000 max_fails=3;\n}\nserver { proxy_pass http://app; }",
            ["3 looks backend up once, as it starts"],
        ),
        (
            "upstream backend { server backend:8000; }\nproxy_pass http://backend;",
            ["1 looks backend up once, as it starts"],
        ),
        ("upstream app { zone app 64k; server backend:8000 resolve; }", []),
        (f"{DNS}set $up http://backend:8000;\nproxy_pass $up;", []),
        ("resolver 127.0.0.11 valid=1500ms;\nproxy_pass $up;", ["1 keeps what the engine's DNS said for too long"]),
        ("resolver 127.0.0.11 valid=10s;\nproxy_pass $up;", ["1 keeps what the engine's DNS said for too long"]),
        ("resolver 127.0.0.11;\nproxy_pass http://$up;", ["1 keeps what the engine's DNS said for too long"]),
        ("resolver 127.0.0.11;", []),
        ("# proxy_pass http://backend:8000;", []),
        ("proxy_pass http://127.0.0.1:8000;\nproxy_pass http://unix:/run/app.sock;", []),
        ("proxy_pass https://example.org/api/;\nserver { listen 80; server_name backend; }", []),
        ("stream { server { listen 5432; proxy_pass db:5432; } }", []),
    ],
)
def test_a_name_that_is_looked_up_once_is_told_at_its_line(tmp_path: Path, text: str, told: list[str]) -> None:
    assert stale(tmp_path, text) == told


def test_it_is_told_for_clusters_only(tmp_path: Path) -> None:
    assert stale(tmp_path, "proxy_pass http://backend:8000;", cluster=False) == []


def test_a_service_that_asks_for_an_address_that_stays_is_found_there(tmp_path: Path) -> None:
    compose = COMPOSE.replace("ours/backend:1,", "ours/backend:1, deploy: {endpoint_mode: vip},")
    assert stale(tmp_path, "proxy_pass http://backend:8000;", compose) == []


def test_an_alias_of_a_network_is_a_name_too(tmp_path: Path) -> None:
    compose = COMPOSE.replace("container_name: shop_backend", "networks: {default: {aliases: [api]}}")
    assert stale(tmp_path, "proxy_pass http://api:8000;", compose) == ["1 looks api up once, as it starts"]
