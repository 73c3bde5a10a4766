"""Rules about volumes: where a database's data really is, and which volumes are of no use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.engine.lines import SourceLines
from tests.unit.examples import broken, model

RULES = ("anonymous-volume", "data-folder", "tmpfs-data")


def at(target: str, source: str | None = "pg", kind: str = "volume", **more: Any) -> dict[str, Any]:
    return {"type": kind, "target": target, **({"source": source} if source else {}), **more}


def database(image: str, *mounts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = model()
    document["services"]["db"] |= {"image": image, "volumes": list(mounts), **changes}
    return document


@pytest.mark.parametrize(
    ("document", "rules"),
    [
        (database("postgres:17", at("/var/lib/postgresql/data")), []),
        (database("postgres:17", at("/var/lib/postgresql/data", "/srv/pg", "bind")), []),
        (database("docker.io/library/postgres:17"), ["anonymous-volume"]),
        (database("postgres:17"), ["anonymous-volume"]),
        (database("postgres:17", at("/var/lib/postgresql/data", None)), ["anonymous-volume"]),
        (database("postgres:17", at("/docker-entrypoint-initdb.d", "/src/init", "bind")), ["anonymous-volume"]),
        (database("postgres:17", at("/var/lib/postgresql")), ["data-folder"]),
        (database("postgres:18", at("/var/lib/postgresql/data")), ["data-folder"]),
        (database("postgres:18-alpine", at("/var/lib/postgresql")), []),
        (database("postgres:18", at("/var/lib/postgresql/18/docker")), []),
        (database("postgres:18"), ["anonymous-volume"]),
        (database("postgres:18", at("/data"), environment={"PGDATA": "/data/18"}), []),
        (
            database("postgres:18", at("/var/lib/postgresql/data"), environment={"PGDATA": "/var/lib/postgresql/data"}),
            [],
        ),
        (
            database(
                "postgres:17",
                at("/var/lib/postgresql/data"),
                environment={"PGDATA": "/var/lib/postgresql/data/pgdata"},
            ),
            [],
        ),
        (database("postgres:17", at("/srv"), environment={"PGDATA": "/pgdata"}), ["anonymous-volume"]),
        (
            database("postgres:17", at("/var/lib/postgresql/data"), environment={"PGDATA": "/pgdata"}),
            ["data-folder"],
        ),
        (database("postgres:17", at("/srv"), command=["postgres", "-D", "/srv/pg"]), []),
        (database("pgvector/pgvector:pg17", at("/var/lib/postgresql")), ["data-folder"]),
        (database("postgres:latest"), []),
        (database("bitnami/postgresql:17"), []),
        (database("postgres:17", at("/var/lib/postgresql/data", None, "tmpfs")), ["tmpfs-data"]),
        (database("postgres:17", tmpfs=["/var/lib/postgresql/data:size=1g"]), ["tmpfs-data"]),
        (database("postgres:17", at("/var/lib/postgresql/data"), tmpfs=["/tmp", "/var/run/postgresql"]), []),
        (database("mysql:8.4", at("/var/lib/mysql")), []),
        (database("mysql:8.4"), ["anonymous-volume"]),
        (database("mysql:8.4", command=["--datadir=/srv/mysql"]), []),
        (database("mariadb:11"), ["anonymous-volume"]),
        (database("mongo:8", at("/data/db")), []),
        (database("mongo:8", at("/data")), ["data-folder"]),
        (database("redis:8"), []),
        (database("registry.example/team/postgres:17"), []),
    ],
)
def test_where_a_databases_data_is(document: dict[str, Any], rules: list[str]) -> None:
    assert [one.rule for one in broken(document, *RULES)] == rules


def test_data_in_memory_is_warned_of_only() -> None:
    found = broken(database("postgres:17", tmpfs=["/var/lib/postgresql/data"]), *RULES)

    assert [one.fatal for one in found] == [False]


def test_the_mount_that_is_meant_is_led_to(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  db:\n"
        "    image: postgres:18\n"
        "    volumes:\n"
        "      - ./init:/docker-entrypoint-initdb.d\n"
        "      - pg:/var/lib/postgresql/data\n"
    )
    (problem,) = broken(database("postgres:18", at("/var/lib/postgresql/data")), *RULES)

    assert SourceLines((tmp_path / "compose.yaml",), tmp_path).locate(problem.path) == "compose.yaml:6"
    assert problem.fatal
    assert problem.remedy == "mount it at /var/lib/postgresql"


@pytest.mark.parametrize(
    ("backend", "options", "wrong"),
    [
        ([], {}, True),
        ([at("/static", "static", read_only=True)], {}, True),
        ([at("/static", "static")], {}, False),
        ([], {"external": True}, False),
        ([], {"driver_opts": {"type": "nfs", "device": ":/export"}}, False),
    ],
)
def test_a_volume_that_nobody_writes(backend: list[dict[str, Any]], options: dict[str, Any], wrong: bool) -> None:
    document = model()
    document["volumes"]["static"] = {"name": "shop_static", **options}
    document["services"]["nginx"]["volumes"] = [at("/www", "static", read_only=True)]
    document["services"]["backend"]["volumes"] = backend

    assert len(broken(document, "unwritten-volume")) == wrong


def test_a_volume_of_what_takes_others_volumes_may_be_written() -> None:
    document = model()
    document["services"]["nginx"] |= {
        "volumes": [at("/www", "static", read_only=True)],
        "volumes_from": ["backend"],
    }

    assert not broken(document, "unwritten-volume")


def test_a_volume_that_is_mounted_nowhere_is_found_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  db:\n"
        "    volumes:\n"
        "      - pg:/var/lib/postgresql/data\n"
        "      - {type: volume, source: logs, target: /logs}\n"
        "  debug:\n"
        "    profiles: [debug]\n"
        "    volumes: [dumps:/dumps]\n"
        "volumes:\n"
        "  pg:\n"
        "  logs: {}\n"
        "  dumps:\n"
        "  pgdata:\n"
        "  gone: !reset null\n"
    )
    lines = SourceLines((tmp_path / "compose.yaml",), tmp_path)
    found = broken(model(), "unused-volume", files=lines.written())

    assert [(one.message, lines.locate(one.path)) for one in found] == [
        ("the volume pgdata is mounted nowhere", "compose.yaml:13")
    ]
