"""Rehearsals: what runs in one, on what, and what is said of it. On a real host: tests/lab/test_story.py."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from deploy.model.backup import Content, Label, Manifest, Part, StoreKind
from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Container
from deploy.model.journal import Entry, Outcome, parse_journal
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.locks import Blocked, Held, blocked
from deploy.model.places import Place, Placement, Places
from deploy.model.rehearsal import (
    Rehearsed,
    Report,
    Scratch,
    beside,
    changed_rows,
    elsewhere,
    names_of,
    rehearsal_document,
    unchanged,
    usable,
)
from deploy.model.release import ReleaseRecord
from deploy.model.render import render_data, render_release
from deploy.model.settings import parse_settings
from deploy.release.change import Change
from deploy.release.rehearse import needless, restored
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui.rehearsal import report_lines, summary
from tests.unit.examples import LAYOUT, NOW, facts, model, record, service, stack

IMAGES = {"db": "postgres:17", "backend": "shop/backend:aa", "worker": "shop/worker:aa", "nginx": "nginx", "queue": "q"}
GROUND = HostLayout("windlass-rehearsal-1", PurePosixPath("/opt/shop/rehearsal"))
SCRATCH = Scratch(GROUND.project, "net-1", "shop", (GROUND.releases, GROUND.data))


def document(changes: dict[str, Any], names: dict[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
    """Of the example stack, with another definition of its backend."""
    raw = model()
    raw["services"]["backend"] |= changes
    raw["services"]["queue"] = {"image": "redis:8", "networks": {"default": None}, "ports": [{"target": 6379}]}
    made, places = stack(raw), Places(Path("/src"))
    app = render_release(made, IMAGES, GROUND, "R", places).document
    data = render_data(made, IMAGES, GROUND, places).document
    return rehearsal_document(app, data, ["backend"], names or {}, SCRATCH)


def test_a_rehearsal_has_what_migrates_on_one_network_with_volumes_of_its_own() -> None:
    assert document({}, {"queue": ("queue", "shop-data-queue-1")}) == {
        "name": "windlass-rehearsal-1",
        "services": {
            "backend": {
                "image": "shop/backend:aa",
                "pull_policy": "never",
                "environment": {"DEBUG": "False", "SECRET_KEY": "k$$y"},
                "labels": {"windlass.scratch": "shop"},
                "networks": {"rehearsal": None},
                "volumes": [
                    {"type": "volume", "target": "/media"},
                    {"type": "volume", "target": "/data"},
                    {"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime", "read_only": True},
                ],
            },
            "queue": {
                "image": "q",
                "pull_policy": "never",
                "labels": {"windlass.scratch": "shop"},
                "networks": {"rehearsal": {"aliases": ["queue", "shop-data-queue-1"]}},
            },
        },
        "networks": {"rehearsal": {"name": "net-1", "external": True}},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"network_mode": "host", "networks": None},
        {"privileged": True},
        {"pid": "host", "ipc": "host"},
        {"volumes_from": ["container:shop-data-db-1"]},
        {"devices": [{"source": "/dev/sda", "target": "/dev/sda"}]},
        {"extra_hosts": ["db=10.0.0.5"]},
        {"external_links": ["shop-data-db-1:db"]},
        {"ports": [{"target": 8000, "published": "8000"}]},
        {"labels": {"traefik.enable": "true"}},
        {"restart": "always", "deploy": {"replicas": 3}},
    ],
)
def test_nothing_that_leads_to_production_comes_along(changes: dict[str, Any]) -> None:
    assert document(changes) == document({})


@pytest.mark.parametrize(
    "mount",
    [
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/x", "read_only": True},
        {"type": "bind", "source": "/run/postgresql", "target": "/x"},
        {"type": "bind", "source": "/etc/letsencrypt", "target": "/x"},
        {"type": "bind", "source": "/srv/media", "target": "/x", "read_only": True},
        {"type": "volume", "source": "media", "target": "/x", "volume": {"subpath": "a"}},
    ],
)
def test_a_mount_of_what_others_use_is_an_empty_volume(mount: dict[str, Any]) -> None:
    assert document({"volumes": [mount]})["services"]["backend"]["volumes"] == [{"type": "volume", "target": "/x"}]


def test_files_of_the_release_are_mounted_to_be_read(tmp_path: Path) -> None:
    raw = model()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "app.ini").write_text("x")
    raw["services"]["backend"]["volumes"] = [
        {"type": "bind", "source": f"{tmp_path}/conf/app.ini", "target": "/etc/app.ini"}
    ]
    raw["services"]["backend"]["secrets"] = [{"source": "token"}]
    raw["services"]["nginx"]["secrets"] = [{"source": "other"}]
    raw["secrets"] = {"token": {"file": f"{tmp_path}/conf/app.ini"}, "other": {"file": f"{tmp_path}/conf/app.ini"}}
    places = Places(tmp_path, {f"{tmp_path}/conf/app.ini": Placement(Place.SHIPPED)})
    app = render_release(stack(raw), IMAGES, GROUND, "R", places).document
    made = rehearsal_document(app, {"services": {}}, ["backend"], {}, SCRATCH)

    file = "/opt/shop/rehearsal/releases/R/files/conf/app.ini"
    mounts = made["services"]["backend"]["volumes"]
    assert mounts == [{"type": "bind", "source": file, "target": "/etc/app.ini", "read_only": True}]
    assert made["secrets"] == {"token": {"file": file}}, "and no secret that nobody there has"


def test_limits_of_a_container_hold_in_a_rehearsal_too() -> None:
    limits = {"memory": "512M"}
    made = document({"deploy": {"replicas": 2, "resources": {"limits": limits}}})
    assert made["services"]["backend"]["deploy"] == {"resources": {"limits": limits}}


def test_a_server_has_every_name_that_it_is_known_by() -> None:
    db = service(Kind.DATA, networks={"default": ("db", "postgres"), "back": ("db", "sql")})
    assert names_of("db", db, LAYOUT.data_container("db")) == ("db", "postgres", "sql", "shop-data-db-1")


def test_data_services_that_what_migrates_may_ask_are_there_empty() -> None:
    others = {
        "queue": service(Kind.DATA, networks={"default": ("queue",)}),
        "metrics": service(Kind.DATA, networks={"ops": ("metrics",)}),
    }
    release = record(services={**record().services, **others})
    assert beside(release, ["backend"], ["db"]) == ("queue",)


def test_the_image_that_serves_has_nothing_to_migrate() -> None:
    live = record()
    assert unchanged(live, record("20261122-120000-aaaaaaa"), ["backend"])
    assert not unchanged(None, live, ["backend"])
    other = {**live.services, "backend": service(image="shop/backend:bb")}
    assert not unchanged(live, record(services=other), ["backend"])
    renamed = {**live.services, "backend": service(commands={"migrate": ("alembic", "upgrade", "head")})}
    assert not unchanged(live, record(services=renamed), ["backend"])


def change(release: ReleaseRecord, **changes: Any) -> Change:
    """A release on its way to a host where the example's runs, unless that is changed."""
    environment = parse_settings({}, folder="shop").environment("prod")
    site = Site(LocalShell(Path()), LAYOUT, "shop.example.com")
    return Change(site, environment, facts(record(), **changes), release)


def test_it_is_said_why_there_is_nothing_to_rehearse() -> None:
    services = record().services
    new = record("20261122-120000-aaaaaaa", services={**services, "backend": service(image="shop/backend:bb")})

    assert needless(change(new), ["backend"]) == ""
    assert restored(change(new)) == ("db",)
    assert needless(change(new), []) == "no service says how it migrates"
    assert needless(change(new, data={}, containers=()), ["backend"]) == "the databases are new"
    by_hand = Container("shop-db-1", "running", "Up", "shop", "db", "postgres:17", "")
    assert needless(change(new, data={}, containers=(by_hand,)), ["backend"]).startswith("what runs by hand")
    assert needless(change(record()), ["backend"]) == "the images that migrate are those of the live release"


def test_a_database_that_is_not_backed_up_cannot_be_rehearsed_on() -> None:
    left_out = dataclasses.replace(record().services["db"], backup=False)
    release = record(services={"db": left_out, "backend": service(image="shop/backend:bb")})
    with pytest.raises(DeployError, match="there is nothing to rehearse on") as raised:
        needless(change(release), ["backend"])
    assert "leave --rehearse out" in raised.value.remedy


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DATABASE_URL": "postgres://shop:hush@db.example.com:5432/shop"}, ("DATABASE_URL (db.example.com)",)),
        ({"DATABASE_URL": "postgres://shop:hush@db:5432/shop"}, ()),
        ({"DB_HOST": "10.0.0.5", "PGHOST": "sql.internal"}, ("DB_HOST (10.0.0.5)", "PGHOST (sql.internal)")),
        ({"DB_HOST": "db", "REDIS_HOST": "localhost", "HOST": None}, ()),
        ({"SITE_URL": "https://shop.example.com", "HOST": ""}, ()),
        ({"GHOST": "boo.example", "BROKER": "amqp://user:pass word@[/"}, ()),
    ],
)
def test_variables_that_name_machines_out_of_reach(variables: dict[str, str | None], said: tuple[str, ...]) -> None:
    assert elsewhere(variables, ["db"]) == said


def backup(hours: float, label: Label = Label.MANUAL, services: tuple[str, ...] = ("db",), name: str = "") -> Manifest:
    """One that was taken some hours ago."""
    parts = tuple(Part(StoreKind.POSTGRES, one, "shop", f"{one}.dump", 1, "0") for one in services)
    at = NOW - timedelta(hours=hours)
    return Manifest(name or f"shop_{hours}h_{label}", "shop", label, "R", at, 1.0, "ada@laptop", parts)


def rehearsed_on(*backups: Manifest, journal: tuple[Entry, ...] = (), needed: tuple[str, ...] = ("db",)) -> str:
    found = usable(backups, journal, needed, since=NOW - timedelta(hours=24))
    return found.id if found else ""


def test_the_newest_backup_of_how_things_are_now_is_rehearsed_on() -> None:
    migrated = Entry(NOW - timedelta(hours=3), Outcome.DEPLOYED, "R", "ada@laptop", migrated=True)
    deployed = dataclasses.replace(migrated, migrated=False)

    assert rehearsed_on(backup(9), backup(5), backup(30)) == "shop_5h_manual"
    assert rehearsed_on(backup(30)) == "", "too old to prove much"
    assert rehearsed_on(backup(5), backup(2, services=("other",))) == "shop_5h_manual"
    assert rehearsed_on(backup(5), needed=("db", "other")) == ""
    assert rehearsed_on(backup(5), backup(2, Label.PULLED)) == "shop_5h_manual", "masked"
    assert rehearsed_on(backup(5, Label.PRE_MIGRATE), journal=(deployed,)) == "shop_5h_pre-migrate"
    assert rehearsed_on(backup(5, Label.PRE_MIGRATE), journal=(migrated,)) == "", "of the schema before"
    assert rehearsed_on(backup(5), backup(4, Label.PRE_RESTORE)) == "", "what was restored since is something else"
    assert rehearsed_on(backup(2), backup(4, Label.PRE_RESTORE), journal=(migrated,)) == "shop_2h_manual"


def test_how_long_others_were_kept_from_a_table() -> None:
    held = [
        Held("orders", "AccessExclusiveLock", 10.0, 12.1),
        Held("orders", "ShareLock", 11.0, 15.0),
        Held("orders", "AccessExclusiveLock", 11.5, 12.0),
        Held("items", "ShareRowExclusiveLock", 10.0, 10.5),
        Held("items", "ShareLock", 20.0, 20.25),
        Held("notes", "RowExclusiveLock", 0.0, 99.0),
        Held("users", "AccessExclusiveLock", 3.0, 3.0),
    ]

    assert blocked(held) == (
        Blocked("orders", 2.1, 5.0),
        Blocked("items", None, 0.75),
        Blocked("users", 0.0, 0.0),
    )


REPORT = Report(
    "shop_1",
    (Rehearsed("backend", ("shop.0002_price",), 3.4),),
    (Blocked("orders", 2.1, 5.0), Blocked("items", None, 0.75), Blocked("users", 0.0, 0.0)),
    ("orders",),
    changed_rows(
        "",
        {"public.orders": Content(10), "audit.events": Content(1), "public.same": Content(3)},
        {"public.orders": Content(8), "public.wish": Content(0), "public.same": Content(3)},
    ),
)


def test_a_report_says_what_users_would_notice() -> None:
    assert [*report_lines(REPORT)] == [
        "backend migrates in 3.4 s: shop.0002_price",
        "orders: nobody can read or write for 2.1 s",
        "orders: nobody can write for 5.0 s, that included",
        "items: nobody can write for 0.8 s",
        "users: nobody can read or write for less than 0.1 s",
        "orders: every row is written anew",
        "audit.events: dropped, with 1 row",
        "orders: 10 rows before, 8 after",
        "wish: new, 0 rows",
    ]
    assert summary(REPORT) == (
        "on shop_1: backend in 3.4 s; orders: nobody can read or write for 2.1 s; "
        "orders: nobody can write for 5.0 s, that included; items: nobody can write for 0.8 s"
    )
    assert "no table is locked" in [*report_lines(dataclasses.replace(REPORT, blocked=()))][1]


def test_a_journal_says_on_what_was_rehearsed_and_reads_lines_from_before_that() -> None:
    entry = Entry(NOW, Outcome.DEPLOYED, "R", "ada@laptop", rehearsed="shop_1")
    older = entry.to_line().replace('"rehearsed": "shop_1", ', "")
    assert [one.rehearsed for one in parse_journal(entry.to_line() + older)] == ["shop_1", ""]


def test_an_environment_may_want_every_deploy_rehearsed() -> None:
    def parsed(value: object) -> bool:
        settings = parse_settings({"environments": {"prod": {"rehearse": value}}}, folder="shop")
        return settings.environment("prod").rehearse

    assert parsed(True)
    assert not parse_settings({}, folder="shop").environment("prod").rehearse
    with pytest.raises(UsageError, match=r"environments\.prod\.rehearse is not true or false"):
        parsed("yes")
