"""Backups and restores on a real PostgreSQL: what is proved, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.shell.packaged import packaged
from tests.project import Project, docker, eventually


def sql(project: Project, statement: str, database: str = "timetracker") -> str:
    container = f"{project.name}-dev-db-1"
    return docker(
        "exec", container, "psql", "-U", "timetracker", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", statement
    )


def folder(project: Project) -> Path:
    return project.root / "backups"


def manifests(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder(project).glob("*/manifest.json"))]


def part(manifest: dict[str, Any], kind: str = "postgres") -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest["parts"] if one["kind"] == kind)
    return found


def leftovers(project: Project) -> list[str]:
    return [path.name for path in folder(project).iterdir() if path.suffix == ".partial"]


def complete(project: Project) -> set[str]:
    """Names of what looks like a backup."""
    return {path.name for path in folder(project).iterdir() if not path.name.startswith(".")}


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
    dump = part(manifest)
    file = folder(database) / manifest["id"] / dump["file"]
    assert done.stdout.strip() == str(file.parent)
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (dump["size_bytes"], 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    digest = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True).stdout.split()[0]
    assert digest == dump["sha256"]
    assert dump["contents"]["public.Odd Name"]["count"] == 20000
    assert dump["facts"]["server_version"].startswith("17")
    assert manifest["label"] == "manual"
    roles = (file.parent / "db.roles.sql").read_text()
    assert "CREATE ROLE timetracker" in roles
    assert "PASSWORD" not in roles
    assert leftovers(database) == []
    assert manifest["id"] in database.inv("db.backups").stdout


def test_a_backup_is_restored_with_the_stores_own_tools_alone(database: Project) -> None:
    """By nothing but what its manifest says."""
    manifest = manifests(database)[-1]
    commands = manifest["restore_by_hand"]["db/timetracker"]
    container = f"{database.name}-dev-db-1"
    docker("cp", str(folder(database) / manifest["id"]), f"{container}:/tmp/by-hand")
    script = "; ".join(command.replace("NEW_NAME", "by_hand") for command in commands)
    script = f"set -e; export PGUSER=timetracker; cd /tmp/by-hand; {script}"

    docker("exec", container, "sh", "-c", script)

    assert sql(database, 'SELECT count(*) FROM "Odd Name"', "by_hand") == "20000"
    sql(database, "DROP DATABASE by_hand", "postgres")


def test_every_row_comes_back_and_the_old_database_is_kept(database: Project) -> None:
    database.inv("db.backup")
    before = sql(database, """SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM "Odd Name" t""")
    sql(database, """DROP TABLE "Odd Name" CASCADE; CREATE TABLE newer (x int); DROP TABLE tracker_dailytotal""")

    done = database.inv("db.restore", "latest", "--yes")

    assert "db/timetracker public.Odd Name: none now, 20000 after" in done.stderr
    assert "db/timetracker public.newer: 0 now, none after" in done.stderr
    safety = manifests(database)[-1]
    assert safety["label"] == "pre-restore"
    assert f"inv db.restore {safety['id']} takes this back" in done.stderr
    again = database.inv("db.restore", "latest", expect=2)
    assert manifests(database)[-2]["id"] in again.stderr, "the latest is not what was got rid of"
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

    done = database.inv("db.restore", "latest", "--no-safety", "--yes")

    assert "somebody holds a lock on a table" in done.stderr
    assert held.wait(30) != 0


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(database: Project, damage: str) -> None:
    database.inv("db.backup")
    manifest = manifests(database)[-1]
    dump = folder(database) / manifest["id"] / part(manifest)["file"]
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
    drilled = database.inv("db.drill", "--backup", manifest["id"], expect=1)
    assert f"{manifest['id']} is no backup to count on" in drilled.stderr
    assert (
        "db.timetracker.dump" in drilled.stderr if damage != "flipped" else "its content has changed" in drilled.stderr
    )
    if damage != "flipped":
        assert "db.timetracker.dump " in database.inv("db.backups").stdout
    shutil.rmtree(dump.parent)


def test_a_backup_that_lies_about_its_tables_is_refused(database: Project) -> None:
    """A dump can be read from end to end and still lack a table: the manifest knows what it held."""
    database.inv("db.backup")
    path = max(folder(database).glob("*/manifest.json"))
    name = path.parent.name
    manifest = json.loads(path.read_text())
    tables = part(manifest)["contents"]
    good = tables["public.Odd Name"]

    for lie, said in (
        ({"public.another": {"count": 5, "checksum": ""}}, "the dump lacks public.another"),
        ({"public.Odd Name": good | {"count": 20001}}, "public.Odd Name: 20000 instead of 20001"),
        ({"public.Odd Name": good | {"checksum": "1"}}, "public.Odd Name: as many as there should be (20000), but not"),
    ):
        before = dict(tables)
        tables.update(lie)
        path.write_text(json.dumps(manifest))
        assert said in database.inv("db.restore", name, "--no-safety", "--yes", expect=1).stderr
        assert said in database.inv("db.drill", "--backup", name, expect=1).stderr
        assert "failed" in database.inv("db.backups").stdout
        tables.clear()
        tables.update(before)
    assert fresh_databases(database) == []
    shutil.rmtree(path.parent)


def test_a_dump_that_went_through_a_terminal_is_refused(database: Project) -> None:
    """Its line ends changed, as `ssh -tt` does it: `pg_restore` itself reads such a file and restores nothing of it."""
    database.inv("db.backup")
    path = max(folder(database).glob("*/manifest.json"))
    name = path.parent.name
    manifest = json.loads(path.read_text())
    dump = path.parent / part(manifest)["file"]
    dump.write_bytes(dump.read_bytes().replace(b"\n", b"\r\n"))
    part(manifest)["sha256"] = hashlib.sha256(dump.read_bytes()).hexdigest()
    part(manifest)["size_bytes"] = dump.stat().st_size
    path.write_text(json.dumps(manifest))

    for words in (("db.restore", name, "--no-safety", "--yes"), ("db.drill", "--backup", name)):
        assert "the dump " in database.inv(*words, expect=1).stderr
    assert fresh_databases(database) == []
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    ("hindrance", "said"),
    [
        ("an extension that the server lacks", 'extension "hstore" is not available'),
        ("a check that asks another table", "COPY orders, line 1"),
    ],
)
def test_a_restore_that_fails_half_way_leaves_the_live_database_alone(
    database: Project, hindrance: str, said: str
) -> None:
    """The tables before have their rows already then; nobody is kept out meanwhile."""
    container = f"{database.name}-dev-db-1"
    control = "/usr/share/postgresql/17/extension/hstore.control"
    sql(database, "CREATE DATABASE shop")
    sql(
        database,
        """
        CREATE EXTENSION hstore;
        CREATE TABLE customers AS SELECT n FROM generate_series(1, 1000) n;
        CREATE TABLE numbers AS SELECT n, hstore('n', n::text) AS more FROM generate_series(1, 1000) n;
        CREATE TABLE orders (customer int);
        INSERT INTO orders SELECT n FROM generate_series(1, 1000) n;
        CREATE TABLE papers AS SELECT n FROM generate_series(1, 1000) n;
        CREATE TABLE zones AS SELECT n FROM generate_series(1, 1000) n;
        """,
        "shop",
    )
    if "check" in hindrance:
        sql(
            database,
            """
            CREATE FUNCTION known(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM zones WHERE n = $1)';
            ALTER TABLE orders ADD CONSTRAINT orders_known CHECK (known(customer));
            """,
            "shop",
        )
    database.inv("db.backup")
    name = manifests(database)[-1]["id"]
    sql(database, "DELETE FROM papers", "shop")
    if "extension" in hindrance:
        docker("exec", container, "mv", control, f"{control}.away")
    try:
        with subprocess.Popen(
            ["docker", "exec", "-i", container, "psql", "-U", "timetracker", "-Atq", "shop"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as session:
            done = database.inv("db.restore", name, "--only", "db/shop", "--no-safety", "--yes", expect=1)

            said_then, _ = session.communicate("SELECT count(*) FROM orders; SELECT count(*) FROM papers;\n")
    finally:
        if "extension" in hindrance:
            docker("exec", container, "mv", f"{control}.away", control)
    assert said in done.stderr
    assert said_then.split() == ["1000", "0"], "a session that was there goes on, on what was live"
    assert fresh_databases(database) == []
    sql(database, "DROP DATABASE shop")
    shutil.rmtree(folder(database) / name)


def fresh_databases(database: Project) -> list[str]:
    """Names of databases that a restore is making, or has left."""
    return sql(database, "SELECT datname FROM pg_database WHERE datname LIKE '%\\_restore\\_%'", "postgres").split()


def test_a_dump_that_is_killed_leaves_nothing_that_looks_like_a_backup(database: Project) -> None:
    sql(database, "CREATE TABLE slow AS SELECT n, repeat(md5(random()::text), 200) FROM generate_series(1, 60000) n")
    before = complete(database)
    running_backup = database.start("db.backup")
    pid = _wait_for_dump(database)
    docker("exec", f"{database.name}-dev-db-1", "kill", "-KILL", pid)

    _, err = running_backup.communicate()

    assert running_backup.returncode == 1, err
    assert "no backup was made: db could not be copied" in err
    assert (complete(database), leftovers(database)) == (before, [])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_backup_whose_own_process_is_killed_leaves_nothing_under_a_final_name(
    database: Project, how: signal.Signals
) -> None:
    before = complete(database)
    running_backup = database.start("db.backup")
    _wait_for_dump(database)
    running_backup.send_signal(how)
    running_backup.communicate()

    assert running_backup.returncode != 0
    assert complete(database) == before
    for name in leftovers(database):
        assert f"{name} (" in database.inv("db.backups").stderr
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
    before = complete(database)
    docker("stop", f"{database.name}-dev-db-1")
    try:
        done = database.inv("db.backup", expect=2)
    finally:
        docker("start", f"{database.name}-dev-db-1")
    assert "db does not run" in done.stderr
    assert complete(database) == before


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
        assert [path.name for path in mount.iterdir() if path.name not in {"lost+found", ".lock"}] == []
    finally:
        del database.env["INVOKE_DEPLOY_BACKUPS"]
        subprocess.run(["umount", mount], check=True)


def test_a_restore_is_not_done_unattended_without_a_yes(database: Project) -> None:
    database.inv("db.backup")
    sql(database, "CREATE TABLE IF NOT EXISTS precious (x int)")

    done = database.inv("db.restore", "latest", expect=2)

    assert "this replaces db/timetracker on this machine; nobody can be asked" in done.stderr
    assert sql(database, "SELECT to_regclass('precious')") == "precious"


def test_an_unknown_backup_is_answered_with_those_there_are(database: Project) -> None:
    done = database.inv("db.restore", "nope", "--yes", expect=2)

    assert "no backup is called 'nope'" in done.stderr
    assert manifests(database)[-1]["id"] in done.stderr


def test_a_drill_restores_into_a_server_of_its_own_and_leaves_nothing(database: Project) -> None:
    database.inv("db.backup")
    name = manifests(database)[-1]["id"]
    label = ("--quiet", "--filter", f"label=windlass.scratch={database.name}-dev")

    done = database.inv("db.drill")

    assert f"{name} is proved" in done.stderr
    newest = json.loads(database.inv("db.backups", "--json").stdout)[-1]
    assert (newest["id"], newest["proved"], newest["proof"]["problems"]) == (name, True, [])
    assert (docker("ps", "--all", *label), docker("volume", "ls", *label)) == ("", "")


def test_a_drill_that_was_killed_is_swept_by_the_next_one(database: Project) -> None:
    label = ("--filter", f"label=windlass.scratch={database.name}-dev")
    running_drill = database.start("db.drill")
    eventually(lambda: docker("ps", "--quiet", *label))
    running_drill.send_signal(signal.SIGKILL)
    running_drill.communicate()
    assert docker("ps", "--quiet", *label)

    eventually(lambda: database.attempt("db.drill").returncode == 0, 60)

    assert docker("ps", "--all", "--quiet", *label) == ""


def test_a_question_of_the_applications_own_is_part_of_the_drill(database: Project) -> None:
    compose = database.root / "compose/timetracker/dev.yaml"
    text = compose.read_text()
    line = "    x-deploy: {proof: 'SELECT count(*) = %s FROM \"Odd Name\"'}\n"
    try:
        compose.write_text(text.replace("  db:\n", f"  db:\n{line % 20000}", 1))
        assert "is proved" in database.inv("db.drill").stderr
        compose.write_text(text.replace("  db:\n", f"  db:\n{line % 5}", 1))
        assert "x-deploy.proof answered f" in database.inv("db.drill", expect=1).stderr
    finally:
        compose.write_text(text)


def test_one_database_is_restored_beside_the_live_one(database: Project) -> None:
    database.inv("db.backup")
    rows = sql(database, 'SELECT count(*) FROM "Odd Name"')
    name = manifests(database)[-1]["id"]

    database.inv("db.restore", name, "--into", "yesterday")

    assert sql(database, 'SELECT count(*) FROM "Odd Name"', "yesterday") == rows
    assert (
        "there is a database of that name" in database.inv("db.restore", name, "--into", "yesterday", expect=2).stderr
    )
    sql(database, "DROP DATABASE yesterday", "postgres")


def test_nobody_works_on_backups_beside_somebody_else(database: Project) -> None:
    before = complete(database)
    holding = packaged("data", "lock.sh", str(folder(database)), "ada@laptop: manual backup")
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "locked\n"
        for words in (("db.backup",), ("db.drill",), ("db.restore", "latest", "--no-safety", "--yes")):
            done = database.inv(*words, expect=1)
            assert "ada@laptop: manual backup works on the backups" in done.stderr
        assert (complete(database), leftovers(database)) == (before, [])
        holder.kill()  # as a cut connection does

    database.inv("db.backup")


def test_old_backups_are_removed_and_the_proved_one_is_not(database: Project) -> None:
    for _ in range(2):
        database.inv("db.backup")
    names = [one["id"] for one in manifests(database)]
    database.env["INVOKE_DEPLOY_BACKUPS"] = "pruned"
    try:
        for number, name in enumerate(names[-2:] * 3):
            made = database.root / "pruned" / f"{name}-{number}"
            shutil.copytree(folder(database) / name, made)
            manifest = json.loads((made / "manifest.json").read_text())
            at = f"2026-01-0{number + 1}T03:00:00+00:00"
            (made / "manifest.json").write_text(json.dumps(manifest | {"id": made.name, "started_at": at}))
        listed = database.inv("--dry", "db.prune")
        assert "would be removed" not in listed.stderr, "seven days are kept"
        (database.root / "invoke.yaml").write_text(
            "deploy:\n  stack: timetracker\n  environments: {dev: {backup_keep: "
            "{last: 1, daily: 0, weekly: 0, monthly: 0}}}\n"
        )
        oldest = f"{names[-2]}-0"
        database.inv("db.drill", "--backup", oldest)

        assert "nobody can be asked" in database.inv("db.prune", expect=2).stderr
        done = database.inv("db.prune", "--yes")

        assert "Removed 4 backups" in done.stderr
        assert f"keep    {oldest}  the newest that is proved" in done.stdout
        assert {path.name for path in (database.root / "pruned").glob("[!.]*")} == {oldest, f"{names[-1]}-5"}
    finally:
        (database.root / "invoke.yaml").write_text("deploy:\n  stack: timetracker\n")
        del database.env["INVOKE_DEPLOY_BACKUPS"]
