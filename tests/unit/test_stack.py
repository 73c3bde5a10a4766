"""Stacks: kinds, ports and x-deploy from a normalized compose model."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.kinds import Kind, image_name
from deploy.model.options import parse_options
from deploy.model.stack import one_service, parse_stack
from tests.unit.examples import model, stack


def test_kinds_are_found_with_their_reasons() -> None:
    found = {name: (service.kind, service.kind_reason) for name, service in stack().services.items()}

    assert found == {
        "db": (Kind.DATA, "image postgres keeps state"),
        "backend": (Kind.WEB, "can be reached by other services"),
        "worker": (Kind.WORKER, "its name or command says celery"),
        "nginx": (Kind.WEB, "publishes ports"),
    }


def test_a_foreign_image_with_a_volume_of_its_own_keeps_state() -> None:
    document = model()
    document["services"]["search"] = {
        "image": "acme/search:1",
        "volumes": [{"type": "volume", "source": "index", "target": "/d"}],
    }

    assert parse_stack(document).services["search"].kind == Kind.DATA


@pytest.mark.parametrize(
    ("image", "changes", "kind"),
    [
        ("acme/wiki:1", {}, Kind.DATA),
        ("acme/wiki:1", {"depends_on": {"db": {"condition": "service_started"}}}, Kind.DATA),
        ("acme/wiki:1", {"depends_on": {"backend": {"condition": "service_started"}}}, Kind.WEB),
        ("caddy:2", {}, Kind.WEB),
        ("traefik:v3", {}, Kind.WEB),
    ],
)
def test_what_keeps_state_does_so_with_published_ports_too(image: str, changes: dict[str, Any], kind: Kind) -> None:
    """Two of it on one volume could spoil it; a proxy in front of a release moves with it."""
    document = model()
    document["services"]["wiki"] = {
        "image": image,
        "ports": [{"target": 8080, "published": "8080"}],
        "volumes": [{"type": "volume", "source": "pages", "target": "/d"}],
    } | changes

    assert parse_stack(document).services["wiki"].kind == kind


@pytest.mark.parametrize(
    ("name", "image", "changes", "kind"),
    [
        ("migrate", "acme/app", {}, Kind.JOB),
        ("db-migrations", "acme/app", {}, Kind.JOB),
        ("schema", "flyway/flyway:11", {}, Kind.JOB),
        ("schema", "flyway/flyway:11", {"restart": "always"}, Kind.WEB),
        ("migrate", "acme/app", {"restart": "unless-stopped"}, Kind.WEB),
    ],
)
def test_what_runs_once_is_known_by_its_image_or_name(
    name: str, image: str, changes: dict[str, Any], kind: Kind
) -> None:
    document = model()
    document["services"][name] = {"image": image} | changes

    assert parse_stack(document).services[name].kind == kind


def test_a_foreign_image_that_only_reads_a_shared_volume_does_not() -> None:
    document = model()
    document["services"]["thumbs"] = {
        "image": "acme/thumbs:1",
        "volumes": [{"type": "volume", "source": "media", "target": "/d"}],
    }

    assert parse_stack(document).services["thumbs"].kind == Kind.WEB


def test_what_others_wait_for_to_complete_is_a_job() -> None:
    document = model()
    document["services"]["assets"] = {"build": {"context": "/src"}}
    document["services"]["nginx"]["depends_on"]["assets"] = {"condition": "service_completed_successfully"}

    assert parse_stack(document).services["assets"].kind == Kind.JOB


def test_x_deploy_overrides_detection() -> None:
    document = model()
    document["services"]["worker"]["x-deploy"] = {"kind": "web"}

    assert parse_stack(document).services["worker"].kind_reason == "x-deploy.kind"


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("postgres:17", "postgres"),
        ("reg:5000/team/redis@sha256:ab", "redis"),
        ("ghcr.io/a/mysql:8-debian", "mysql"),
        ("x", "x"),
    ],
)
def test_image_names_lose_registry_and_tag(reference: str, name: str) -> None:
    assert image_name(reference) == name


def test_ports_tell_http_from_tcp() -> None:
    document = model()
    document["services"]["nginx"]["ports"] = [
        {"target": 80, "published": "8080"},
        {"target": 443, "published": "443"},
        {"target": 9999, "published": "9999", "app_protocol": "http"},
        {"target": 5000, "published": "5000-5001", "host_ip": "127.0.0.1"},
        {"target": 7000},
    ]
    document["services"]["nginx"]["x-deploy"] = {"tcp": [5000]}

    ports = parse_stack(document).services["nginx"].ports

    assert {(str(port), port.http) for port in ports} == {
        ("8080", True),
        ("443", False),
        ("9999", True),
        ("127.0.0.1:5000", False),
        ("127.0.0.1:5001", False),
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network_mode": "host"}, "it uses the host's network"),
        ({"ports": [{"target": 53, "published": "53", "protocol": "udp"}]}, "it publishes a UDP port"),
    ],
)
def test_what_cannot_be_handed_over_is_exclusive(changes: dict[str, Any], reason: str) -> None:
    document = model()
    document["services"]["nginx"].update(changes)

    changed = parse_stack(document)

    assert reason in changed.services["nginx"].exclusive
    assert not changed.public


def test_a_worker_may_be_allowed_to_overlap() -> None:
    document = model()
    assert parse_stack(document).services["worker"].exclusive
    document["services"]["worker"]["x-deploy"] = {"overlap": True}
    assert not parse_stack(document).services["worker"].exclusive


@pytest.mark.parametrize(
    ("raw", "message", "remedy"),
    [
        ({"migrat": "x"}, "services.web.x-deploy.migrat: unknown key", "did you mean 'migrate'?"),
        ({"kind": "cronjob"}, "x-deploy.kind: 'cronjob' is not a kind", "did you mean 'job'?"),
        ({"overlap": "yes"}, "x-deploy.overlap is not true or false", "it is 'yes'"),
        ({"migrate": {"a": 1}}, "x-deploy.migrate is not a command", "list of words"),
        ({"health_path": "up"}, "x-deploy.health_path is not a path", "it is 'up'"),
        ({"tcp": [70000]}, "x-deploy.tcp is not a list of port numbers", "[70000]"),
        ("x", "services.web.x-deploy is not a mapping", "it is 'x'"),
    ],
)
def test_a_mistake_in_x_deploy_is_named(raw: object, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_options(raw, "web")

    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_commands_are_words() -> None:
    options = parse_options({"migrate": "sh -c 'a && b'", "test": ["pytest", "-k", "a b"]}, "web")

    assert options.migrate == Command("sh", "-c", "a && b")
    assert options.test == Command("pytest", "-k", "a b")


def test_false_is_no_command_and_says_so() -> None:
    options = parse_options({"migrate": False}, "web")

    assert options.migrate is None
    assert options.off == {"migrate"}


def test_a_command_that_nobody_or_several_declare_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"no service declares x-deploy\.shell"):
        one_service((), "shell")
    with pytest.raises(UsageError, match=r"more than one service declares x-deploy\.test: backend, worker"):
        one_service(("backend", "worker"), "test")


def test_secrets_do_not_show_in_a_stack() -> None:
    assert "s3cret" not in repr(stack())
