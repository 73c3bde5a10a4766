"""What is found to back up on a machine, from what its containers mount."""

from __future__ import annotations

import dataclasses
import json
from contextlib import nullcontext
from pathlib import PurePosixPath
from typing import Any

import pytest

from deploy.data.find import (
    Mount,
    Running,
    Wanted,
    look,
    made_by_applications,
    named_of,
    one_database,
    store_kind,
    stores_of,
    unknown_stores,
)
from deploy.model.backup import Part, StoreKind
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.kinds import Kind
from deploy.shell import Completed, LocalShell

SHARED = PurePosixPath("/opt/shop/shared")
RUNS = {"db": "postgres:17", "cache": "redis:8", "search": "elasticsearch:8", "web": "build:1"}


def container(service: str, *mounts: Mount, running: bool = True, project: str = "shop-data") -> Running:
    return Running(f"id-{service}", project, service, f"sha256:{service}", running, mounts)


def volume(name: str, target: str) -> Mount:
    return Mount(True, name, target)


DB = container("db", volume("shop_pg", "/var/lib/postgresql/data"))
CACHE = container("cache", volume("ab" * 32, "/data"))
SEARCH = container("search", volume("shop_index", "/usr/share/elasticsearch/data"))
WEB = container(
    "web",
    volume("shop_media", "/media"),
    Mount(False, "/opt/shop/shared/uploads/big", "/uploads"),
    Mount(False, "/etc/localtime", "/etc/localtime"),
    project="shop-r1",
)


def titles(*running: Running, wanted: Wanted) -> list[str]:
    return [store.title for store in stores_of(LocalShell(), running, wanted)]


def test_servers_come_first_and_their_own_files_are_left_to_them() -> None:
    wanted = Wanted("shop", RUNS, skipped={"search"}, unknown={"search"}, folders=SHARED)

    found = titles(DB, CACHE, SEARCH, WEB, wanted=wanted)

    assert found == ["db", "cache", "web/media", "web/uploads/big"]


def test_a_store_that_only_its_own_tools_can_copy_is_left_out_unless_it_is_asked_for() -> None:
    services = [("db", Kind.DATA, "postgres:17", None), ("web", Kind.WEB, "build:1", None)]

    assert unknown_stores([*services, ("search", Kind.DATA, "elasticsearch:8", None)]) == {"search"}
    assert unknown_stores([*services, ("search", Kind.DATA, "elasticsearch:8", True)]) == frozenset()
    wanted = Wanted("shop", {"search": "elasticsearch:8"})
    assert titles(SEARCH, wanted=wanted) == ["search/index"]


def test_a_volume_that_several_mount_is_one_store_of_a_service_that_writes_to_it() -> None:
    wanted = Wanted("shop", {"web": "build:1", "nginx": "nginx"}, folders=SHARED)
    reader = container("nginx", Mount(True, "shop_media", "/static", writable=False))

    assert titles(reader, WEB, wanted=wanted) == ["web/media", "web/uploads/big"]
    assert titles(reader, wanted=wanted) == ["nginx/media"]


def test_services_can_be_left_out_and_on_a_laptop_most_are() -> None:
    assert titles(DB, CACHE, WEB, wanted=Wanted("shop", RUNS, skipped={"cache", "web", "search"})) == ["db"]
    runs = {"db": "postgres:17", "web": "build:1"}
    assert titles(DB, WEB, wanted=Wanted("shop", runs, keeping={"db"})) == ["db"]


def test_what_an_application_makes_is_left_out_unless_it_is_named() -> None:
    django = container("web", volume("shop_static_files", "/static"), volume("shop_media", "/media"))
    wanted = Wanted("shop", {"web": "build:1"})

    assert titles(django, wanted=wanted) == ["web/media"]
    assert made_by_applications([django], wanted) == ("static_files",)
    named = Wanted("shop", {"web": "build:1"}, named=named_of([("web", ("static_files",)), ("db", True)]))
    assert titles(django, wanted=named) == ["web/static_files"]


@pytest.mark.parametrize("there", [(), (container("db", running=False),)])
def test_a_server_that_does_not_run_is_said(there: tuple[Running, ...]) -> None:
    with pytest.raises(UsageError, match="db does not run on this machine"):
        titles(*there, wanted=Wanted("shop", {"db": "postgres:17"}))


class Told(LocalShell):
    """A machine on which every command says the same."""

    def __init__(self, said: str) -> None:
        super().__init__()
        self._said = said

    def run(self, command: Command, **_: Any) -> Completed:
        return Completed(command, 0, self._said, "")


def test_what_has_ended_is_not_taken_for_what_runs_in_its_place() -> None:
    """A cluster keeps containers that have ended, and has another one in their place."""
    lines: list[dict[str, Any]] = [
        {"id": one, "running": one == "b", "project": "shop-data", "service": "db", "image": "sha256:db", "mounts": []}
        | {"replicated": "shop-data_db"}
        for one in ("a", "b", "c")
    ]
    found = look(Told("\n".join(map(json.dumps, lines))), ["shop-data"])
    assert [one.id for one in found] == ["b", "a", "c"]
    assert found[0].swarm_service == "shop-data_db"
    assert [store.title for store in stores_of(LocalShell(), found, Wanted("shop", {"db": "postgres"}))] == ["db"]


def test_a_container_of_an_engine_alone_is_of_no_service_of_a_cluster() -> None:
    """The engine says `null` for a label that a container does not have."""
    line = {"id": "a", "running": True, "project": "shop-data", "service": "cache", "image": "sha256:1", "mounts": []}
    (found,) = look(Told(json.dumps(line | {"replicated": None})), ["shop-data"])
    assert found.swarm_service == ""


@pytest.mark.parametrize(
    ("service", "mount", "why"),
    [
        ("worker_cache", volume("shop_kv", "/data"), "which does not manage the cluster"),
        ("", volume("ab" * 32, "/data"), ""),
        ("", Mount(False, "/opt/shop/shared/kv", "/data"), ""),
        ("", volume("shop_kv", "/elsewhere"), "is in no volume"),
        ("shop-data_cache", volume("shop_kv", "/data"), ""),
        ("shop-data_cache", volume("ab" * 32, "/data"), "on a cluster each of its containers begins empty"),
    ],
)
def test_redis_is_restored_into_what_its_next_container_gets(service: str, mount: Mount, why: str) -> None:
    answers = {"dbfilename": "dump.rdb", "appenddirname": "appendonlydir", "dir": "/data"}

    class Redis(LocalShell):
        def run(self, command: Command, **_: Any) -> Completed:
            status = 1 if command[-1] == "worker_cache" else 0
            return Completed(command, status, f"{command[-1]}\n{answers.get(command[-1], '')}\n", "")

    cache = dataclasses.replace(container("cache", mount), swarm_service=service)
    (store,) = stores_of(Redis(), [cache], Wanted("shop", {"cache": "redis:8"}))
    with pytest.raises(DeployError, match=why) if why else nullcontext():
        store.check(Part(StoreKind.REDIS, "cache", "", "cache.rdb", 1, "ab"))


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("postgres:17-alpine", StoreKind.POSTGRES),
        ("registry.example.com/timescale/timescaledb:latest-pg16", StoreKind.POSTGRES),
        ("redislabs/redismod", StoreKind.REDIS),
        ("valkey/valkey:8", StoreKind.REDIS),
        ("mariadb:10-focal", StoreKind.MYSQL),
        ("mysql:8.0.27", StoreKind.MYSQL),
        ("percona/percona-server:8.0", StoreKind.MYSQL),
        ("memcached", None),
        ("build:ab12", None),
    ],
)
def test_images_tell_what_kind_of_store_they_run(image: str, kind: StoreKind | None) -> None:
    assert store_kind(image) == kind


def test_the_one_database_is_named_or_asked_for() -> None:
    assert one_database(RUNS.items(), "") == "db"
    with pytest.raises(UsageError, match="more than one database service: a, b"):
        one_database([("a", "postgres"), ("b", "mariadb")], "")
    with pytest.raises(UsageError, match="'cache' is not a database service"):
        one_database(RUNS.items(), "cache")
