"""Backups that only the holder of a key can read, with a real age and PostgreSQL."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project import Project, docker, eventually, swept, unique

COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: secret, POSTGRES_USER: shop}
volumes:
  media:
"""


@dataclass(frozen=True)
class Shop:
    """A project whose backups are encrypted for a key of SSH's."""

    project: Project
    key: Path
    public: str

    def settings(self, **encryption: object) -> None:
        document = {"deploy": {"environments": {"dev": {"encryption": encryption}}}}
        (self.project.root / "invoke.yaml").write_text(json.dumps(document))

    def sql(self, statement: str) -> str:
        container = f"{self.project.name}-dev-db-1"
        return docker("exec", container, "psql", "-U", "shop", "-v", "ON_ERROR_STOP=1", "-Atqc", statement)

    @property
    def newest(self) -> Path:
        return max((self.project.root / "backups").glob("*/manifest.json")).parent

    def decrypted(self) -> list[str]:
        return [path.name for path in (self.project.root / "backups").glob(".*.decrypted")]


def new_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("encrypted") / "shop"
    root.mkdir()
    (root / "compose.yaml").write_text(COMPOSE)
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    with swept(name := unique("age")):
        shop = Shop(Project(root, name), root / "key", new_key(root / "key"))
        shop.settings(recipients=[shop.public], identity=str(shop.key))
        shop.project.inv("dev.up")
        eventually(lambda: shop.sql("SELECT 1"))
        shop.sql("CREATE TABLE orders AS SELECT n, 'cleartext' AS note FROM generate_series(1, 1000) n")
        yield shop


def test_nothing_of_an_encrypted_backup_can_be_read(shop: Shop) -> None:
    shop.project.inv("db.backup")

    files = {path.name: path.read_bytes() for path in shop.newest.iterdir()}
    assert set(files) == {"db.shop.dump.age", "db.roles.sql.age", "manifest.json"}
    for name, content in files.items():
        if name != "manifest.json":
            assert content.startswith(b"age-encryption.org/v1\n")
            assert b"cleartext" not in content
            assert b"CREATE ROLE" not in content
    assert {path.stat().st_mode & 0o777 for path in shop.newest.iterdir()} == {0o600}


def test_it_is_proved_and_restored_with_the_key(shop: Shop) -> None:
    assert "is proved" in shop.project.inv("db.drill").stderr
    shop.sql("DELETE FROM orders")

    shop.project.inv("db.restore", "latest", "--yes")

    assert shop.sql("SELECT count(*) FROM orders") == "1000"
    shop.project.inv("db.restore", "latest", "--into", "beside")
    assert shop.decrypted() == []
    shop.sql("DROP DATABASE beside")


def test_it_is_restored_with_nothing_but_age(shop: Shop) -> None:
    """By what the manifest says."""
    manifest = json.loads((shop.newest / "manifest.json").read_text())
    decrypt = manifest["restore_by_hand"]["db/shop"][0].split()
    at = {
        "IDENTITY": "/backups/key",
        "db.shop.dump": "/backups/plain",
        "db.shop.dump.age": f"/backups/{shop.newest.name}/db.shop.dump.age",
    }
    (shop.project.root / "backups" / "key").write_bytes(shop.key.read_bytes())

    words = [at.get(word, word) for word in decrypt[1:]]
    docker(
        "run",
        "--rm",
        "--network",
        "none",
        "--volume",
        f"{shop.project.root}/backups:/backups",
        "windlass/age:1",
        *words,
    )

    plain = shop.project.root / "backups" / "plain"
    assert plain.read_bytes().startswith(b"PGDMP")
    plain.unlink()
    (shop.project.root / "backups" / "key").unlink()


@pytest.mark.parametrize("task", [("db.drill",), ("db.restore", "latest", "--no-safety", "--yes")])
def test_a_key_that_does_not_fit_is_said_and_nothing_is_touched(
    shop: Shop, tmp_path: Path, task: tuple[str, ...]
) -> None:
    other = tmp_path / "other"
    new_key(other)
    proofs = shop.newest / "proofs.jsonl"
    before = shop.sql("SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_database"), proofs.exists()
    try:
        for identity, said in (
            (str(other), "cannot decrypt"),
            (str(tmp_path / "none"), "cannot be read: No such file"),
            ("", "no key is named"),
        ):
            shop.settings(recipients=[shop.public], identity=identity)
            assert said in shop.project.inv(*task, expect=2).stderr
    finally:
        shop.settings(recipients=[shop.public], identity=str(shop.key))
    assert (shop.sql("SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_database"), proofs.exists()) == before
    assert shop.decrypted() == []


def test_one_flipped_bit_is_caught(shop: Shop) -> None:
    shop.project.inv("db.backup")
    file = shop.newest / "db.shop.dump.age"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    assert "its content has changed" in shop.project.inv("db.drill", expect=1).stderr
    assert "has changed since it was made" in shop.project.inv("db.restore", "latest", "--yes", expect=1).stderr
    assert "failed" in shop.project.inv("db.backups").stdout


def test_a_backup_that_cannot_be_encrypted_is_none(shop: Shop) -> None:
    before = shop.newest
    shop.settings(recipients=["age1" + "q" * 58], identity="")
    try:
        done = shop.project.inv("db.backup", expect=1)
    finally:
        shop.settings(recipients=[shop.public], identity=str(shop.key))
    assert "could not be encrypted" in done.stderr
    assert "no backup was made" in done.stderr
    assert shop.newest == before
    assert list((shop.project.root / "backups").glob(".*.partial")) == []
