"""The main job from beginning to end: TimeTracker released to a host, in the order in which a team would meet it."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load, Request
from tests.project import Project, commit, copy_of_this_checkout, docker, eventually, free_port
from tests.stack.browser import complaints, shown

VERSION = "apps/timetracker/backend/config/version.py"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def prod(timetracker: Project) -> RemoteHost:
    return raise_host(timetracker)


@pytest.fixture(scope="module")
def released(timetracker: Project, prod: RemoteHost) -> RemoteHost:
    """The host with a first release on it."""
    timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
    return prod


def visitors(host: RemoteHost) -> Load:
    """Reads of the page and the API, and writes."""
    return Load(
        host.address,
        80,
        (
            Request("/api/version"),
            Request("/"),
            Request("/api/projects", lambda n: json.dumps({"name": f"p{n}-{next(NUMBERS)}"})),
        ),
    )


def version(host: RemoteHost) -> str:
    found: str = json.loads(host.get("/api/version")[1])["version"]
    return found


def releases(project: Project) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(project.inv("prod.releases", "--host", "sandbox", "--json").stdout)
    return rows


def test_a_plan_for_an_empty_host_creates_everything_and_changes_nothing(
    timetracker: Project, prod: RemoteHost
) -> None:
    key = secrets.token_hex(25)
    (timetracker.root / ".env.prod").write_text(f"SECRET_KEY={key}\nPOSTGRES_PASSWORD={secrets.token_hex(10)}\n")
    plan = json.loads(timetracker.inv("prod.plan", "--host", "sandbox", "--json").stdout)[0]
    (timetracker.root / ".env.prod").unlink()

    assert {one["name"]: one["action"] for one in (*plan["data"], *plan["services"])} == dict.fromkeys(
        ("db", "backend", "frontend", "worker", "nginx"), "create"
    )
    assert plan["edge"] == "start"
    assert key not in json.dumps(plan)
    assert prod.sh(f"ls -d /opt/{timetracker.name}* || true") == ""
    assert prod.containers("") == {}


def test_a_first_deploy_ends_with_a_served_release(timetracker: Project, prod: RemoteHost) -> None:
    done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")

    assert "Made .env.prod with generated values for SECRET_KEY, POSTGRES_PASSWORD" in done.stderr
    assert "is live on sandbox after" in done.stderr
    assert prod.get("/api/health")[0] == 200
    assert "<div id=" in prod.get("/")[1]
    assert prod.get("/day/2026-03-15")[0] == 200
    assert prod.get("/admin/login/")[0] == 200
    assert timetracker.inv("prod.status", "--host", "sandbox").stderr.strip().endswith("All is well.")
    secret = re.search(r"SECRET_KEY=(\w+)", (timetracker.root / ".env.prod").read_text())
    assert secret
    assert secret[1] not in done.stdout + done.stderr
    assert secret[1] not in prod.sh("cat /opt/*/journal.jsonl /opt/*/releases/*/release.json")
    assert prod.sh("find /opt -name compose.yaml -path '*releases*' -perm /077") == ""


def test_the_page_is_used_in_a_browser(released: RemoteHost, browser: WebDriver) -> None:
    complaints(browser)  # what other pages gave rise to
    browser.get(f"http://{released.address}/day/2026-03-16")
    eventually(lambda: browser.find_elements(By.TAG_NAME, "form"))
    for name, value in {"project": "From the page", "task": "Typing", "note": "on the host"}.items():
        browser.find_element(By.CSS_SELECTOR, f"form label.{name} input").send_keys(value)
    browser.find_element(By.CSS_SELECTOR, "form button.primary").click()

    eventually(lambda: "on the host" in shown(browser))
    assert [entry["note"] for entry in json.loads(released.get("/api/entries?day=2026-03-16")[1])] == ["on the host"]
    assert complaints(browser) == []


def test_production_is_hardened(timetracker: Project, released: RemoteHost) -> None:
    published = released.run("docker", "ps", "--format", "{{.Names}} {{.Ports}}")
    assert [line.split()[0] for line in published.splitlines() if "->" in line] == [f"{timetracker.name}-edge-edge-1"]
    for name in released.containers(f"{timetracker.name}-2"):
        details = json.loads(released.run("docker", "container", "inspect", name))[0]
        assert released.run("docker", "exec", name, "id", "-u") != "0", name
        assert details["HostConfig"]["ReadonlyRootfs"], name
        assert details["HostConfig"]["CapDrop"] == ["ALL"], name
        assert details["HostConfig"]["Memory"], name
        assert details["HostConfig"]["LogConfig"]["Config"]["max-size"] == "10m", name
        assert details["State"]["Health"]["Status"] == "healthy", name


def test_static_and_media_files_are_really_shared_with_nginx(released: RemoteHost) -> None:
    login = released.get("/admin/login/")[1]
    style = re.search(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', login)

    assert style, "hashed names"
    assert released.get(style[1])[0] == 200


def test_the_same_again_is_nothing_to_do(timetracker: Project, released: RemoteHost) -> None:
    before = released.containers(timetracker.name)

    done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")

    assert "nothing to do, nothing restarted" in done.stderr
    assert released.containers(timetracker.name) == before


def test_a_fresh_clone_elsewhere_has_nothing_to_do_either(
    timetracker: Project, released: RemoteHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clone = Project(copy_of_this_checkout(tmp_path_factory.mktemp("another")), timetracker.name)
    for name in (".env.prod", ".windlass"):
        (clone.root / name).symlink_to(timetracker.root / name)

    assert "nothing to do" in clone.inv("prod.deploy", "--host", "sandbox", "--yes").stderr


def test_a_clone_without_the_secrets_does_not_make_new_ones_for_a_live_release(
    timetracker: Project, released: RemoteHost, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clone = Project(copy_of_this_checkout(tmp_path_factory.mktemp("stranger")), timetracker.name)
    (clone.root / ".windlass").symlink_to(timetracker.root / ".windlass")

    done = clone.inv("prod.deploy", "--host", "sandbox", "--yes", expect=2)

    assert ".env.prod is missing, and sandbox already runs" in done.stderr
    assert not (clone.root / ".env.prod").exists()


def test_a_second_release_under_load_loses_no_request(timetracker: Project, released: RemoteHost) -> None:
    timetracker.edit(VERSION, '"1.0.0"', '"1.1.0"')
    commit(timetracker.root, "Release 1.1.0")
    with visitors(released) as load:
        eventually(lambda: load.sent > 100)
        done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
        after = load.sent
        eventually(lambda: load.sent > after + 100)

    print(f"deploy under load: {load.failed.total()} of {load.sent} requests failed, slowest {load.slowest_s:.2f} s")  # noqa: T201
    assert load.failed == {}
    assert load.sent > 500
    assert version(released) == "1.1.0"
    told = re.search(r"; 0 of (\d+) probes failed, slowest \d+ ms\.", done.stderr)
    assert told
    assert int(told[1]) > 20
    assert releases(timetracker)[0]["probes"].items() >= {"sent": int(told[1]), "failed": 0}.items()
    assert {json.loads(body)["version"] for body in load.answers if '"version"' in body} == {"1.0.0", "1.1.0"}


def test_a_broken_release_changes_nothing_for_users(timetracker: Project, released: RemoteHost) -> None:
    wsgi = timetracker.root / "apps/timetracker/backend/config/wsgi.py"
    good = wsgi.read_text()
    wsgi.write_text(good + '\nraise RuntimeError("broken on purpose")\n')
    before = released.containers(timetracker.name)
    networks = released.run("docker", "network", "ls", "--format", "{{.Name}}")
    kept = released.sh("ls /opt/*/releases")
    try:
        with visitors(released) as load:
            done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes", expect=1)
    finally:
        wsgi.write_text(good)

    assert "the new release did not become healthy: backend" in done.stderr
    assert "last lines of backend:" in done.stderr
    assert "broken on purpose" in done.stderr
    assert "users still get the release before" in done.stderr
    assert load.failed == {}
    assert released.containers(timetracker.name) == before
    assert released.run("docker", "network", "ls", "--format", "{{.Name}}") == networks
    assert released.sh("ls /opt/*/releases") == kept
    assert version(released) == "1.1.0"
    assert releases(timetracker)[0]["outcome"] == "failed"
    assert timetracker.inv("prod.status", "--host", "sandbox").returncode == 0


def test_rollback_under_load_returns_to_the_release_before(timetracker: Project, released: RemoteHost) -> None:
    with visitors(released) as load:
        done = timetracker.inv("prod.rollback", "--host", "sandbox", "--yes")

    assert load.failed == {}
    assert version(released) == "1.0.0"
    assert "is live on sandbox again" in done.stderr
    found = releases(timetracker)
    assert [row["outcome"] for row in found] == ["rolled back", "failed", "deployed", "deployed"]
    assert [row["live"] for row in found] == [True, False, False, False]


def test_logs_exec_and_shell_reach_the_live_release(timetracker: Project, released: RemoteHost) -> None:
    released.get("/api/version?marker=sought")

    assert "marker=sought" in timetracker.inv("prod.logs", "--host", "sandbox", "--service", "nginx").stdout
    assert "database system is ready" in timetracker.inv("prod.logs", "--host", "sandbox", "--service", "db").stdout
    shown = timetracker.inv(
        "prod.exec", "backend", "python -c 'from config.version import *; print(APP_VERSION)'", "--host", "sandbox"
    )
    assert shown.stdout.strip() == "1.0.0"
    assert timetracker.inv("prod.exec", "backend", "sh -c 'exit 9'", "--host", "sandbox", expect=9).returncode == 9


def test_a_rollback_can_be_taken_forward_again(timetracker: Project, released: RemoteHost) -> None:
    newer = next(row["release"] for row in releases(timetracker) if row["outcome"] == "deployed")

    timetracker.inv("prod.rollback", "--host", "sandbox", "--to", newer, "--yes")

    assert version(released) == "1.1.0"


def rows(project: Project, host: RemoteHost, statement: str) -> str:
    return host.run("docker", "exec", f"{project.name}-data-db-1", "psql", "-U", "timetracker", "-Atqc", statement)


def test_pending_migrations_run_once_after_a_backup(timetracker: Project, released: RemoteHost) -> None:
    migrations = timetracker.root / "apps/timetracker/backend/tracker/migrations"
    (migrations / "0099_wish.py").write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('tracker', '0001_initial')]\n"
        "    operations = [migrations.RunSQL('CREATE TABLE wish (x int)', 'DROP TABLE wish')]\n"
    )
    assert "migrate  backend: tracker.0099_wish" in timetracker.inv("prod.plan", "--host", "sandbox").stdout
    done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")

    assert "✓ Look for pending migrations  pending: backend" in done.stderr
    assert rows(timetracker, released, "SELECT to_regclass('wish')") == "wish"
    assert rows(timetracker, released, "SELECT count(*) FROM django_migrations WHERE name = '0099_wish'") == "1"
    backups = json.loads(timetracker.inv("db.backups", "--env", "prod", "--host", "sandbox", "--json").stdout)
    assert backups[-1]["label"] == "pre-migrate"
    assert backups[-1]["problem"] == ""


def test_a_failing_migration_switches_nothing_and_names_the_backup(timetracker: Project, released: RemoteHost) -> None:
    path = timetracker.root / "apps/timetracker/backend/tracker/migrations/0100_bad.py"
    path.write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('tracker', '0099_wish')]\n"
        "    operations = [migrations.RunSQL('SELECT no_such_column FROM wish')]\n"
    )
    before = released.containers(timetracker.name)
    try:
        with visitors(released) as load:
            done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes", expect=1)
    finally:
        path.unlink()

    assert "the migrations of backend failed; nothing was switched" in done.stderr
    assert "no_such_column" in done.stderr
    assert "inv db.restore" in done.stderr
    assert load.failed == {}
    assert released.containers(timetracker.name) == before


def test_going_back_before_a_migration_is_warned_of(timetracker: Project, released: RemoteHost) -> None:
    done = timetracker.inv("prod.rollback", "--host", "sandbox", expect=2)

    assert "changed the schema, and going back does not change it back" in done.stderr
    assert "nobody can be asked, and --yes was not given" in done.stderr


def test_migrations_can_be_reversed_on_the_way_back(timetracker: Project, released: RemoteHost) -> None:
    newest = releases(timetracker)
    brought = next(row for row in newest if row["outcome"] == "deployed")
    assert brought["migrations"] == [
        {"service": "backend", "names": ["tracker.0099_wish"], "before": {"tracker": "0001_initial"}}
    ]

    done = timetracker.inv("prod.rollback", "--host", "sandbox", "--reverse-migrations", "--yes")

    assert "tracker.0099_wish" in done.stderr
    assert rows(timetracker, released, "SELECT to_regclass('wish') IS NULL") == "t"
    assert rows(timetracker, released, "SELECT count(*) FROM django_migrations WHERE name = '0099_wish'") == "0"
    assert released.get("/api/projects")[0] == 200
    back = releases(timetracker)[0]
    assert back["outcome"] == "rolled back"
    assert back["backup"] != brought["backup"], "a backup of its own"
    refused = timetracker.inv("prod.rollback", "--host", "sandbox", "--to", brought["release"], "--yes", expect=1)
    assert "needs tracker.0099_wish, which a rollback has reversed" in refused.stderr

    done = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
    assert "pending: backend (tracker.0099_wish)" in done.stderr
    assert rows(timetracker, released, "SELECT to_regclass('wish')") == "wish"


def test_a_migration_that_cannot_be_reversed_is_said_before_anything_changes(
    timetracker: Project, released: RemoteHost
) -> None:
    path = timetracker.root / "apps/timetracker/backend/tracker/migrations/0100_once.py"
    path.write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('tracker', '0099_wish')]\n"
        "    operations = [migrations.RunSQL('DELETE FROM wish')]\n"
    )
    timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
    before = released.containers(timetracker.name)

    done = timetracker.inv("prod.rollback", "--host", "sandbox", "--reverse-migrations", "--yes", expect=1)

    assert "tracker.0100_once cannot be reversed; nothing was changed" in done.stderr
    assert released.containers(timetracker.name) == before
    assert rows(timetracker, released, "SELECT count(*) FROM django_migrations WHERE name = '0100_once'") == "1"


def migration(project: Project, name: str, after: str, sql: str) -> Path:
    """A migration of the tracker that runs some SQL."""
    path = project.root / f"apps/timetracker/backend/tracker/migrations/{name}.py"
    path.write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [('tracker', '{after}')]\n"
        f"    operations = [migrations.RunSQL({sql!r})]\n"
    )
    return path


CODES = (
    "ALTER TABLE tracker_project ADD code int DEFAULT (random() * 9)::int;"
    "INSERT INTO wish VALUES (1);"
    "SELECT pg_sleep(0.5)"
)
REHEARSE = ("prod.rehearse", "--host", "sandbox")


def of_host(project: Project, host: RemoteHost) -> dict[str, str]:
    """Everything on a host that a rehearsal must leave as it is."""
    docker = ("docker ps --all --no-trunc", "docker network ls --no-trunc", "docker volume ls")
    formats = ("{{.ID}} {{.Names}}", "{{.ID}} {{.Name}}", "{{.Name}}")
    files = ("find . -type f -not -path './backups/*' -not -name fence | sort | xargs sha256sum", "ls -A . releases")
    texts = [f"{words} --format '{shape}' | sort" for words, shape in zip(docker, formats, strict=True)]
    tables = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    return {
        **{text: host.sh(f"cd /opt/{project.name} && {text}") for text in (*texts, *files)},
        "tables": rows(project, host, tables),
        "migrations": rows(project, host, "SELECT name FROM django_migrations ORDER BY 1"),
        "databases": rows(project, host, "SELECT datname FROM pg_database ORDER BY 1"),
    }


def test_a_rehearsal_finds_what_only_real_data_refuses(timetracker: Project, released: RemoteHost) -> None:
    """A unique index is made on an empty table, and not on one whose rows are alike."""
    migration(timetracker, "0101_codes", "0100_once", CODES)
    migration(timetracker, "0102_unique", "0101_codes", "CREATE UNIQUE INDEX ON tracker_project (archived)")
    before = of_host(timetracker, released)
    with visitors(released) as load:
        done = timetracker.inv(*REHEARSE, expect=1)

    assert "Key (archived)=(f) is duplicated" in done.stderr
    assert "the migrations of backend fail on the data of" in done.stderr
    assert "at tracker.0102_unique; nothing of production was touched" in done.stderr
    assert load.failed == {}
    assert of_host(timetracker, released) == before


def test_a_deploy_that_rehearses_ends_before_production_is_touched(timetracker: Project, released: RemoteHost) -> None:
    before = of_host(timetracker, released)
    done = timetracker.inv("prod.deploy", "--host", "sandbox", "--rehearse", "--yes", expect=1)

    assert "at tracker.0102_unique; nothing of production was touched" in done.stderr
    assert "Stage the release" not in done.stderr
    after = of_host(timetracker, released)
    assert {key for key in before if after[key] != before[key]} == {next(key for key in before if "sha256sum" in key)}
    assert releases(timetracker)[0]["outcome"] == "failed", "the journal is what has changed"
    assert releases(timetracker)[0]["rehearsed"] == ""


def test_an_interrupted_rehearsal_leaves_nothing(timetracker: Project, released: RemoteHost) -> None:
    migration(timetracker, "0102_unique", "0101_codes", "SELECT pg_sleep(99)")
    before = of_host(timetracker, released)
    rehearsal = timetracker.start(*REHEARSE)
    sleeping = "docker ps --no-trunc --format '{{.Names}} {{.Command}}' | grep -- '-run-.*migrate --noinput'"
    try:
        name = eventually(lambda: released.sh(f"{sleeping} || true").split(), 400)[0]
        (details,) = json.loads(released.run("docker", "container", "inspect", name))
    finally:
        rehearsal.send_signal(signal.SIGINT)
        rehearsal.communicate()
    networks = list(details["NetworkSettings"]["Networks"])

    assert rehearsal.returncode == 130
    assert len(networks) == 1, "one network"
    assert networks[0].startswith("windlass-rehearsal-"), "and none that a release or the data services are on"
    assert {one["Type"] for one in details["Mounts"]} == {"volume"}
    assert all(re.fullmatch("[0-9a-f]{64}", one["Name"]) for one in details["Mounts"]), "no volume with a name"
    assert of_host(timetracker, released) == before


def test_a_mended_migration_is_rehearsed_and_then_released(timetracker: Project, released: RemoteHost) -> None:
    migration(timetracker, "0102_unique", "0101_codes", "CREATE UNIQUE INDEX ON tracker_project (archived, id)")
    before = of_host(timetracker, released)
    done = timetracker.inv(*REHEARSE)

    said = done.stdout.splitlines()
    assert re.fullmatch(r"backend migrates in .*: tracker.0101_codes, tracker.0102_unique", said[0])
    assert re.search(r"^tracker_project: nobody can read or write for \d\S* ", done.stdout, re.MULTILINE)
    assert "tracker_project: every row is written anew" in said
    assert "wish: 0 rows before, 1 after" in said
    assert of_host(timetracker, released) == before

    timetracker.inv("prod.deploy", "--host", "sandbox", "--rehearse", "--yes")
    backups = json.loads(timetracker.inv("db.backups", "--env", "prod", "--host", "sandbox", "--json").stdout)
    change = releases(timetracker)[0]
    assert change["outcome"] == "deployed"
    assert change["rehearsed"] in [one["id"] for one in backups if one["label"] == "rehearsal"]
    assert change["steps"]["Rehearse the migrations"] > 0
    assert rows(timetracker, released, "SELECT count(*) FROM wish") == "1"


def test_there_is_nothing_to_rehearse_where_nothing_is_pending(timetracker: Project, released: RemoteHost) -> None:
    assert "Nothing to rehearse on sandbox: it runs this as" in timetracker.inv(*REHEARSE).stderr
    timetracker.edit(VERSION, "APP_VERSION = ", "# same\nAPP_VERSION = ")
    done = timetracker.inv(*REHEARSE)
    timetracker.edit(VERSION, "# same\nAPP_VERSION = ", "APP_VERSION = ")

    assert "nothing to rehearse: nothing is pending" in done.stderr
    assert done.stdout == ""


def test_destroyed_data_comes_back_row_for_row(timetracker: Project, released: RemoteHost) -> None:
    backend = next(name for name in released.containers(f"{timetracker.name}-2") if "-backend-" in name)
    released.run("docker", "exec", backend, "sh", "-c", "echo kept >/app/media/kept")
    timetracker.inv("db.backup", "--env", "prod", "--host", "sandbox")
    drilled = timetracker.inv("db.drill", "--env", "prod", "--host", "sandbox")
    assert "is proved" in drilled.stderr
    checksum = "SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM tracker_project t"
    before, number = (
        rows(timetracker, released, checksum),
        rows(timetracker, released, "SELECT count(*) FROM tracker_project"),
    )
    assert int(number) > 10
    rows(timetracker, released, "TRUNCATE tracker_project CASCADE")
    released.run("docker", "exec", backend, "rm", "/app/media/kept")

    timetracker.inv("db.restore", "latest", "--env", "prod", "--host", "sandbox", "--yes")

    assert rows(timetracker, released, checksum) == before
    assert len(json.loads(released.get("/api/projects")[1])) == int(number)
    assert released.run("docker", "exec", backend, "cat", "/app/media/kept") == "kept"
    assert "0700" in released.sh("stat -c %04a /opt/*/backups")


def test_production_comes_to_a_laptop_masked(timetracker: Project, released: RemoteHost) -> None:
    settings = timetracker.root / "invoke.yaml"
    before = settings.read_text()
    names = "SELECT md5(string_agg(name, '|' ORDER BY id)) FROM tracker_project"
    live = rows(timetracker, released, names)
    ports = {port: str(free_port()) for port in ("BACKEND_PORT", "FRONTEND_PORT", "DB_PORT_HOST")}
    timetracker.env.update(ports)
    timetracker.inv("dev.up", "--service", "db")

    def masking(column: str, expression: str) -> None:
        mask = {"tracker_project": {column: expression}}
        settings.write_text(f"{before}  environments: {json.dumps({'prod': {'mask': mask}})}\n")

    pull = ("db.pull", "--host", "sandbox", "--yes")
    try:
        masking("nome", "id")
        assert "mask: tracker_project has no column nome" in timetracker.inv(*pull, expect=2).stderr
        masking("name", "'project ' || id")
        done = timetracker.inv(*pull)
    finally:
        settings.write_text(before)
        for port in ports:
            del timetracker.env[port]

    assert "masked: tracker_project (name)" in done.stderr
    listing = "SELECT id, name FROM tracker_project"
    found = docker("exec", f"{timetracker.name}-dev-db-1", "psql", "-U", "timetracker", "-Atqc", listing).split("\n")
    assert found == [f"{line.split('|')[0]}|project {line.split('|')[0]}" for line in found]
    assert str(len(found)) == rows(timetracker, released, "SELECT count(*) FROM tracker_project")
    assert rows(timetracker, released, names) == live, "what serves is left alone"
    assert released.run("docker", "ps", "--all", "--quiet", "--filter", "label=windlass.scratch") == ""
    timetracker.inv("dev.reset", "--yes")


def test_a_backup_leaves_its_host_and_comes_back(timetracker: Project, released: RemoteHost) -> None:
    def at_host(task: str, *words: str, expect: int = 0) -> str:
        done = timetracker.inv(f"db.{task}", "--env", "prod", "--host", "sandbox", *words, expect=expect)
        return done.stdout + done.stderr

    at_host("backup")
    name = json.loads(timetracker.inv("db.backups", "--env", "prod", "--host", "sandbox", "--json").stdout)[-1]["id"]
    there = f"/opt/{timetracker.name}/backups/{name}"
    hashes = released.sh(f"cd {there} && sha256sum *")
    copy = timetracker.root / "backups" / "prod" / name

    assert str(copy) in at_host("fetch")
    assert "already" in at_host("fetch")
    check = ["sha256sum", "--check", "--quiet"]
    subprocess.run(check, input=hashes, text=True, cwd=copy, check=True)

    released.sh(f"rm -r {there}")
    at_host("send", "--backup", name)
    assert "is proved" in at_host("drill", "--backup", name)

    released.sh(f"sed -i s/CREATE/CREATX/ {there}/db.roles.sql")
    assert "what arrived is not what was backed up" in at_host("fetch", "--to", "elsewhere", expect=1)
    assert [path.name for path in (timetracker.root / "elsewhere").iterdir()] == [".lock"]


def test_a_host_that_has_lost_its_backups_gets_them_from_off_site(timetracker: Project, released: RemoteHost) -> None:
    """Over sftp, as the user whom Windlass logs in as, from an image that came over SSH."""

    def at_host(task: str, *words: str, expect: int = 0) -> str:
        return timetracker.inv(f"db.{task}", "--env", "prod", "--host", "sandbox", *words, expect=expect).stderr

    def listed() -> list[dict[str, Any]]:
        done = timetracker.inv("db.backups", "--env", "prod", "--host", "sandbox", "--json")
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    settings = timetracker.root / "invoke.yaml"
    before = settings.read_text()
    offsite = {"repository": "sftp:deploy@127.0.0.1:/home/deploy/offsite"}
    (timetracker.root / ".env.offsite").write_text("RESTIC_PASSWORD=hush-hush-7\n")
    settings.write_text(
        f"{before}  environments: {json.dumps({'prod': {'offsite': offsite, 'backup_max_age_h': 1}})}\n"
    )
    try:
        assert "sandbox does not know the host key of deploy@127.0.0.1" in at_host("backup", expect=3)
        assert "db has no off-site backup" in timetracker.inv("prod.status", "--host", "sandbox", expect=1).stderr
        released.sh(
            "cd /home/deploy/.ssh && ssh-keygen -q -t ed25519 -N '' -f id_ed25519 && "
            "cat id_ed25519.pub >>authorized_keys && ssh-keyscan 127.0.0.1 >known_hosts && "
            "chown deploy:deploy id_ed25519* known_hosts"
        )
        at_host("backup")
        timetracker.inv("prod.status", "--host", "sandbox")
        names = {one["id"] for one in listed() if one["offsite"]}
        checksum = "SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM tracker_project t"
        live = rows(timetracker, released, checksum)
        rows(timetracker, released, "TRUNCATE tracker_project CASCADE")
        released.sh(f"rm -rf /opt/{timetracker.name}/backups")

        said = at_host("restore", "latest", "--yes", "--no-safety")

        assert rows(timetracker, released, checksum) == live
        (name,) = (one["id"] for one in listed())
        assert name == max(names)
        assert "hush-hush-7" not in said
        owners = released.sh(f"stat -c '%U %a' /opt/{timetracker.name}/backups/{name}/*")
        assert set(owners.splitlines()) == {"deploy 600"}
        assert "is whole as far as" in at_host("check", "--share", "100%")
    finally:
        settings.write_text(before)


def test_the_host_may_be_rebooted_and_everything_comes_back_by_itself(
    timetracker: Project, released: RemoteHost
) -> None:
    live = version(released)
    released.stop_engine()
    released.start_engine()
    eventually(lambda: version(released) == live, 120)
    eventually(lambda: timetracker.attempt("prod.status", "--host", "sandbox").returncode == 0)
    assert len(released.containers(f"{timetracker.name}-2")) == 4, "stopped releases stay stopped"


def test_a_restarted_edge_comes_back_to_the_same_release(timetracker: Project, released: RemoteHost) -> None:
    live = version(released)
    released.run("docker", "restart", f"{timetracker.name}-edge-edge-1")

    eventually(lambda: released.get("/api/version")[0] == 200)
    assert version(released) == live


def test_old_releases_are_removed_and_those_kept_can_be_gone_back_to(
    timetracker: Project, released: RemoteHost
) -> None:
    with (timetracker.root / "invoke.yaml").open("a") as file:
        file.write("  environments: {prod: {keep: 2}}\n")
    for number in (2, 3):
        timetracker.edit(VERSION, "APP_VERSION = ", f"# {number}\nAPP_VERSION = ")
        timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")

    kept = released.sh("ls /opt/*/releases").split()
    assert len(kept) == 2
    tags = released.run("docker", "image", "ls", "--format", "{{.Tag}}", f"{timetracker.name}/backend").split()
    assert len(tags) == 2
    timetracker.inv("prod.rollback", "--host", "sandbox", "--yes")
    assert released.get("/api/health")[0] == 200
