"""`prod.check` on the reference stacks, and on twins of them with mistakes; nothing is started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, commit, copy_of_this_checkout, unique

# laid over a stack's own files; the rule that each line breaks stands behind it
BROKEN = {
    "timetracker": """\
services:
  db:
    ports: ["5432:5432"]  # published-data
    privileged: true  # privileged
  backend:
    command: python manage.py runserver  # reload-server
    environment:
      DEBUG: "True"  # debug-on
      ALLOWED_HOSTS: "*"  # hosts-any
      CORS_ALLOW_ALL_ORIGINS: "True"  # cors-any
      JWT_SECRET: ${JWT_SECRET:-anybody-can-read-this-one}  # example-secret
  worker:
    user: root  # runs-as-root
    pid: host  # host-namespace
  nginx:
    read_only: false  # writable-root
""",
    "alarm": """\
services:
  db:
    ports: ["0.0.0.0:5432:5432"]  # published-data
    cap_add: [SYS_ADMIN]  # added-capabilities
    environment:
      POSTGRES_INITDB_ARGS: --auth=trust  # trust-authentication
  app:
    user: "0:0"  # runs-as-root
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock  # docker-socket
    environment:
      DJANGO_DEBUG: "1"  # debug-on
      BROKER_URL: amqp://guest:guest@mq//  # default-password
      MAIL_PASSWORD: kJ4hTq9ZpL2vXw8c  # secret-in-compose
      JWT_SECRET: ${POSTGRES_DB:-alarm}-2  # nothing
  mail:
    image: axllent/mailpit:v1.20  # dev-mail
""",
    "autopack": """\
services:
  db:
    ports: ["5432:5432"]  # published-data
  qdrant:
    ports: ["10.0.0.3:6333:6333"]  # published-data
  backend:
    ipc: host  # host-namespace
    volumes:
      - ../../apps/autopack/backend:/app  # source-mount
      - /etc:/host/etc  # host-root-mount
    environment:
      CORS_ORIGINS: "*"  # cors-any
      APP_PASSWORD: hunter2  # default-password
      SCHEMA_SYNCHRONIZE: "true"  # schema-synchronize
      AUTOPACK_DEBUG: "true"  # debug-on
""",
    "primary-assistant": """\
services:
  db:
    ports: ["5432:5432"]  # published-data
    cap_add: [NET_ADMIN]  # added-capabilities
  web:
    user: root  # runs-as-root
    command: flask run --debug  # reload-server
    environment:
      FLASK_DEBUG: "1"  # debug-on
      ALLOWED_HOSTS: "*"  # hosts-any
      REDIS_URL: redis://:kJ4hTq9ZpL2vXw8c@redis/0  # url-password
      API_PASSWORD: ""  # blank-secret
  adminer:
    image: adminer:5
    ports: ["8081:8080"]  # published-admin
""",
    "procgenie": """\
services:
  postgres:
    ports: ["${DB_PORT_HOST:-5432}:5432"]  # published-data
    ipc: host  # host-namespace
  redis:
    privileged: true  # privileged
  api:
    user: root  # runs-as-root
    command: npm run start:dev  # reload-server
    environment:
      DB_SYNCHRONIZE: "true"  # schema-synchronize
      NODE_ENV: development  # debug-on
      CORS_ORIGIN: "*"  # cors-any
      SESSION_SECRET: tooshort-9  # weak-secret
""",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_this_checkout(tmp_path_factory.mktemp("clone"))


def check(checkout: Path, status: int) -> list[dict[str, Any]]:
    done = Project(checkout, unique("check")).inv("prod.check", "--local", "--json", expect=status)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("stack", BROKEN)
def test_a_reference_stack_breaks_no_rule(checkout: Path, stack: str) -> None:
    (checkout / "invoke.yaml").write_text(f"deploy: {{stack: {stack}}}\n")

    assert [one for one in check(checkout, 0) if not one["allowed"]] == []


@pytest.mark.parametrize("stack", BROKEN)
def test_every_mistake_in_its_twin_is_found_at_its_line(checkout: Path, stack: str) -> None:
    folder = f"compose/{stack}"
    (checkout / folder / "broken.yaml").write_text(BROKEN[stack])
    files = [f"{folder}/{name}.yaml" for name in ("compose", "prod", "broken")]
    environments = {"prod": {"compose": files}}
    (checkout / "invoke.yaml").write_text(json.dumps({"deploy": {"stack": stack, "environments": environments}}))
    commit(checkout, "As nobody should")
    found = {(one["rule"], one["line"]) for one in check(checkout, 1) if one["file"] == files[-1]}

    behind = [(line.partition("  # ")[2], number) for number, line in enumerate(BROKEN[stack].splitlines(), 1)]
    planted = {(rule, number) for rule, number in behind if rule and rule != "nothing"}
    assert len(planted) >= 8
    assert planted - found == set()
    assert not {number for rule, number in behind if rule == "nothing"} & {number for _, number in found}
