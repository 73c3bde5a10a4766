"""Rules about staying up, readiness, and running more than once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.engine.lines import SourceLines
from deploy.model.checks import check_start_period
from deploy.model.durations import seconds
from deploy.model.journal import START_STEP, Entry, Outcome
from deploy.model.rules import Dockerfile, Tagged
from deploy.model.rules.health_checks import known_check
from tests.unit.examples import NOW, broken, facts, model, stack

HEALTH = {"test": ["CMD", "true"]}
LIMIT = {"resources": {"limits": {"memory": "1"}}}
ROTATED = {"driver": "json-file", "options": {"max-size": "10m"}}


def services(**changes: dict[str, Any]) -> dict[str, Any]:
    """The example with services changed; a value of None takes a key away."""
    document = model()
    for name, change in changes.items():
        service = document["services"].setdefault(name, {"networks": {"default": None}})
        service |= change
        for key in [key for key, value in change.items() if value is None]:
            del service[key]
    return document


def told(document: dict[str, Any], rule: str, **changes: Any) -> list[str]:
    """The services that break a rule."""
    return [one.service for one in broken(document, rule, **changes)]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, True),
        ({"logging": {"driver": "json-file"}}, True),
        ({"logging": {"options": {"max-file": "3"}}}, True),
        ({"logging": ROTATED}, False),
        ({"logging": {"driver": "local"}}, False),
        ({"logging": {"driver": "journald"}}, False),
    ],
)
def test_a_log_without_a_limit(change: dict[str, Any], wrong: bool) -> None:
    assert ("db" in told(services(db=change), "no-log-rotation")) == wrong


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, True),
        ({"deploy": {"resources": {"limits": {"cpus": 1}}}}, True),
        ({"deploy": LIMIT}, False),
        ({"mem_limit": "104857600"}, False),
    ],
)
def test_memory_without_a_limit(change: dict[str, Any], wrong: bool) -> None:
    assert ("backend" in told(services(backend=change), "no-memory-limit")) == wrong


def test_a_job_needs_neither_a_limit_nor_rotation_nor_a_restart() -> None:
    document = services(
        seed={"image": "acme/app:1", "command": ["seed"]},
        backend={"depends_on": {"seed": {"condition": "service_completed_successfully"}}},
    )

    for rule in ("no-memory-limit", "no-log-rotation", "no-restart-policy", "no-health-check"):
        assert "seed" not in told(document, rule)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (model(), ["backend", "nginx"]),
        (services(backend={"healthcheck": HEALTH}, nginx={"healthcheck": HEALTH}), []),
        (services(backend={"healthcheck": {"disable": True}}, nginx={"healthcheck": HEALTH}), []),
        (services(db={"healthcheck": None}, backend={"depends_on": None, "healthcheck": HEALTH}), ["db", "nginx"]),
        # compose waits for it: its image has one
        (services(nginx={"depends_on": {"backend": {"condition": "service_healthy"}}}), ["nginx"]),
    ],
)
def test_who_is_asked_or_awaited_needs_a_health_check(document: dict[str, Any], names: list[str]) -> None:
    assert told(document, "no-health-check") == names


def test_a_health_check_of_the_dockerfile_counts_where_the_image_has_it() -> None:
    def found(text: str) -> bool:
        return "backend" in told(
            model(), "no-health-check", dockerfiles={"backend": Dockerfile("app/Dockerfile", text, "")}
        )

    assert not found("FROM python:3.13\nHEALTHCHECK CMD curl -f localhost\n")
    assert found("FROM python:3.13 AS build\nHEALTHCHECK CMD curl -f localhost\nFROM python:3.13\n")


@pytest.mark.parametrize(
    ("image", "asks"),
    [
        ("postgres:17", "pg_isready"),
        ("pgvector/pgvector:pg17", "pg_isready"),
        ("mysql:8.4", "mysqladmin"),
        ("mariadb:11", "mariadb-admin"),
        ("redis:8-alpine", "redis-cli"),
        ("valkey/valkey:8", "valkey-cli"),
        ("rabbitmq:4", "rabbitmq-diagnostics"),
    ],
)
def test_a_known_store_is_given_its_health_check(image: str, asks: str) -> None:
    document = services(db={"image": image, "healthcheck": None})
    (problem,) = [one for one in broken(document, "no-health-check") if one.service == "db"]

    assert asks in problem.overlay["services"]["db"]["healthcheck"]["test"][1]


def test_others_are_left_to_a_person() -> None:
    assert known_check("acme/store:1") == {}
    assert all(not one.overlay for one in broken(model(), "no-health-check"))


@pytest.mark.parametrize(
    ("depends_on", "image", "wrong"),
    [
        ({"db": {"condition": "service_started", "required": True}}, "acme/app:1", True),
        ({"db": {"condition": "service_healthy", "required": True}}, "acme/app:1", False),
        ({"worker": {"condition": "service_started", "required": True}}, "acme/app:1", False),
        ({"db": {"condition": "service_started", "required": True}}, "nginx:alpine", False),
    ],
)
def test_waiting_for_no_more_than_a_start(depends_on: dict[str, Any], image: str, wrong: bool) -> None:
    document = services(web={"image": image, "depends_on": depends_on})

    assert ("web" in told(document, "depends-without-health")) == wrong


def test_mending_one_dependency_keeps_the_others() -> None:
    document = services(
        cache={"image": "redis:8", "healthcheck": HEALTH},
        seed={"image": "acme/seed:1"},
        web={
            "image": "acme/app:1",
            "depends_on": {
                "db": {"condition": "service_started", "required": True},
                "cache": {"condition": "service_started", "required": False},
                "seed": {"condition": "service_completed_successfully", "required": True},
            },
        },
    )
    found = broken(document, "depends-without-health")

    assert [one.path for one in found] == [("services", "web", "depends_on", name) for name in ("db", "cache")]
    for one in found:
        assert one.overlay["services"]["web"]["depends_on"] == Tagged(
            "!override",
            {
                "db": {"condition": "service_healthy", "required": True},
                "cache": {"condition": "service_healthy", "required": False},
                "seed": {"condition": "service_completed_successfully", "required": True},
            },
        )


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, True),
        ({"stop_grace_period": "10s"}, True),
        ({"stop_grace_period": "30s"}, False),
        ({"stop_grace_period": "1m0s"}, False),
        ({"image": "redis:8"}, False),
    ],
)
def test_a_database_is_given_time_to_end(change: dict[str, Any], wrong: bool) -> None:
    assert ("db" in told(services(db=change), "short-stop-grace")) == wrong


@pytest.mark.parametrize(("text", "span"), [("1m30s", 90), ("500ms", 0.5), ("1h0m0s", 3600), ("2.5s", 2.5), ("", 0)])
def test_durations_are_read_as_compose_prints_them(text: str, span: float) -> None:
    assert seconds(text) == span


UDP = {"mode": "ingress", "target": 53, "protocol": "udp"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"deploy": {"replicas": 2}, "ports": [UDP | {"published": "53"}]}, True),
        ({"scale": 2, "ports": [UDP | {"published": "53"}]}, True),
        ({"deploy": {"replicas": 2}, "ports": [UDP | {"published": "53-54"}]}, False),
        ({"deploy": {"replicas": 2}, "ports": [UDP]}, False),
        ({"ports": [UDP | {"published": "53"}]}, False),
        # the edge takes it over
        ({"deploy": {"replicas": 2}, "ports": [{"target": 80, "published": "80", "protocol": "tcp"}]}, False),
    ],
)
def test_a_port_that_several_are_to_hold(change: dict[str, Any], wrong: bool) -> None:
    document = services(dns={"image": "acme/dns:1", **change})

    assert [one.fatal for one in broken(document, "fixed-port-scaled")] == [True] * wrong


def test_problems_lead_to_their_lines(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  db:\n"
        "    image: postgres:17\n"
        "    stop_grace_period: 5s\n"
        "    logging:\n"
        "      driver: json-file\n"
        "  web:\n"
        "    image: acme/app:1\n"
        "    depends_on:\n"
        "      - cache\n"
        "      - db\n"
    )
    locate = SourceLines((tmp_path / "compose.yaml",), tmp_path).locate
    document = services(
        db={"stop_grace_period": "5s", "logging": {"driver": "json-file"}},
        web={"image": "acme/app:1", "restart": "always", "depends_on": {"db": {"condition": "service_started"}}},
    )

    def line(rule: str, service: str) -> str:
        return next(locate(one.path) for one in broken(document, rule) if one.service == service)

    assert line("short-stop-grace", "db") == "compose.yaml:4"
    assert line("no-log-rotation", "db") == "compose.yaml:5"
    assert line("no-memory-limit", "web") == "compose.yaml:7"
    assert line("depends-without-health", "web") == "compose.yaml:11"


CHECKED = services(
    backend={"healthcheck": HEALTH | {"interval": "2s", "retries": 5, "start_period": "10s"}},
    nginx={
        "healthcheck": HEALTH | {"interval": "2s", "retries": 5},
        "depends_on": {"backend": {"condition": "service_healthy"}},
    },
)


@pytest.mark.parametrize(
    ("took", "document", "wrong"),
    [
        (29, CHECKED, True),
        (20, CHECKED, False),
        (0, CHECKED, False),
        (29, model(), False),
    ],
)
def test_a_health_check_leaves_the_time_that_starting_took(took: float, document: dict[str, Any], wrong: bool) -> None:
    """30 s: nginx waits for the backend, whose check allows 20."""
    entry = Entry(NOW, Outcome.DEPLOYED, "r1", "ada@laptop", steps={START_STEP: took})
    found = list(check_start_period(facts(journal=(entry,)), stack(document)))

    assert [(one.service, one.fatal, one.rule) for one in found] == [("nginx", False, "start-period")] * wrong


def test_only_changes_that_ended_well_tell_how_long_starting_takes() -> None:
    failed = Entry(NOW, Outcome.FAILED, "r1", "ada@laptop", steps={START_STEP: 180})

    assert not list(check_start_period(facts(journal=(failed,)), stack(CHECKED)))


@pytest.mark.parametrize(
    ("name", "change", "mended"),
    [
        ("db", {"restart": None}, True),
        ("worker", {"restart": None}, True),
        ("nginx", {"restart": None}, True),
        ("cache", {"image": "acme/cache:1"}, False),
    ],
)
def test_only_what_is_to_last_is_restarted_without_thinking(name: str, change: dict[str, Any], mended: bool) -> None:
    (problem,) = [one for one in broken(services(**{name: change}), "no-restart-policy") if one.service == name]

    assert bool(problem.overlay) == mended


def test_what_others_count_on_is_to_last() -> None:
    document = services(
        cache={"image": "acme/cache:1"},
        backend={"depends_on": {"cache": {"condition": "service_started"}}},
    )

    assert "cache" in told(document, "no-log-rotation")
    assert "cache" not in told(services(cache={"image": "acme/cache:1"}), "no-log-rotation")
