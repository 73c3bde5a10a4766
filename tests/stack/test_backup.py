"""Backups and restores on a real PostgreSQL: what is proved, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, docker, eventually


def sql(project: Project, statement: str, database: str = "timetracker") -> str:
    container = f"{project.name}-dev-db-1"
    return docker(
        "exec", container, "psql", "-U", "timetracker", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", statement
    )


def manifests(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((project.root / "backups").glob("*.json"))]


def leftovers(project: Project) -> list[str]:
    return [path.name for path in (project.root / "backups").glob("*") if path.suffix == ".partial"]


@pytest.fixture(scope="module")
def database(running: Project) -> Project:
    """The development database with rows that compress badly and a name that needs quoting."""
    sql(running, """CREATE TABLE "Odd Name" (id int PRIMARY KEY, blob text)""")
    sql(
        running, """INSERT INTO "Odd Name" SELECT n, repeat(md5(random()::text), 30) FROM generate_series(1, 20000) n"""
    )
    return running


def test_a_backup_is_complete_readable_and_described(database: Project) -> None:
    done = database.inv("db.backup")

    manifest = manifests(database)[-1]
    dump = database.root / "backups" / f"{manifest['id']}.dump"
    assert done.stdout.strip() == str(dump)
    assert dump.stat().st_size == manifest["size_bytes"]
    assert dump.stat().st_mode & 0o777 == 0o600
    assert (
        subprocess.run(["sha256sum", dump], capture_output=True, text=True, check=True).stdout.split()[0]
        == manifest["sha256"]
    )
    assert manifest["tables"]["public.Odd Name"] == 20000
    assert manifest["server_version"].startswith("17")
    assert manifest["label"] == "manual"
    assert leftovers(database) == []
    assert manifest["id"] in database.inv("db.backups").stdout


def test_every_row_comes_back_and_the_old_database_is_kept(database: Project) -> None:
    database.inv("db.backup")
    before = sql(database, """SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM "Odd Name" t""")
    sql(database, """DROP TABLE "Odd Name" CASCADE; CREATE TABLE newer (x int); DROP TABLE tracker_dailytotal""")

    done = database.inv("db.restore", "latest", "--yes")

    assert "public.Odd Name: no rows now, 20000 after" in done.stderr
    assert "public.newer: 0 rows now, no after" in done.stderr
    assert sql(database, """SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM "Odd Name" t""") == before
    assert sql(database, "SELECT to_regclass('newer')") == ""
    kept = sql(database, "SELECT datname FROM pg_database WHERE datname LIKE 'timetracker\\_before\\_%'")
    assert kept in done.stderr
    assert sql(database, "SELECT to_regclass('newer')", kept) == "newer"


def test_a_database_that_is_gone_is_made_again(database: Project) -> None:
    database.inv("db.backup")
    rows = sql(database, 'SELECT count(*) FROM "Odd Name"')
    sql(database, "DROP DATABASE timetracker WITH (FORCE)", "postgres")

    database.inv("db.restore", "latest", "--yes")

    assert sql(database, 'SELECT count(*) FROM "Odd Name"') == rows


def test_a_restore_ends_sessions_that_are_in_its_way(database: Project) -> None:
    database.inv("db.backup")
    held = subprocess.Popen(
        [
            "docker",
            "exec",
            f"{database.name}-dev-db-1",
            "psql",
            "-U",
            "timetracker",
            "-c",
            "BEGIN; LOCK TABLE tracker_project; SELECT pg_sleep(300)",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    locks = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'tracker_project'::regclass"
    eventually(lambda: sql(database, locks))

    done = database.inv("db.restore", "latest", "--yes")

    assert "somebody holds a lock on a table" in done.stderr
    assert held.wait(30) != 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(database: Project, damage: str) -> None:
    database.inv("db.backup")
    manifest = manifests(database)[-1]
    dump = database.root / "backups" / f"{manifest['id']}.dump"
    content = bytearray(dump.read_bytes())
    if damage == "cut":
        dump.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        dump.write_bytes(content)
    elif damage == "empty":
        dump.write_bytes(b"")
    else:
        dump.unlink()
    databases = sql(database, "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_database", "postgres")

    done = database.inv("db.restore", manifest["id"], "--yes", expect=1)

    assert f"{manifest['id']} cannot be restored" in done.stderr
    assert sql(database, "SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_database", "postgres") == databases
    if damage != "flipped":
        assert "its dump" in database.inv("db.backups").stdout
    for suffix in (".dump", ".json"):
        (database.root / "backups" / f"{manifest['id']}{suffix}").unlink(missing_ok=True)


def test_a_backup_that_lies_about_its_tables_is_refused(database: Project) -> None:
    """A dump can be read from end to end and still lack a table: the manifest knows what it held."""
    database.inv("db.backup")
    path = max((database.root / "backups").glob("*.json"))
    manifest = json.loads(path.read_text())
    manifest["tables"]["public.another"] = 5
    path.write_text(json.dumps(manifest))

    assert "tables instead of" in database.inv("db.restore", path.stem, "--yes", expect=1).stderr

    del manifest["tables"]["public.another"]
    manifest["tables"]["public.Odd Name"] = 20001
    path.write_text(json.dumps(manifest))
    done = database.inv("db.restore", path.stem, "--yes", expect=1)
    assert "public.Odd Name: 20000 instead of 20001" in done.stderr
    assert sql(database, "SELECT count(*) FROM pg_database WHERE datname LIKE '%\\_restore\\_%'", "postgres") == "0"
    path.unlink()
    path.with_suffix(".dump").unlink()


def test_a_dump_that_is_killed_leaves_nothing_that_looks_like_a_backup(database: Project) -> None:
    sql(database, "CREATE TABLE slow AS SELECT n, repeat(md5(random()::text), 200) FROM generate_series(1, 60000) n")
    before = sorted((database.root / "backups").iterdir())
    running_backup = database.start("db.backup")
    pid = _wait_for_dump(database)
    docker("exec", f"{database.name}-dev-db-1", "kill", "-KILL", pid)

    _, err = running_backup.communicate()

    assert running_backup.returncode == 1, err
    assert "no backup of timetracker was made" in err
    assert sorted((database.root / "backups").iterdir()) == before


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_backup_whose_own_process_is_killed_leaves_nothing_under_a_final_name(
    database: Project, how: signal.Signals
) -> None:
    before = {path for path in (database.root / "backups").iterdir() if path.suffix != ".partial"}
    running_backup = database.start("db.backup")
    _wait_for_dump(database)
    running_backup.send_signal(how)
    running_backup.communicate()

    assert running_backup.returncode != 0
    assert {path for path in (database.root / "backups").iterdir() if path.suffix != ".partial"} == before
    eventually(lambda: not sql(database, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pg_dump'"), 60)


def _wait_for_dump(database: Project) -> str:
    """The process id, in the container, of a pg_dump that is at work."""
    until = time.monotonic() + 30
    while True:
        listed = docker("top", f"{database.name}-dev-db-1", "-eo", "pid,args", check=False)
        if "pg_dump" in listed:
            inside = docker(
                "exec",
                f"{database.name}-dev-db-1",
                "sh",
                "-c",
                "grep -l pg_dump /proc/[0-9]*/comm 2>/dev/null | head -n 1",
                check=False,
            )
            if inside:
                return inside.split("/")[2]
        assert time.monotonic() < until, "no pg_dump appeared"
        time.sleep(0.02)


def test_a_database_that_is_down_is_said(database: Project) -> None:
    before = sorted((database.root / "backups").iterdir())
    docker("stop", f"{database.name}-dev-db-1")
    try:
        done = database.inv("db.backup", expect=2)
    finally:
        docker("start", f"{database.name}-dev-db-1")
    assert "db does not run" in done.stderr
    assert sorted((database.root / "backups").iterdir()) == before


def test_a_full_disk_leaves_no_file_behind(database: Project, tmp_path: Path) -> None:
    """On a file system of its own, too small for the dump."""
    image, mount = tmp_path / "disk.img", database.root / "small"
    mount.mkdir()
    subprocess.run(["truncate", "-s", "8M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        database.env["INVOKE_DEPLOY_BACKUPS"] = "small"
        done = database.inv("db.backup", expect=1)
        assert "bytes are free in" in done.stderr or "No space left" in done.stderr
        assert [path.name for path in mount.iterdir() if path.name != "lost+found"] == []
    finally:
        del database.env["INVOKE_DEPLOY_BACKUPS"]
        subprocess.run(["umount", mount], check=True)


def test_a_restore_is_not_done_unattended_without_a_yes(database: Project) -> None:
    database.inv("db.backup")
    sql(database, "CREATE TABLE IF NOT EXISTS precious (x int)")

    done = database.inv("db.restore", "latest", expect=2)

    assert "this replaces timetracker on this machine; nobody can be asked" in done.stderr
    assert sql(database, "SELECT to_regclass('precious')") == "precious"


def test_an_unknown_backup_is_answered_with_those_there_are(database: Project) -> None:
    done = database.inv("db.restore", "nope", "--yes", expect=2)

    assert "no backup is called 'nope'" in done.stderr
    assert manifests(database)[-1]["id"] in done.stderr
