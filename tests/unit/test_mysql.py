"""MariaDB and MySQL without a server: quoting, what is counted, what a dump is seen to have, what a swap says."""

from __future__ import annotations

import subprocess

import pytest

from deploy.data.find import Running, Wanted, stores_of
from deploy.data.mysql import Objects, fields_of, whole_text
from deploy.data.mysql_store import Beside, DumpText, require_fitting, swapping
from deploy.data.mysql_text import Column, counting, identifier, literal
from deploy.data.store import DatabaseStore
from deploy.model.backup import Content, Part, StoreKind, by_hand
from deploy.model.errors import DeployError
from deploy.shell import LocalShell
from deploy.shell.packaged import packaged

FACTS = {
    "client": "mariadb",
    "charset": "utf8mb4",
    "collation": "utf8mb4_bin",
    "server_version": "10.11.6-MariaDB-1:10.11.6+maria~ubu2204",
}
PART = Part(StoreKind.MYSQL, "db", "shop", "db.shop.sql.zst", 1, "ab", {"t": Content(1, "7")}, FACTS)
HEAD = "-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n-- Host: localhost    Database: shop\n\n"
TABLES = (
    "CREATE TABLE `t` (\n  `x` int\n);\nINSERT INTO `t` VALUES\n(1,'-- Dump completed'),\n(2,'CREATE TABLE `no` (');\n"
)
TABLES += "CREATE TABLE `odd ``name. x` (\n  `x` int\n);\n/*!50001 CREATE VIEW `v` AS SELECT\n 1 AS `x` */;\n"
DONE = "\n-- Dump completed on 2026-11-29  2:24:26\n"
MARK = "\n-- windlass: events\n"
EVENTS = f"{HEAD}CREATE EVENT `e` ;;\n"
WHOLE = f"{HEAD}{TABLES}{DONE}{MARK}{EVENTS}{DONE}"


def read(dump: str) -> DumpText:
    said = subprocess.run(packaged("data", "read-dump.sh"), input=dump, capture_output=True, text=True, check=True)
    return DumpText.of(said.stdout)


def test_names_and_texts_are_quoted() -> None:
    assert identifier("a`b c.d") == "`a``b c.d`"
    assert literal("it's \\ one") == "'it''s \\\\ one'"


def test_a_line_of_the_client_is_its_fields() -> None:
    assert fields_of("a b\t\\tx\\n\\\\n\t\tNULL") == ["a b", "\tx\n\\n", "", "NULL"]


def test_every_table_is_counted_and_summed_column_by_column() -> None:
    columns = [Column("odd `t", "id", "int"), Column("odd `t", "a`b", "bit"), Column("z", "doc", "json")]

    assert counting("my shop", columns, checksums=True) == (
        "SAVEPOINT windlass;\n"
        "SELECT 'odd `t', COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', QUOTE(CAST(`id` AS BINARY)), "
        "QUOTE(CAST(`a``b` + 0 AS BINARY))), 256), 16), 16, 10) AS UNSIGNED)), 0) FROM `my shop`.`odd ``t`;\n"
        "ROLLBACK TO SAVEPOINT windlass;\n"
        "SAVEPOINT windlass;\n"
        "SELECT 'z', COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(',', IFNULL(SHA2(`doc`, 256), 'NULL')), "
        "256), 16), 16, 10) AS UNSIGNED)), 0) FROM `my shop`.`z`;\n"
        "ROLLBACK TO SAVEPOINT windlass;\n"
    )
    assert "SELECT 'z', COUNT(*), '' FROM" in counting("my shop", columns, checksums=False)


@pytest.mark.parametrize("kind", ["longtext", "blob", "geometry", "multipoint", "geomcollection", "point", "vector"])
def test_values_that_may_be_long_are_hashed_by_themselves(kind: str) -> None:
    assert "IFNULL(SHA2(`x`, 256), 'NULL')" in counting("d", [Column("t", "x", kind)], checksums=True)


def test_a_whole_dump_tells_its_tables_and_its_events() -> None:
    found = read(WHOLE)

    assert found.whole
    assert found.tables == {"`t`", "`odd ``name. x`"}
    assert "CREATE EVENT `e` ;;\n" in found.events
    assert "CREATE TABLE" not in found.events
    assert found.longest_line_bytes == len("-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB")


@pytest.mark.parametrize(
    "dump",
    [
        "",
        WHOLE[: len(WHOLE) // 2],
        WHOLE[: -len(DONE)],
        f"{HEAD}{TABLES}{DONE}",
        f"{HEAD}{TABLES}{MARK}{EVENTS}{DONE}",
        f"{HEAD}-- Dump completed, says a routine\n{TABLES}{MARK}{EVENTS}{DONE}",
        f"{WHOLE}INSERT",
    ],
)
def test_a_dump_whose_tool_did_not_come_to_its_end_is_not_whole(dump: str) -> None:
    assert not read(dump).whole


def test_a_swap_moves_every_table_at_once_and_makes_the_rest_anew() -> None:
    was = Objects(
        tables=("t", "odd `name"),
        views=("v",),
        triggers=("tr",),
        functions=("f",),
        events=("e",),
        databases=("shop", "shop_before_20260101000000", "shop_before_lunch", "shopXbefore_20260101000000"),
    )
    beside = Beside("shop_restore_1", Objects(tables=("t",), triggers=("tr",)), "NEW CODE;")

    moves = (
        "`shop`.`t` TO `shop_before_1`.`t`, `shop`.`odd ``name` TO `shop_before_1`.`odd ``name`, "
        "`shop_restore_1`.`t` TO `shop`.`t`"
    )
    assert swapping(PART, beside, was, "shop_before_1").splitlines() == [
        "CREATE DATABASE IF NOT EXISTS `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
        "CREATE DATABASE `shop_before_1` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
        "DROP TRIGGER `shop`.`tr`;",
        "DROP TRIGGER `shop_restore_1`.`tr`;",
        f"RENAME TABLE {moves};",
        "DROP VIEW IF EXISTS `shop`.`v`;",
        "DROP FUNCTION IF EXISTS `shop`.`f`;",
        "DROP EVENT IF EXISTS `shop`.`e`;",
        "ALTER DATABASE `shop` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;",
        "USE `shop`;",
        "NEW CODE;",
        "DROP DATABASE `shop_restore_1`;",
        "DROP DATABASE `shop_before_20260101000000`;",
    ]


def test_an_empty_database_is_not_kept_when_another_is_swapped_in() -> None:
    said = swapping(PART, Beside("fresh", Objects(), ""), Objects(), "shop_before_1")

    assert "RENAME" not in said
    assert said.endswith("DROP DATABASE `fresh`;\nDROP DATABASE `shop_before_1`;\n")


@pytest.mark.parametrize("version", ["10.11.2-MariaDB", "10.11.9-MariaDB-log", "11.4.1-MariaDB"])
def test_a_server_as_new_as_the_one_that_was_backed_up_fits(version: str) -> None:
    require_fitting(PART, version)


@pytest.mark.parametrize("version", ["10.6.4-MariaDB", "8.4.2", "9.1.0"])
def test_an_older_server_and_one_of_the_other_kind_do_not_fit(version: str) -> None:
    with pytest.raises(DeployError, match=r"db/shop was made by MariaDB 10\.11\.6.*, the server is M"):
        require_fitting(PART, version)


def test_by_hand_it_takes_the_client_alone() -> None:
    assert by_hand(PART) == [
        'mariadb --user=root --password --execute="CREATE DATABASE NEW_NAME CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"',
        "zstd -dc db.shop.sql.zst | mariadb --user=root --password --binary-mode NEW_NAME",
    ]
    users = Part(StoreKind.USERS, "db", "users", "db.users.sql", 1, "ab", facts={"client": "mysql"})
    assert by_hand(users)[0] == "mysql --user=root --password <db.users.sql"


def test_definitions_that_are_no_utf_8_are_not_restored_as_something_else() -> None:
    assert whole_text("CREATE VIEW é", "views") == "CREATE VIEW é"
    with pytest.raises(DeployError, match="views of shop are not UTF-8"):
        whole_text(b"CREATE VIEW \xe9".decode(errors="replace"), "views of shop")


def test_a_migration_backs_up_this_kind_of_database_too() -> None:
    (store,) = stores_of(
        LocalShell(), [Running("1", "shop-data", "db", "sha256:1", running=True)], Wanted("shop", {"db": "mysql:8"})
    )
    assert isinstance(store, DatabaseStore)
