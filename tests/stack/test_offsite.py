"""Copies of backups in a restic repository: brought there, proved there, brought back, and everything in their way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.model.offsite import IMAGE
from tests.project import Project, docker, eventually, swept, unique

PASSWORD = "canary-3f9c2a71e5"
COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: pw, POSTGRES_HOST_AUTH_METHOD: trust}
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: {test: [CMD-SHELL, "pg_isready -U shop -h 127.0.0.1"], interval: 1s, retries: 90}
    x-deploy: {kind: data}
  files:
    image: debian:trixie-slim
    command: [sleep, infinity]
    init: true
    volumes: ["media:/srv/media"]
    x-deploy: {kind: data, backup: true}
volumes: {data: {}, media: {}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A database with rows, up; no repository is set."""
    name = unique("off")
    root = tmp_path_factory.mktemp("shop")
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (root / "compose.yaml").write_text(COMPOSE)
    (root / ".env").write_text("")
    (root / ".env.offsite").write_text(f"RESTIC_PASSWORD={PASSWORD}\n")
    with swept(name):
        project = Project(root, name)
        project.inv("dev.up")
        sql(
            project,
            "CREATE TABLE orders AS SELECT n AS id, md5(random()::text) AS body FROM generate_series(1, 90000) n",
        )
        yield project
        docker("volume", "rm", f"{name}-dev_media", check=False)


@pytest.fixture
def repository(shop: Project, tmp_path: Path) -> Iterator[Path]:
    """A new repository for a project that has no backups."""
    place = tmp_path / "repository"
    settle(shop, str(place))
    yield place
    shutil.rmtree(shop.root / "backups", ignore_errors=True)
    (shop.root / ".env.offsite").write_text(f"RESTIC_PASSWORD={PASSWORD}\n")


def settle(shop: Project, repository: str, *, timeout_s: int = 120, last: int = 2) -> None:
    """Say in invoke.yaml where copies go, and how many are kept there; one is on the machine."""
    offsite = {
        "repository": repository,
        "timeout_s": timeout_s,
        "keep": {"last": last, "daily": 0, "weekly": 0, "monthly": 0},
    }
    keep = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    environments = {"dev": {"offsite": offsite, "backup_keep": keep}}
    (shop.root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": environments}}))


def sql(project: Project, statement: str, database: str = "shop") -> str:
    container = f"{project.name}-dev-db-1"
    return docker("exec", container, "psql", "-U", "shop", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", statement)


def rows(project: Project) -> str:
    return sql(project, "SELECT md5(string_agg(o::text, '|' ORDER BY id)) FROM orders o")


def backups(project: Project) -> list[Path]:
    return [path.parent for path in sorted((project.root / "backups").glob("*/manifest.json"))]


def listed(project: Project, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.inv("db.backups", "--json", *words).stdout)
    return found


def restic(repository: Path, *words: str) -> str:
    """Plain restic, as somebody without Windlass has it."""
    volume = f"{repository}:{repository}"
    options = (
        "--rm",
        "--env",
        f"RESTIC_PASSWORD={PASSWORD}",
        "--env",
        f"RESTIC_REPOSITORY={repository}",
        "--volume",
        volume,
    )
    return docker("run", *options, IMAGE, "--no-cache", *words)


def snapshots(repository: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(restic(repository, "snapshots", "--json"))
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "proofs.jsonl"}


def test_a_backup_comes_back_from_off_site_when_the_machines_own_is_gone(shop: Project, repository: Path) -> None:
    first = shop.inv("db.backup")
    assert f"{repository} is new, and encrypted: without the RESTIC_PASSWORD of .env.offsite nobody" in first.stderr
    (made,) = backups(shop)
    before, files = rows(shop), content(made)
    (snapshot,) = snapshots(repository)
    assert {"windlass", f"id:{made.name}", "env:dev", "label:manual", "service:db"} <= set(snapshot["tags"])
    assert (snapshot["hostname"], snapshot["paths"]) == (f"{shop.name}-dev", [f"/backups/{made.name}"])
    assert [one["offsite"] for one in listed(shop)] == [True]
    assert b"orders" not in b"".join(path.read_bytes() for path in repository.rglob("*") if path.is_file())

    # by hand, as somebody without Windlass has it
    by_hand = repository / "out"
    restic(repository, "restore", f"{snapshot['id']}:/backups/{made.name}", "--target", str(by_hand))
    assert content(by_hand) == files

    shutil.rmtree(shop.root / "backups")  # as on a new machine
    sql(shop, "DROP DATABASE shop WITH (FORCE)", "postgres")
    assert [(one["id"], one["here"]) for one in listed(shop, "--offsite")] == [(made.name, False)]
    shop.inv("db.restore", "latest", "--yes", "--no-safety")

    assert rows(shop) == before
    assert content(made) == files
    assert made.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.iterdir()} == {0o600}


def test_a_drill_proves_the_copy_that_is_off_site(shop: Project, repository: Path) -> None:
    shop.inv("db.backup")
    (made,) = backups(shop)

    done = shop.inv("db.drill", "--offsite")

    assert f"{made.name}, as it came from off-site, is proved" in done.stderr
    assert [one["proved"] for one in listed(shop)] == [True]
    assert {path.name for path in (shop.root / "backups/.offsite").iterdir()} == {".lock", "cache", "known.json"}


def test_old_copies_are_forgotten_by_their_own_rule_and_others_snapshots_are_not(
    shop: Project, repository: Path
) -> None:
    shop.inv("db.backup")
    (newest,) = backups(shop)
    document = json.loads((newest / "manifest.json").read_text())
    for day in (1, 2):
        older = newest.with_name(f"{newest.name}-{day}")
        shutil.copytree(newest, older)
        about = {"id": older.name, "started_at": f"2026-01-0{day}T03:00:00+00:00"}
        (older / "manifest.json").write_text(json.dumps(document | about))
    names = [f"{newest.name}-1", f"{newest.name}-2", newest.name]
    settle(shop, str(repository), last=3)
    shop.inv("db.upload")
    restic(repository, "backup", "/etc/hostname", "--host", "another")
    settle(shop, str(repository))

    done = shop.inv("db.prune", "--yes")

    assert f"remove  {names[0]}  off-site: older than what is kept" in done.stdout
    assert [path.name for path in backups(shop)] == names[2:]
    tags = [tag for one in snapshots(repository) for tag in one.get("tags") or () if tag.startswith("id:")]
    assert tags == [f"id:{name}" for name in names[1:]]
    assert [one["hostname"] for one in snapshots(repository)].count("another") == 1
    again = shop.inv("db.upload")
    assert "0 of them brought there now" in again.stderr
    assert [one["id"] for one in listed(shop, "--offsite")] == names[1:]


def test_a_wrong_password_is_one_clear_error_and_the_backup_is_good(shop: Project, repository: Path) -> None:
    shop.inv("db.backup")
    (shop.root / ".env.offsite").write_text("RESTIC_PASSWORD=another\n")

    done = shop.inv("db.backup", expect=3)

    assert f"RESTIC_PASSWORD of .env.offsite does not open {repository}" in done.stderr
    assert [one["offsite"] for one in listed(shop)] == [True, False]
    assert len(snapshots(repository)) == 1
    before = rows(shop), [path.name for path in backups(shop)]
    refused = shop.inv("db.restore", "nothing-like-it", "--yes", expect=1)
    assert "does not open" in refused.stderr
    assert (rows(shop), [path.name for path in backups(shop)]) == before


def test_a_repository_that_cannot_be_reached_holds_nothing_up_and_is_caught_up_with(
    shop: Project, repository: Path
) -> None:
    shop.inv("db.backup")
    settle(shop, "rest:http://127.0.0.1:9/shop", timeout_s=5)
    running = shop.start("db.backup")
    restics = ("ps", "--quiet", "--filter", f"label=windlass.restic={shop.name}-dev")
    container = eventually(lambda: docker(*restics), 120)
    seen = docker("container", "inspect", container) + arguments()

    sessions = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    assert sql(shop, sessions) == "0"
    held = subprocess.run(["flock", "-n", shop.root / "backups/.lock", "true"], check=False)
    assert held.returncode == 0, "others can back up meanwhile"
    out, err = running.communicate()

    assert running.returncode == 3, err
    assert "restic" in seen
    left = b"".join(path.read_bytes() for path in (shop.root / "backups").rglob("*") if path.is_file())
    assert PASSWORD not in seen + out + err + left.decode(errors="replace")
    assert "does not answer, or takes no more: nothing moved for 5 s" in err
    assert "inv db.upload" in err
    assert [one["problem"] for one in listed(shop)] == ["", ""]

    settle(shop, str(repository))
    shop.inv("db.backup")
    names = {path.name for path in backups(shop)}
    kept = {tag.removeprefix("id:") for one in snapshots(repository) for tag in one["tags"] if tag.startswith("id:")}
    assert kept == names
    assert len(snapshots(repository)) == len([one for one in listed(shop) if one["offsite"]]) == 3


def arguments() -> str:
    """Of every process of this machine, those in containers too."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found.append(path.read_bytes().decode(errors="replace"))
    return "\n".join(found)


def test_a_target_that_is_full_ends_within_bounds(shop: Project, repository: Path) -> None:
    repository.parent.joinpath("full").mkdir()
    mount = repository.parent / "full"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", mount], check=True)
    try:
        settle(shop, str(mount / "shop"), timeout_s=20)
        done = shop.inv("db.backup", expect=3)
        assert "no space left on device" in done.stderr
        assert [one["offsite"] for one in listed(shop)] == [False]
    finally:
        subprocess.run(["umount", mount], check=True)

    settle(shop, str(mount / "shop"))
    shop.inv("db.upload")
    assert [one["offsite"] for one in listed(shop)] == [True]


def test_a_disk_that_is_not_mounted_gets_no_new_repository(shop: Project, repository: Path) -> None:
    shop.inv("db.backup")
    repository.rename(repository.with_name("elsewhere"))

    done = shop.inv("db.backup", expect=3)

    assert f"{repository} is gone: it had 1 backup of {shop.name}-dev" in done.stderr
    assert not repository.exists()


def test_a_flipped_bit_is_found_by_reading_and_does_not_come_back(shop: Project, repository: Path) -> None:
    shop.inv("db.backup")
    (made,) = backups(shop)
    assert "is whole as far as it was looked at" in shop.inv("db.check", "--share", "100%").stderr
    pack = max((repository / "data").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(damaged)

    assert f"{repository} is damaged" in shop.inv("db.check", "--share", "100%", expect=1).stderr
    shutil.rmtree(made)
    done = shop.inv("db.restore", made.name, "--yes", expect=1)

    assert str(repository) in done.stderr
    assert backups(shop) == []
    assert [path for path in (shop.root / "backups").iterdir() if path.suffix == ".partial"] == []


def test_an_interrupted_upload_leaves_the_backup_and_no_container(shop: Project, repository: Path) -> None:
    settle(shop, "rest:http://127.0.0.1:9/shop")
    label = ("--filter", f"label=windlass.restic={shop.name}-dev")
    running = shop.start("db.backup")
    eventually(lambda: docker("ps", "--quiet", *label), 120)

    running.send_signal(2)
    running.communicate()

    assert running.returncode == 130
    assert len(backups(shop)) == 1
    eventually(lambda: not docker("ps", "--all", "--quiet", *label))


@pytest.fixture
def server(isolated: Path) -> Iterator[str]:
    """Address of an SSH server that lets in the key of this HOME's user."""
    name = unique("off-sftp")
    ssh = isolated / ".ssh"
    ssh.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ssh / "id_ed25519"], check=True)
    with swept(name):
        docker(
            "build",
            "--quiet",
            "--tag",
            f"{name}/server",
            "--file",
            f"{Path(__file__).parent}/sftp.Dockerfile",
            str(ssh),
        )
        docker("run", "--detach", "--name", name, f"{name}/server")
        place = "/home/keeper/.ssh"
        docker("exec", name, "install", "-d", "-o", "keeper", place)
        docker("cp", f"{ssh}/id_ed25519.pub", f"{name}:{place}/authorized_keys")
        docker("exec", name, "chown", "keeper:", f"{place}/authorized_keys")
        yield docker(
            "container", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name
        )


def test_a_copy_over_sftp_wants_a_host_key_that_is_known(shop: Project, repository: Path, server: str) -> None:
    settle(shop, f"sftp:keeper@{server}:/srv/shop")
    done = shop.inv("db.backup", expect=3)
    assert f"this machine does not know the host key of keeper@{server}" in done.stderr
    assert f"ssh keeper@{server}, compare its fingerprint" in done.stderr

    def scanned() -> str:
        return subprocess.run(["ssh-keyscan", server], capture_output=True, text=True, check=True).stdout

    Path(os.environ["HOME"], ".ssh", "known_hosts").write_text(eventually(scanned))
    began = time.time()
    shop.inv("db.upload")
    (made,) = backups(shop)
    assert made.stat().st_mtime < began, "the backup of before"
    files = content(made)
    shutil.rmtree(made)

    shop.inv("db.restore", "latest", "--yes", "--no-safety")

    assert content(made) == files
