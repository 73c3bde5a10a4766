"""`prod.check` on projects as people write them, with the real `docker compose config`; nothing is started."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project

TASKS = "from deploy.tasks import namespace\n\nns = namespace(__file__)\n"
COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: "${POSTGRES_PASSWORD:?}"}
    volumes: ["pg:/var/lib/postgresql/data"]
    ports: ["5432:5432"]
  cache:
    image: redis:8
    logging: {options: {max-file: "2"}}
  store:
    image: mysql:8.4
    environment: {MYSQL_ROOT_PASSWORD: "${POSTGRES_PASSWORD}"}
    volumes: ["my:/var/lib/mysql"]
    x-deploy:
      allow: {no-health-check: somebody else asks it}
  seed:
    image: alpine:3.22
    command: ["true"]
  web:
    image: acme/web:1
    depends_on: [db, cache, store]
    ports: ["80:80"]
    healthcheck: {test: [CMD, web, check]}
    mem_limit: 64m
  api:
    image: acme/api:1
    restart: always
    depends_on:
      web: {condition: service_started}
      seed: {condition: service_completed_successfully}
volumes: {pg: , my: }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / ".env.prod").write_text("POSTGRES_PASSWORD=kJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8c\n")
    return Project(tmp_path, "shop")


def found(project: Project, *words: str, status: int = 0) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = json.loads(
        project.inv("prod.check", "--local", "--json", *words, expect=status).stdout
    )
    return problems


def lay_over(project: Project) -> None:
    names = "compose: [compose.yaml, compose.fixes.yaml]"
    (project.root / "invoke.yaml").write_text(f"deploy: {{environments: {{prod: {{{names}}}}}}}\n")


def config(project: Project) -> dict[str, Any]:
    files = [word for name in ("compose.yaml", "compose.fixes.yaml") for word in ("--file", name)]
    command = ["docker", "compose", "--env-file", ".env.prod", *files, "config", "--format", "json"]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = json.loads(done.stdout)["services"]
    return model


def test_what_fix_writes_is_accepted_by_compose_and_mends_all_it_says(shop: Project) -> None:
    before = [one for one in found(shop, status=1) if one["mends"] and not one["allowed"]]
    done = shop.inv("prod.check", "--fix", "--yes")
    services = config(shop)
    lay_over(shop)
    after = [one for one in found(shop) if one["mends"] and not one["allowed"]]

    assert {one["rule"] for one in before} >= {
        "published-data",
        "no-health-check",
        "depends-without-health",
        "short-stop-grace",
        "no-restart-policy",
        "no-log-rotation",
    }
    assert after == []
    assert "+    ports: !reset []" in done.stdout
    assert f"which mends {len(before)} problems" in done.stderr
    assert "ports" not in services["db"]
    assert services["cache"]["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    # what has no health check of its own, because its owner says so, is not waited for
    assert {name: how["condition"] for name, how in services["web"]["depends_on"].items()} == {
        "db": "service_healthy",
        "cache": "service_healthy",
        "store": "service_started",
    }
    assert services["api"]["depends_on"]["seed"]["condition"] == "service_completed_successfully"


def test_nothing_is_written_that_nobody_has_agreed_to(shop: Project) -> None:
    done = shop.inv("prod.check", "--fix", expect=2)

    assert "nobody can be asked, and --yes was not given" in done.stderr
    assert "+services:" in done.stdout
    assert not (shop.root / "compose.fixes.yaml").exists()


def test_an_overlay_that_is_there_is_shown_as_it_changes(shop: Project) -> None:
    shop.inv("prod.check", "--fix", "--yes")
    again = shop.inv("prod.check", "--fix", "--yes")
    shop.edit("compose.yaml", "    mem_limit: 64m\n", "    mem_limit: 64m\n    restart: always\n")
    changed = shop.inv("prod.check", "--fix", "--yes")

    assert again.stdout == ""
    assert "compose.fixes.yaml says all of this already" in again.stderr
    assert "-    restart: unless-stopped" in changed.stdout
    assert "+++ compose.fixes.yaml" in changed.stdout


def test_errors_end_with_1_warnings_only_when_asked(shop: Project) -> None:
    assert "1 error, " in shop.inv("prod.check", "--local", expect=1).stderr
    shop.edit("compose.yaml", '    ports: ["5432:5432"]\n', "")
    done = shop.inv("prod.check", "--local")

    assert "0 errors, " in done.stderr
    assert "nothing of it stops a deploy" in done.stderr
    assert "inv prod.check --fix writes an overlay" in shop.inv("prod.check", "--local", "--strict", expect=1).stderr


def test_a_reason_allows_one_for_a_service_or_the_environment(shop: Project) -> None:
    shop.edit(
        "compose.yaml",
        '    ports: ["5432:5432"]\n',
        '    ports: ["5432:5432"]\n    x-deploy: {allow: {published-data: "the firewall of the office"}}\n',
    )
    (shop.root / "invoke.yaml").write_text(
        "deploy: {environments: {prod: {allow: {no-memory-limit: a machine of its own}}}}\n"
    )
    problems = found(shop)
    text = shop.inv("prod.check", "--local").stdout

    assert {one["allowed"] for one in problems if one["rule"] == "published-data"} == {"the firewall of the office"}
    assert {one["allowed"] for one in problems if one["rule"] == "no-memory-limit"} == {"a machine of its own"}
    assert "allowed: the firewall of the office" in text


@pytest.mark.parametrize(
    ("old", "new", "yaml", "said"),
    [
        (
            "allow: {no-health-check: somebody else asks it}",
            "allow: {no-healthcheck: x}",
            "",
            "services.store.x-deploy.allow.no-healthcheck: there is no such rule",
        ),
        (
            "",
            "",
            "deploy: {environments: {prod: {allow: {no-health-checks: x}}}}",
            "deploy.environments.prod.allow.no-health-checks: there is no such rule",
        ),
    ],
)
def test_a_rule_that_is_none_is_answered_with_the_nearest(
    shop: Project, old: str, new: str, yaml: str, said: str
) -> None:
    shop.edit("compose.yaml", old, new)
    (shop.root / "invoke.yaml").write_text(yaml)
    done = shop.inv("prod.check", "--local", expect=2)

    assert said in done.stderr
    assert "did you mean 'no-health-check'?" in done.stderr


def test_a_reason_has_to_be_given(shop: Project) -> None:
    shop.edit("compose.yaml", "somebody else asks it", "")

    assert "services.store.x-deploy.allow.no-health-check: there is no reason" in (
        shop.inv("prod.check", "--local", expect=2).stderr
    )


def test_this_machine_alone_and_a_host_cannot_both_be_meant(shop: Project) -> None:
    done = shop.inv("prod.check", "--local", "--host", "deploy@server", expect=2)

    assert "--local and --host are against each other" in done.stderr


def test_a_file_for_a_code_scanner(shop: Project) -> None:
    shop.inv("prod.check", "--local", "--sarif", "out.sarif", expect=1)
    log = json.loads((shop.root / "out.sarif").read_text())
    result = next(one for one in log["runs"][0]["results"] if one["ruleId"] == "published-data")

    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "compose.yaml"},
        "region": {"startLine": 6},
    }


def test_a_password_with_a_dollar_is_found_in_its_file(shop: Project) -> None:
    (shop.root / ".env.prod").write_text("# production\nPOSTGRES_PASSWORD=kJ4hTq9Z$pL2vXw8ckJ4hTq9ZpL2\n")
    problem = next(one for one in found(shop, status=1) if one["rule"] == "undefined-variable")

    assert (problem["file"], problem["line"]) == (".env.prod", 2)
    assert "pL2vXw8c" not in "".join(str(part) for part in problem.values())


HIDDEN = """\
services:
  web:
    image: acme/web:1
    environment: {SECRET_KEY: "${SECRET_KEY}", API_TOKEN: "${API_TOKEN:-}", DB_PASSWORD: "${DB_PASSWORD:?}"}
"""


def rules_of_values(project: Project) -> set[str]:
    """Rules that look at what variables are."""
    about = ("secret", "password", "variable", "env")
    return {one["rule"] for one in found(project) if any(word in one["rule"] for word in about)}


def test_a_secret_that_a_command_gives_is_not_taken_for_a_blank_one(shop: Project) -> None:
    (shop.root / "compose.yaml").write_text(HIDDEN)
    (shop.root / ".env.prod").write_text("API_TOKEN=kJ4hTq9ZpL2vXw8ckJ4hTq9ZpL2vXw8c\n")
    secrets = {"SECRET_KEY": "false", "DB_PASSWORD": "false"}
    (shop.root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": {"prod": {"secrets": secrets}}}}))

    assert rules_of_values(shop) == set()


def test_of_an_encrypted_env_file_nothing_is_made_up(shop: Project) -> None:
    (shop.root / "compose.yaml").write_text(HIDDEN)
    (shop.root / ".env.example").write_text("SECRET_KEY=<random:50>\nAPI_TOKEN=<random:32>\nDB_PASSWORD=<random:32>\n")
    (shop.root / ".env.prod").write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")

    assert rules_of_values(shop) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fix", "--json"), "--fix writes a file and tells nothing else"),
        (("--local", "--sarif", "no/../compose.yaml/x"), "compose.yaml/x cannot be written"),
    ],
)
def test_options_that_cannot_be_are_refused(shop: Project, words: tuple[str, ...], said: str) -> None:
    assert said in shop.inv("prod.check", *words, expect=2).stderr
