"""Where `prod.check` finds secrets, with the real `docker compose config`; nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.project import Project, commit

TASKS = "from deploy.tasks import namespace\n\nns = namespace(__file__)\n"
COMPOSE = """\
x-common: &common
  env_file: [more.env]
services:
  db:
    image: postgres:17
    environment:
      - POSTGRES_PASSWORD=${DB_PASSWORD:?}
      - BACKUP_PASSWORD=hunter2hunter
  web:
    <<: *common
    image: acme/web:1
    environment:
      DATABASE_URL: postgres://shop:${DB_PASSWORD}@db/${DB_NAME:-shop}
      SECRET_KEY: ${SECRET_KEY:-${OLD_KEY:-for-development-only}}
      COOKIE_SECRET:
    secrets: [token]
  jobs:
    extends: {file: base.yaml, service: base}
secrets:
  token: {environment: API_TOKEN}
"""
BASE = """\
services:
  base:
    image: acme/jobs:1
    environment: {QUEUE_PASSWORD: guest}
"""
ENV = """\
# production
DB_PASSWORD='p$ss'
COOKIE_SECRET=kJ4hTq9ZpL2vXw8c
API_TOKEN=<random:20>
"""
GOOD = "kJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8c"
ABOUT = frozenset({"weak-secret", "default-password", "example-secret", "secret-in-compose", "blank-secret"})


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    texts = {"tasks.py": TASKS, "compose.yaml": COMPOSE, "base.yaml": BASE, "more.env": "MAIL_PASSWORD=ab3#x\n"}
    for name, text in {**texts, ".gitignore": ".env.prod\n"}.items():
        (tmp_path / name).write_text(text)
    return Project(tmp_path, "shop")


def found(project: Project) -> set[str]:
    problems = json.loads(project.attempt("prod.check", "--local", "--json").stdout)
    return {f"{one['file']}:{one['line']} {one['rule']}" for one in problems if one["rule"] in ABOUT}


IN_COMPOSE = {
    "base.yaml:4 default-password",
    "compose.yaml:8 weak-secret",
    "compose.yaml:2 weak-secret",  # in a file that an anchor names
}
KEPT = {"base.yaml:4 secret-in-compose", "compose.yaml:8 secret-in-compose"}


def test_each_secret_is_found_where_it_is_set(shop: Project) -> None:
    (shop.root / ".env.prod").write_text(ENV)
    commit(shop.root, "As it is")

    assert found(shop) - IN_COMPOSE == KEPT | {
        ".env.prod:2 weak-secret",
        ".env.prod:3 weak-secret",
        ".env.prod:4 example-secret",
        "compose.yaml:14 example-secret",
    }


def test_what_git_does_not_keep_is_nobodys_secret(shop: Project) -> None:
    (shop.root / ".env.prod").write_text(ENV)
    commit(shop.root, "As it is")
    (shop.root / ".gitignore").write_text("*.yaml\n")
    for name in ("compose.yaml", "base.yaml"):
        (shop.root / name).rename(shop.root / f"{name}.away")
    commit(shop.root, "Without them")
    for name in ("compose.yaml", "base.yaml"):
        (shop.root / f"{name}.away").rename(shop.root / name)

    assert not KEPT & found(shop)


def test_what_stands_in_for_an_env_file_is_not_judged(shop: Project) -> None:
    (shop.root / ".env.example").write_text(f"DB_PASSWORD=\nSECRET_KEY=change-me\nCOOKIE_SECRET=<random:40>\n{ENV}")
    commit(shop.root, "As it is")

    assert {one for one in found(shop) if "env.example" in one or "compose.yaml:14" in one} == set()
    assert found(shop) - IN_COMPOSE == KEPT


def test_a_variable_that_nothing_sets_is_not_judged_by_what_stands_in_for_it(shop: Project) -> None:
    (shop.root / ".env.prod").write_text(f"SECRET_KEY={GOOD}\nCOOKIE_SECRET={GOOD}x\nAPI_TOKEN={GOOD}y\n")
    commit(shop.root, "As it is")

    assert found(shop) - IN_COMPOSE == KEPT


def test_a_secret_of_this_process_counts(shop: Project) -> None:
    (shop.root / ".env.prod").write_text(f"DB_PASSWORD={GOOD}\nCOOKIE_SECRET={GOOD}x\nAPI_TOKEN={GOOD}y\n")
    shop.env["SECRET_KEY"] = "short"
    commit(shop.root, "As it is")

    assert found(shop) - IN_COMPOSE == KEPT | {"compose.yaml:14 weak-secret"}
