"""A dump that several processes restore, by its script: when that is done at all, and what it leaves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.shell.packaged import packaged

DUMP = b"PGDMP" * 1000


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A folder of programs, which says how many processors there are, what is free and how a restore goes."""
    says = {"nproc": "echo 8", "df": "echo head; echo x x x 1000000", "pg_restore": 'echo "$@"; cat "$7"'}
    for name, script in says.items():
        program(tmp_path, name, script)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def restore(folder: Path, content: bytes = DUMP, size: int = len(DUMP)) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp")}
    command = packaged("data", "restore-jobs.sh", size, "fresh")
    return subprocess.run(command, input=content, env=env, capture_output=True, check=False)


def test_a_dump_is_restored_from_a_file_by_four_at_most(container: Path) -> None:
    done = restore(container)

    assert done.returncode == 0, done.stderr
    assert b"--exit-on-error --no-password --jobs 4 --dbname fresh " in done.stdout
    assert done.stdout.endswith(DUMP)


@pytest.mark.parametrize("hindrance", [("nproc", "echo 1"), ("df", "echo head; echo x x x 0")])
def test_one_processor_or_little_room_is_said_before_anything_is_read(
    container: Path, hindrance: tuple[str, str]
) -> None:
    program(container, *hindrance)

    done = restore(container)

    assert (done.returncode, done.stdout) == (75, b"")


def test_half_a_dump_is_not_restored(container: Path) -> None:
    done = restore(container, DUMP[:-1])

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"did not come as a whole" in done.stderr


@pytest.mark.parametrize("status", [0, 1])
def test_the_file_is_gone_afterwards_however_it_went(container: Path, status: int) -> None:
    program(container, "pg_restore", f"exit {status}")

    assert restore(container).returncode == status
    assert list((container / "tmp").iterdir()) == []
