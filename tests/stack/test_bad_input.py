"""Mistakes that compose finds, or that are in what it gives: each told with its place and a remedy, nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.model.settings.parse import slug
from tests.bad_input import Bad, File, of, require_said
from tests.project import docker

INSPECT = ("stack.inspect", "--env", "prod")
FIRST = "→ mend what the message above names"
REFUSED = r"docker compose does not accept \S*/compose\.yaml"
WEB = "services: {web: {image: nginx}}\n"


def refused(name: str, text: File, said: str, **others: str) -> Bad:
    """A row about a compose file that compose itself has the words for."""
    files = {"compose.yaml": text} | {f"{other}.yaml": content for other, content in others.items()}
    return Bad(name, files, INSPECT, f"{said}[\\s\\S]*{REFUSED}", FIRST)


def option(name: str, text: str, said: str, remedy: str) -> Bad:
    """A row about `x-deploy` of a service."""
    document = f"services: {{web: {{image: nginx, x-deploy: {text}}}}}\n"
    return Bad(name, {"compose.yaml": document}, INSPECT, rf"services\.web\.x-deploy{said}", remedy)


COMPOSE = (
    refused("tabs", "services:\n\tweb: {image: nginx}\n", "line 2: found character"),
    refused("service-twice", "services:\n  web: {image: a}\n  web: {image: b}\n", '"web" already defined at line 2'),
    refused("empty", "", "empty compose file"),
    refused("list", "- a\n", "must be a mapping"),
    refused("unknown-key", "services: {web: {imagee: nginx}}\n", r"services\.web .*imagee"),
    refused("no-image", "services: {web: {}}\n", '"web" has neither an image nor a build'),
    refused("no-service", "services: {web: }\n", r"services\.web must be a mapping"),
    refused("services-list", "services: [web]\n", "services must be a mapping"),
    refused("name", "services: {My Web: {image: nginx}}\n", "My Web"),
    refused("port", "services: {web: {image: x, ports: ['99999:80']}}\n", "Invalid hostPort: 99999"),
    refused("network", "services: {web: {image: x, networks: [n]}}\n", "undefined network n"),
    refused("interpolation", "services: {web: {image: '${A'}}\n", "invalid interpolation format"),
    refused("duration", "services: {web: {image: x, stop_grace_period: soon}}\n", 'invalid duration "soon"'),
    refused("replicas", "services: {web: {image: x, deploy: {replicas: many}}}\n", r"replicas: .*\"many\""),
    refused("env-file", "services: {web: {image: x, env_file: nope.env}}\n", r"env file .*nope\.env not found"),
    refused("own-anchor", f"x-a: &a {{b: *a}}\n{WEB}", "cycle detected"),
    refused("too-deep", f"x-a: {'[' * 20000}{']' * 20000}\n{WEB}", "exceeded max depth"),
    refused("extends-cycle", "services: {a: {extends: {service: b}}, b: {extends: {service: a}}}\n", "Circular"),
    refused("extends-missing", "services: {a: {extends: {service: b}}}\n", '"b" not found'),
    refused("include-cycle", f"include: [b.yaml]\n{WEB}", "include cycle", b="include: [compose.yaml]\n"),
    refused("include-missing", f"include: [b.yaml]\n{WEB}", r"b\.yaml"),
    refused(
        "needs-cycle", "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}\n", "a -> b -> a"
    ),
    refused("needs-missing", "services: {a: {image: x, depends_on: [b]}}\n", 'undefined service "?b'),
    Bad("no-services", {"compose.yaml": "volumes: {a: {}}\n"}, INSPECT, "define no services", "→ check `compose:`"),
)

OPTIONS = (
    option("x-key", "{migrat: x}", r"\.migrat: unknown key", "mean 'migrate'"),
    option("x-list", "[a]", " is not a mapping", r"→ it is \['a'\]"),
    option("x-text", "hello", " is not a mapping", "→ it is 'hello'"),
    option("x-kind", "{kind: databse}", r"\.kind: 'databse' is not a kind", "→ (known|did you mean)"),
    option("x-kind-list", "{kind: [data]}", r"\.kind: .* is not a kind", "→ (known|did you mean)"),
    option("x-command-map", "{migrate: {a: b}}", r"\.migrate is not a command", "→ write a text or a list"),
    option("x-command-quote", '{migrate: "sh -c \'x"}', r"\.migrate is not a command", "→ close the quotation"),
    option("x-command-true", "{migrate: true}", r"\.migrate is not a command", "→ write a text or a list"),
    option("x-command-blank", "{migrate: ' '}", r"\.migrate is not a command", "→ write a text or a list"),
    option("x-command-nested", "{migrate: [a, [b]]}", r"\.migrate is not a command", "→ write a text or a list"),
    option("x-overlap", "{overlap: 'yes'}", r"\.overlap is not true or false", "→ it is 'yes'"),
    option("x-health", "{health_path: health}", r"\.health_path is not a path", "→ it is 'health'"),
    option("x-health-line", '{health_path: "/a\\nb"}', r"\.health_path is not a path", "→ it is"),
    option("x-tcp", "{tcp: 8000}", r"\.tcp is not a list of port numbers", "→ it is 8000"),
    option("x-tcp-high", "{tcp: [99999]}", r"\.tcp is not a list of port numbers", r"→ it is \[99999\]"),
    option("x-tcp-bool", "{tcp: [true]}", r"\.tcp is not a list of port numbers", r"→ it is \[True\]"),
    option("x-keep", "{keep: [uploads]}", r"\.keep is not a list of paths", "→ it is"),
    option("x-backup", "{backup: media}", r"\.backup is not true, false, or a list", "→ it is 'media'"),
    option("x-proof", "{proof: [a]}", r"\.proof is not a text", "→ it is"),
    option("x-point-in-time", "{point_in_time: 'on'}", r"\.point_in_time is not true or false", "→ it is 'on'"),
    Bad(
        "mistyped-extension",
        {"compose.yaml": "services: {web: {image: nginx, x-depoly: {migrate: x}}}\n"},
        INSPECT,
        r"services\.web\.x-depoly: unknown",
        "mean 'x-deploy'",
    ),
    Bad(
        "extension-at-the-top",
        {"compose.yaml": f"x-deploy: {{migrate: x}}\n{WEB}"},
        INSPECT,
        "x-deploy at the top of a compose file is nobody's",
        "→ write it beside a service",
    ),
    Bad(
        "crlf",
        {"compose.yaml": b"services:\r\n  web:\r\n    image: nginx\r\n    x-deploy:\r\n      migrat: x\r\n"},
        INSPECT,
        r"x-deploy\.migrat: unknown key",
        "mean 'migrate'",
    ),
)

VARIABLES = (
    Bad(
        "not-set",
        {"compose.yaml": "services: {web: {image: '${A:?tell me}'}}\n"},
        ("dev.url",),
        r"\.env: not set: A\n",
        r"→ set them in \S*/\.env",
    ),
    Bad(
        "crlf-env",
        {"compose.yaml": "services: {web: {image: 'x:${A:?}${B:?}'}}\n", ".env": b"A=1\r\n"},
        ("dev.url",),
        r"not set: B\n",
        "→ set them in",
    ),
    Bad(
        "quote-env",
        {"compose.yaml": WEB, ".env": "A='x\n"},
        ("dev.url",),
        r"\.env:1: A: the value's ' is never closed",
        "→ add ' at its end",
    ),
    Bad(
        "name-env",
        {"compose.yaml": WEB, ".env": "A B=x\n"},
        ("dev.url",),
        r"\.env:1: a name has no blank in it",
        "→ write NAME=value",
    ),
    Bad(
        "service",
        {"compose.yaml": WEB},
        ("dev.build", "--service", "wbe"),
        "there is no service 'wbe'",
        "mean 'web'",
    ),
    Bad("exec-service", {"compose.yaml": WEB}, ("dev.exec", "wbe", "ls"), "there is no service 'wbe'", "mean 'web'"),
    Bad("logs-service", {"compose.yaml": WEB}, ("dev.logs", "--service", "w"), "there is no service 'w'", "→ "),
    Bad("restart", {"compose.yaml": WEB}, ("dev.restart", "--service", "wb"), "there is no service 'wb'", "mean 'web'"),
    Bad("migrate", {"compose.yaml": WEB}, ("dev.migrate",), "no service declares x-deploy.migrate", "→ add x-deploy"),
    Bad(
        "only", {"compose.yaml": WEB}, ("db.backup", "--only", "x"), "nothing that runs on this machine", "→ inv dev.up"
    ),
    Bad("stores", {"compose.yaml": WEB}, ("db.backup",), "nothing that runs on this machine keeps", "→ inv dev.up"),
    Bad("backup-id", {"compose.yaml": WEB}, ("db.restore", "x"), "there is no backup|no backup is called", "→ "),
    Bad("drill-id", {"compose.yaml": WEB}, ("db.drill", "--backup", "x"), "there is no backup|no backup is", "→ "),
    Bad("output", {"compose.yaml": WEB}, ("stack.graph", "--output", "compose.yaml/x"), "cannot be written", "→ "),
    Bad("output-nul", {"compose.yaml": WEB}, ("stack.graph", "--output", "."), "cannot be written", "→ "),
)


@pytest.mark.timeout(120)
@of(COMPOSE + OPTIONS + VARIABLES)
def test_a_mistake_is_told_with_its_place_and_its_remedy_and_nothing_is_changed(
    bad: Bad, tmp_path: Path, isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / f"bad-{tmp_path.parent.name}-{slug(bad.id)}"[:60]
    require_said(bad, root, isolated, capsys)

    for kind in ("container", "volume", "network"):
        assert not docker(kind, "ls", "--quiet", "--filter", f"name={slug(root.name)}")


@pytest.mark.parametrize(
    ("compose", "variables"),
    [
        ("services: {web: {image: x, deploy: {replicas: '${PASSWORD}'}}}\n", "PASSWORD=hunter2-hunter2\n"),
        ("services: {web: {image: x, ports: ['${PASSWORD}:80']}}\n", "PASSWORD=hunter2-hunter2\n"),
    ],
)
def test_composes_own_words_show_no_value_of_the_env_file(
    tmp_path: Path, isolated: Path, capsys: pytest.CaptureFixture[str], compose: str, variables: str
) -> None:
    files: dict[str, File] = {"compose.yaml": compose, ".env.prod": variables}
    row = Bad("hidden", files, INSPECT, f"•••[\\s\\S]*{REFUSED}", FIRST)

    assert "hunter2" not in require_said(row, tmp_path / "shop", isolated, capsys)
