"""What users name of a backup by `--only`."""

from __future__ import annotations

import dataclasses

import pytest

from deploy.model.backup import Content, Part, StoreKind
from deploy.model.chosen import SomeTables, chosen, chosen_tables, home
from deploy.model.errors import UsageError
from tests.unit.test_records import DATABASE, MANIFEST, MEDIA

HELD = ("public.orders", "public.items", "audit.orders", "audit.log", "odd.Na.me")
APP = dataclasses.replace(DATABASE, name="app", contents={name: Content(n + 1, "7") for n, name in enumerate(HELD)})
SHOP = Part(StoreKind.MYSQL, "mariadb", "shop", "m.sql", 1, "ab", {"orders": Content(1)})
ROLES = Part(StoreKind.ROLES, "db", "roles", "db.roles.sql", 1, "ab")
PARTS = (APP, ROLES, SHOP, MEDIA)


def test_parts_are_named_by_service_by_name_or_by_both() -> None:
    assert chosen(MANIFEST.parts, ()) == MANIFEST.parts
    for word in ("web", "media", "web/media"):
        assert chosen(MANIFEST.parts, [word]) == (MEDIA,)
    with pytest.raises(UsageError, match="--only nope: the backup has no such part"):
        chosen(MANIFEST.parts, ["nope"])


@pytest.mark.parametrize(
    ("word", "table", "title"),
    [
        ("db/app/orders", "public.orders", "db/app/orders"),
        ("db/app/public.orders", "public.orders", "db/app/orders"),
        ("db/app/audit.orders", "audit.orders", "db/app/audit.orders"),
        ("app/log", "audit.log", "db/app/audit.log"),
        ("db/app/Na.me", "odd.Na.me", "db/app/odd.Na.me"),
    ],
)
def test_a_table_is_named_with_its_database_and_its_schema_where_that_is_not_the_usual_one(
    word: str, table: str, title: str
) -> None:
    (found,) = chosen_tables(PARTS, [word])

    assert isinstance(found, SomeTables)
    assert (found.title, list(found.contents), found.file) == (title, [table], APP.file)
    assert home(PARTS, word) == APP


def test_tables_of_one_database_are_one_part_and_what_is_named_besides_stays_whole() -> None:
    both = chosen_tables(PARTS, ["media", "db/app/orders", "db/app/items", "db/app/orders"])

    assert [part.title for part in both] == ["db/app/items, db/app/orders", "web/media"]
    assert chosen_tables(PARTS, ["db/app", "db/app/orders"]) == (APP,)
    assert chosen_tables(PARTS, ()) == PARTS


def test_tables_of_an_encrypted_database_stay_those_when_it_is_decrypted() -> None:
    secret = dataclasses.replace(APP, file="db.app.dump").as_encrypted("db.app.dump.age", 70, "ef")
    (found,) = chosen_tables([secret], ["db/app/orders"])

    assert (found.plain.title, found.plain.file) == ("db/app/orders", "db.app.dump")


@pytest.mark.parametrize(
    ("word", "said", "remedy"),
    [
        ("db/app/ordres", "db/app has no table 'ordres' in the backup", "did you mean 'orders'?"),
        ("db/app/xyz", "db/app has no table 'xyz'", "known: orders, items, audit.orders, audit.log, odd.Na.me"),
        ("db/orders", "the backup has no such part", "a table is named with its database: db/app/orders"),
        ("db/nope/orders", "the backup has no such part", "it has db/app, db/roles, mariadb/shop, web/media"),
        ("mariadb/shop/orders", "cannot be restored alone", "--only mariadb/shop --into NAME"),
        ("web/media/orders", "the backup has no such part", ""),
    ],
)
def test_what_is_no_table_is_answered_with_what_is(word: str, said: str, remedy: str) -> None:
    with pytest.raises(UsageError) as raised:
        chosen_tables(PARTS, [word])

    assert raised.value.message.startswith(f"--only {word}: ")
    assert said in raised.value.message
    assert remedy in raised.value.remedy


def test_a_table_that_several_schemas_have_is_asked_for() -> None:
    parts = [SomeTables.of(APP, ["audit.orders"])]
    assert chosen_tables(parts, ["db/app/orders"])[0].title == "db/app/audit.orders"
    two = dataclasses.replace(APP, contents={"a.orders": Content(1), "b.orders": Content(1)})
    with pytest.raises(UsageError, match="more than one table 'orders'"):
        chosen_tables([two], ["db/app/orders"])


def test_a_large_database_is_not_told_table_by_table() -> None:
    many = dataclasses.replace(APP, contents={f"public.t{number}": Content(1) for number in range(300)})

    with pytest.raises(UsageError) as raised:
        chosen_tables([many], ["db/app/xyz"])

    assert raised.value.remedy.endswith("t11, …")


def test_databases_alone_have_tables_where_tables_are_not_asked_for() -> None:
    with pytest.raises(UsageError, match="no such part"):
        chosen(PARTS, ["db/app/orders"])
