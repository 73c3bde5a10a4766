"""Backups and restores on a real MariaDB: what comes back, and what is given up before anything is harmed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.shell.packaged import packaged
from tests.project import INV, Project, docker, eventually, swept, unique

PASSWORD = r'r"oo\t #1'
COMPOSE = """
services:
  db:
    image: mariadb:11
    command: '--default-authentication-plugin=mysql_native_password'
    environment:
      MYSQL_DATABASE: shop
      MARIADB_INITDB_SKIP_TZINFO: "yes"
      MYSQL_USER: app
      MYSQL_PASSWORD: secret
      MYSQL_ROOT_PASSWORD_FILE: /run/secrets/db-password
    secrets: [db-password]
    volumes: ["data:/var/lib/mysql"]
    healthcheck: {test: [CMD, healthcheck.sh, --connect, --innodb_initialized], interval: 1s, retries: 120}
    x-deploy: {proof: SELECT count(*) > 0 FROM shop.named}
secrets:
  db-password: {file: password.txt}
volumes:
  data:
"""
SEED = r"""
CREATE TABLE customers (
  id int PRIMARY KEY AUTO_INCREMENT, name varchar(50), latin varchar(20) CHARACTER SET latin1, note text, photo blob,
  paid decimal(20,6), flags bit(9), at timestamp(3) NULL, ratio float, kind enum('a','b'), doc json, place point,
  fixed binary(4), born date, twice int AS (id * 2) VIRTUAL);
INSERT INTO customers (name, latin, note, photo, paid, flags, at, ratio, kind, doc, place, fixed, born) VALUES
  ('Åsa "O''Neil" 雪 😀', 'é', '', x'00ff0a0d27225c1a', 12345678901234.567891, b'101010101', '2026-01-02 03:04:05.678',
   0.1, 'a', '{"a": [1, null]}', POINT(1, 2.5), x'0100', '2024-02-29'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  ('NULL', '', 'tab\tline\nreturn\rnul\0back\\slash', '', -0.000001, b'0', '1970-01-02 00:00:00', -1e30, 'b', '""',
   NULL, '', '0000-00-00');
CREATE TABLE `odd ``name. x` (id int PRIMARY KEY, `of ``whom` int,
  CONSTRAINT of_customer FOREIGN KEY (`of ``whom`) REFERENCES customers (id));
INSERT INTO `odd ``name. x` VALUES (1, 1), (2, 2);
CREATE TABLE log (line varchar(100));
CREATE SEQUENCE numbers;
CREATE VIEW named AS SELECT o.id, c.name FROM `odd ``name. x` o JOIN customers c ON c.id = o.`of ``whom`;
CREATE DEFINER = app@`%` SQL SECURITY DEFINER VIEW twice AS SELECT * FROM named;
DELIMITER //
CREATE TRIGGER logs AFTER INSERT ON customers FOR EACH ROW INSERT INTO log VALUES (CONCAT('new ', NEW.id))//
CREATE FUNCTION doubled(n int) RETURNS int DETERMINISTIC
BEGIN
-- Dump completed, says a routine
RETURN n * 2;
END//
CREATE PROCEDURE forget() DELETE FROM log//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM log//
DELIMITER ;
CREATE DATABASE `an``other db`;
CREATE TABLE `an``other db`.empty (x int);
"""


def container(project: Project) -> str:
    return f"{project.name}-dev-db-1"


def run(project: Project, *words: str, stdin: str = "") -> str:
    """A program in the container, as root."""
    inside = 'MYSQL_PWD=$(cat /run/secrets/db-password) exec "$0" --user=root "$@"'
    command = ["docker", "exec", "--interactive", container(project), "sh", "-c", inside, *words]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sql(project: Project, statements: str, database: str = "shop") -> str:
    return run(project, "mariadb", "--batch", "--skip-column-names", database, stdin=statements)


def everything(project: Project, database: str = "shop") -> str:
    """All that a database holds, as the dump tool sees it."""
    options = ("--skip-dump-date", "--skip-comments", "--routines", "--triggers", "--events", "--hex-blob")
    return run(project, "mariadb-dump", *options, database)


def folder(project: Project) -> Path:
    return project.root / "backups"


def manifests(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder(project).glob("*/manifest.json"))]


def shop_part(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest["parts"] if one["name"] == "shop")
    return found


def written(project: Project) -> set[str]:
    """What is in the folder, whatever it looks like."""
    return {path.name for path in folder(project).iterdir() if path.name != ".lock"}


@contextlib.contextmanager
def session(project: Project, statements: str, database: str = "shop") -> Iterator[None]:
    """Somebody else's connection, which does something and then stays, for as long as the block runs."""
    inside = "MYSQL_PWD=$(cat /run/secrets/db-password) exec mariadb --user=root --unbuffered --skip-column-names $0"
    command = ["docker", "exec", "--interactive", container(project), "sh", "-c", inside, database]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdin
        assert held.stdout
        held.stdin.write(f"SELECT CONNECTION_ID();\n{statements}\n")
        held.stdin.flush()
        number = held.stdout.readline().strip()
        try:
            yield
        finally:
            with contextlib.suppress(AssertionError):  # a restore has ended it
                sql(project, f"KILL {number}")
            held.stdin.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root, name = tmp_path_factory.mktemp("shop"), unique("mysql")
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (root / "compose.yaml").write_text(COMPOSE)
    (root / "password.txt").write_text(PASSWORD)
    with swept(name):
        project = Project(root, name)
        project.inv("dev.up")
        sql(project, SEED)
        yield project


@pytest.fixture(scope="module")
def backed_up(shop: Project) -> str:
    """Everything that was there when a backup was made, which is the oldest."""
    before = everything(shop)
    shop.inv("db.backup")
    return before


def test_a_backup_says_what_is_in_it_and_no_password(shop: Project, backed_up: str) -> None:
    manifest = manifests(shop)[0]

    assert [one["name"] for one in manifest["parts"]] == ["an`other db", "shop", "users"]
    part = shop_part(manifest)
    assert {name: one["count"] for name, one in part["contents"].items()} == {
        "customers": 3,
        "log": 0,
        "odd `name. x": 2,
    }
    assert part["facts"]["server_version"].startswith("11.")
    users = (folder(shop) / manifest["id"] / "db.users.sql").read_text()
    assert "CREATE USER IF NOT EXISTS 'app'@'%' ACCOUNT LOCK;" in users
    assert "GRANT ALL PRIVILEGES ON `shop`.* TO `app`@`%`;" in users
    assert "IDENTIFIED" not in users.partition("\n")[2]
    listed = shop.inv("db.backups").stdout
    assert "db/shop" in listed
    assert "db/users" not in listed


def test_everything_comes_back_and_what_was_live_is_kept(shop: Project, backed_up: str) -> None:
    sql(
        shop,
        """
        DROP TRIGGER logs; DROP VIEW named; DROP FUNCTION doubled; DROP EVENT nightly; DELETE FROM `odd ``name. x`;
        UPDATE customers SET photo = NULL WHERE id = 1; CREATE TABLE newer (x int); INSERT INTO newer VALUES (1);
        CREATE TRIGGER counts BEFORE INSERT ON newer FOR EACH ROW SET NEW.x = 7; CREATE VIEW v AS SELECT * FROM newer;
        CREATE PROCEDURE renew() DELETE FROM newer; CREATE EVENT hourly ON SCHEDULE EVERY 1 HOUR DO DELETE FROM newer;
        """,
    )
    with session(shop, "BEGIN; INSERT INTO newer VALUES (2);"):  # a transaction that is never ended keeps its table
        done = shop.inv("db.restore", manifests(shop)[0]["id"], "--only", "db/shop", "--yes", "--no-safety")

    assert "db/shop odd `name. x: 0 now, 2 after" in done.stderr
    assert "db/shop newer: 1 now, none after" in done.stderr
    assert everything(shop) == backed_up
    (kept,) = re.findall(r"kept as (shop_before_\d{14}) until the next restore", done.stderr)
    assert sql(shop, "INSERT INTO newer VALUES (2); SELECT x FROM v ORDER BY x; SHOW EVENTS", kept) == "1\n7"
    sql(shop, "INSERT INTO customers (name) VALUES ('one more')")
    assert sql(shop, "SELECT line FROM log") == "new 4"

    shop.inv("db.restore", manifests(shop)[0]["id"], "--only", "db/shop", "--yes", "--no-safety")

    assert everything(shop) == backed_up
    databases = sql(shop, "SHOW DATABASES")
    assert kept not in databases
    assert databases.count("shop_before_") == 1
    assert "_restore_" not in databases


def test_a_swap_that_cannot_be_done_leaves_everything_as_it_was(shop: Project, backed_up: str) -> None:
    """Somebody who works on another database holds a table: nobody is known to be in the way."""
    before = everything(shop)
    with session(shop, "LOCK TABLES shop.log WRITE;", "mysql"):
        done = shop.inv("db.restore", manifests(shop)[0]["id"], "--only", "db/shop", "--yes", "--no-safety", expect=1)

    assert "somebody holds a lock on a table" in done.stderr
    assert "db/shop could not be swapped in" in done.stderr
    assert everything(shop) == before
    assert "_restore_" not in sql(shop, "SHOW DATABASES")


def test_a_backup_is_restored_by_what_its_manifest_says_alone(shop: Project, backed_up: str) -> None:
    manifest = manifests(shop)[0]
    commands = [line.replace("NEW_NAME", "by_hand").replace(" --password", "") for line in
                manifest["restore_by_hand"]["db/shop"]]  # fmt: skip
    docker("cp", str(folder(shop) / manifest["id"]), f"{container(shop)}:/tmp/by-hand")
    inside = f"set -e; export MYSQL_PWD=$(cat /run/secrets/db-password); cd /tmp/by-hand; {'; '.join(commands)}"

    docker("exec", container(shop), "sh", "-c", inside)

    assert everything(shop, "by_hand") == backed_up
    sql(shop, "DROP DATABASE by_hand")


def test_one_database_is_restored_beside_the_live_one_and_looked_into(shop: Project, backed_up: str) -> None:
    done = shop.inv("db.restore", manifests(shop)[0]["id"], "--only", "db/shop", "--into", "shop at `noon")

    assert "USE shop at `noon look into it" in done.stderr
    looked = subprocess.run(
        [INV, "db.shell"],
        cwd=shop.root,
        env=os.environ | {"INVOKE_DEPLOY_PROJECT": shop.name},
        input="SELECT DATABASE(); SELECT COUNT(*) FROM `shop at ``noon`.named;",
        capture_output=True,
        text=True,
        check=True,
    )
    assert looked.stdout.split() == ["DATABASE()", "shop", "COUNT(*)", "2"]
    sql(shop, "DROP DATABASE `shop at ``noon`")


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_dump_is_refused_before_anything_is_touched(shop: Project, backed_up: str, damage: str) -> None:
    good, bad = folder(shop) / manifests(shop)[0]["id"], folder(shop) / "damaged"
    shutil.copytree(good, bad)
    manifest = json.loads((bad / "manifest.json").read_text()) | {
        "id": "damaged",
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    (bad / "manifest.json").write_text(json.dumps(manifest))
    dump = bad / shop_part(manifest)["file"]
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content[: len(content) // 2] if damage == "cut" else content)

    assert "damaged cannot be restored" in shop.inv("db.restore", "damaged", "--yes", expect=1).stderr
    assert "is no backup to count on" in shop.inv("db.drill", "--backup", "damaged", expect=1).stderr
    shutil.rmtree(bad)


def test_a_dump_that_is_not_what_its_manifest_says_is_not_swapped_in(shop: Project, backed_up: str) -> None:
    good, lies = folder(shop) / manifests(shop)[0]["id"], folder(shop) / "lies"
    shutil.copytree(good, lies)
    manifest = json.loads((lies / "manifest.json").read_text()) | {
        "id": "lies",
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    part = shop_part(manifest)
    part["contents"]["customers"]["checksum"] = "1"
    part["facts"]["triggers"] = "2"
    (lies / "manifest.json").write_text(json.dumps(manifest))

    done = shop.inv("db.restore", "lies", "--only", "db/shop", "--yes", "--no-safety", expect=1)

    assert "customers: as many as there should be (3), but not the same" in done.stderr
    assert "triggers: 1 instead of 2" in done.stderr
    assert "_restore_" not in sql(shop, "SHOW DATABASES")
    shutil.rmtree(lies)


def test_what_others_write_meanwhile_is_counted_as_it_is_dumped_and_a_drill_finds_just_that(
    shop: Project, backed_up: str
) -> None:
    """Two tables that always have the same number of rows for whoever looks at one moment."""
    sql(
        shop,
        """
        CREATE TABLE heads (id int PRIMARY KEY AUTO_INCREMENT, t text); CREATE TABLE tails LIKE heads;
        DELIMITER //
        CREATE PROCEDURE toss() WHILE TRUE DO
          START TRANSACTION; INSERT INTO heads (t) VALUES (REPEAT('x', 500)); INSERT INTO tails (t) VALUES (1); COMMIT;
        END WHILE//
        """,
    )
    with session(shop, "CALL toss();"):
        eventually(lambda: int(sql(shop, "SELECT COUNT(*) FROM heads")) > 100)
        shop.inv("db.backup")
        rows = {name: one["count"] for name, one in shop_part(manifests(shop)[-1])["contents"].items()}
        assert int(sql(shop, "SELECT COUNT(*) FROM heads")) > rows["heads"] == rows["tails"] > 100

    done = shop.inv("db.drill")

    assert f"{manifests(shop)[-1]['id']} is proved" in done.stderr
    assert docker("ps", "--all", "--quiet", "--filter", f"label=windlass.scratch={shop.name}-dev") == ""
    sql(shop, "DROP TABLE heads, tails; DROP PROCEDURE toss")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("LOCK TABLES log WRITE;", "somebody holds a lock on a table"),
        ("UPDATE customers SET note = note WHERE SLEEP(100) = 0;", "has had a statement running for"),
    ],
)
def test_a_lock_of_somebody_elses_is_not_waited_for_long(shop: Project, backed_up: str, held: str, said: str) -> None:
    before = written(shop)
    with session(shop, held):
        done = shop.inv("db.backup", "--only", "db", expect=1)

    assert "no backup was made" in done.stderr
    assert said in done.stderr
    assert written(shop) == before
    sql(shop, "INSERT INTO log VALUES ('nobody is locked out'); DELETE FROM log")
    assert docker("exec", container(shop), "sh", "-c", "ls -d /tmp/tmp.*", check=False) == ""


def test_a_password_that_is_not_the_servers_is_said(shop: Project, backed_up: str) -> None:
    before = written(shop)
    sql(shop, "ALTER USER root@localhost IDENTIFIED BY 'another'")
    try:
        done = shop.inv("db.backup", expect=1)
    finally:
        back = "ALTER USER root@localhost IDENTIFIED BY '{}'".format(PASSWORD.replace("\\", "\\\\"))
        docker("exec", "--env", "MYSQL_PWD=another", container(shop), "mariadb", "--user=root", "--execute", back)
    assert "root cannot log in with what MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD of the service say" in done.stderr
    assert written(shop) == before


def test_no_password_is_in_an_argument_list(shop: Project) -> None:
    def listed() -> str:
        found = docker("top", container(shop), "-eo", "pid,args")
        return found if "SELECT SLEEP" in found else ""

    asking = packaged("data", "in-mysql.sh", container(shop), "client", "--execute", "SELECT SLEEP(5)")
    with subprocess.Popen(asking, stdout=subprocess.DEVNULL) as process:
        arguments = eventually(listed)
        process.kill()
    assert PASSWORD not in arguments
