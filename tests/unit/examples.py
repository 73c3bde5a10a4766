"""Stacks, records and facts for the tests of pure functions."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from deploy.model.checks import Problem
from deploy.model.edge import EMPTY, EdgeState
from deploy.model.facts import Container, Facts
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.places import Places
from deploy.model.release import PublicPort, ReleaseRecord, Revision, ServiceRecord
from deploy.model.rules import RULES, Subject, examine
from deploy.model.stack import Port, Stack, parse_stack

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LAYOUT = HostLayout("shop", PurePosixPath("/opt/shop"))
HTTP = Port(80, 80, http=True)

# what `docker compose config --format json` gives, shortened
MODEL: dict[str, Any] = {
    "name": "shop",
    "services": {
        "db": {
            "image": "postgres:17",
            "environment": {"POSTGRES_PASSWORD": "s3cret"},
            "healthcheck": {"test": ["CMD", "pg_isready"]},
            "networks": {"default": None},
            "restart": "unless-stopped",
            "volumes": [
                {"type": "volume", "source": "pg", "target": "/var/lib/postgresql/data", "volume": {}},
                {"type": "bind", "source": "/src/init", "target": "/docker-entrypoint-initdb.d", "read_only": True},
            ],
        },
        "backend": {
            "build": {"context": "/src/app", "dockerfile": "Dockerfile"},
            "container_name": "shop_backend",
            "depends_on": {"db": {"condition": "service_healthy", "required": True}},
            "environment": {"DEBUG": "False", "SECRET_KEY": "k$$y"},
            "networks": {"default": None},
            "restart": "always",
            "volumes": [
                {"type": "volume", "source": "media", "target": "/media", "volume": {}},
                {"type": "bind", "source": "/src/data", "target": "/data"},
                {"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime", "read_only": True},
            ],
            "x-deploy": {"migrate": "manage.py migrate", "pending": "manage.py migrate --check"},
        },
        "worker": {
            "build": {"context": "/src/app", "dockerfile": "Dockerfile"},
            "command": ["celery", "worker"],
            "networks": {"default": None},
            "restart": "unless-stopped",
        },
        "nginx": {
            "image": "nginx:alpine",
            "depends_on": {"backend": {"condition": "service_started", "required": True}},
            "networks": {"default": {"aliases": ["www"], "ipv4_address": "10.5.0.9"}},
            "ports": [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"}],
            "restart": "unless-stopped",
            "volumes": [{"type": "volume", "source": "media", "target": "/media", "read_only": True, "volume": {}}],
        },
    },
    "networks": {"default": {"name": "shop_default", "ipam": {"config": [{"subnet": "10.5.0.0/16"}]}}},
    "volumes": {"pg": {"name": "shop_pg"}, "media": {"name": "shop_media"}},
}


def model() -> dict[str, Any]:
    """A model of one's own to change."""
    return copy.deepcopy(MODEL)


def stack(document: dict[str, Any] | None = None) -> Stack:
    return parse_stack(document or MODEL)


def service(kind: Kind = Kind.WEB, **changes: Any) -> ServiceRecord:
    values: dict[str, Any] = {
        "image": "shop/backend:0123456789abcdef",
        "source": "build:0123456789abcdef",
        "networks": {"default": ("backend",)},
        "parts": {"image": "1", "environment.DEBUG": "2"},
    }
    return ServiceRecord(kind, **values | changes)


def record(release_id: str = "20261121-120000-1a2b3c4", **changes: Any) -> ReleaseRecord:
    values: dict[str, Any] = {
        "environment": "prod",
        "created_at": NOW,
        "created_by": "ada@laptop",
        "revision": Revision("1a2b3c4", dirty=False, subject="Add prices"),
        "services": {
            "db": service(Kind.DATA, image="postgres:17", source="postgres:17", networks={"default": ("db",)}),
            "backend": service(),
            "worker": service(Kind.WORKER, exclusive="a worker never runs twice", networks={"default": ("worker",)}),
            "nginx": service(image="nginx:alpine", source="nginx:alpine", networks={"default": ("nginx", "www")}),
        },
        "public": (PublicPort("nginx", HTTP),),
    }
    return ReleaseRecord(release_id, **values | changes)


def running(release: ReleaseRecord, **states: str) -> tuple[Container, ...]:
    """The containers of a release and its data services; `states` overrides a service's state."""
    containers = []
    for name, one in release.services.items():
        data = one.kind == Kind.DATA
        project = LAYOUT.data_project if data else LAYOUT.release_project(release.id)
        state = states.get(name, "running")
        containers.append(
            Container(f"{project}-{name}-1", state, "Up 2 minutes (healthy)", project, name, one.image, "")
        )
    containers.append(
        Container(
            LAYOUT.edge_container,
            "running",
            "Up 2 minutes",
            LAYOUT.edge_project,
            "edge",
            "haproxy:3.0",
            "0.0.0.0:80->10000/tcp",
        )
    )
    return tuple(containers)


def facts(live: ReleaseRecord | None = None, **changes: Any) -> Facts:
    """A host: empty, or with a live release as a deploy leaves it."""
    from deploy.model.edge import definition, listeners_of, target_of

    edge: EdgeState | None = None
    if live:
        edge = EMPTY.listening(listeners_of(live)).with_target("blue", target_of(live, LAYOUT)).switched("blue")
    values: dict[str, Any] = {
        "host": "app1",
        "user": "deploy",
        "architecture": "amd64",
        "distribution": "Debian GNU/Linux 13 (trixie)",
        "now": NOW,
        "root_writable": True,
        "sudo": False,
        "engine_version": "26.1.5",
        "engine_error": "",
        "compose_version": "2.26.1",
        "data_free_bytes": 50 << 30,
        "images": {one.image: "sha256:1" for one in live.services.values()} | {"haproxy:3.0": "sha256:2"}
        if live
        else {},
        "layers": {},
        "zstd": True,
        "containerd": False,
        "memory_bytes": 4 << 30,
        "containers": running(live) if live else (),
        "listening": frozenset({22, 80}) if live else frozenset({22}),
        "current": live.id if live else "",
        "releases": {live.id: live} if live else {},
        "unreadable": (),
        "edge": edge,
        "edge_serves": "blue" if live else "",
        "edge_runs": ("sha256:2", definition(edge)) if edge else ("", ""),
        "certificates": (),
        "maintenance": {},
        "data": {name: one.parts for name, one in live.services.items() if one.kind == Kind.DATA} if live else {},
        "lock": {},
        "frozen": {},
        "journal": (Entry(NOW, Outcome.DEPLOYED, live.id, "ada@laptop"),) if live else (),
    }
    return Facts(**values | changes)


def subject(document: dict[str, Any], **changes: Any) -> Subject:
    """What the rules look at, with mounts that nobody looked for."""
    return Subject("prod", stack(document), Places(Path("/src")), **changes)


def broken(document: dict[str, Any], *rules: str, **changes: Any) -> tuple[Problem, ...]:
    """What breaks some rules, by their ids, or any rule that is about the compose model alone."""
    chosen = [one for one in RULES if one.id in rules or (not rules and one.id not in {"mount", "not-in-a-release"})]
    return examine(subject(document, **changes), chosen, {})
