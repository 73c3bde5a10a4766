"""The scripts that write and read a backup's files, with everything that can go wrong in a pipeline."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from deploy.data.repository import Repository, Writing, Written
from deploy.model.command import Command
from deploy.shell.local import LocalProcess, LocalShell
from deploy.shell.packaged import packaged
from deploy.ui import Step
from tests.project import eventually

ROWS = b"rows\n" * 20_000


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """One level deeper: beside a test's folder stands a .lock of pytest's own, which counts as ours after a minute."""
    folder = tmp_path / "backup"
    folder.mkdir()
    return folder


def take(
    folder: Path, *command: str, magic: str = "", stall_s: int = 20, pack: str = "plain", path: str = ""
) -> subprocess.CompletedProcess[bytes]:
    words = packaged("data", "take.sh", str(folder), "part", magic, stall_s, pack, *command)
    env = os.environ | ({"PATH": path} if path else {})
    return subprocess.run(words, input=ROWS, capture_output=True, env=env, check=False, timeout=60)


def feed(folder: Path, file: str, *command: str) -> subprocess.CompletedProcess[bytes]:
    words = packaged("data", "feed.sh", str(folder), file, *command)
    return subprocess.run(words, capture_output=True, check=False, timeout=60)


def told(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in done.stdout.decode().splitlines() if not line.startswith("progress"))


TOOLS = (
    "sh",
    "cat",
    "gzip",
    "wc",
    "sleep",
    "date",
    "sync",
    "sha256sum",
    "cut",
    "head",
    "rm",
    "mkfifo",
    "printf",
)


def tools_without_zstd(folder: Path, suffix: str) -> str:
    """A PATH on which only gzip packs, for files that are to end so; empty for the machine's own."""
    if suffix != ".gz":
        return ""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        link = tools / name
        if not link.is_symlink():
            link.symlink_to(str(shutil.which(name)))
    return str(tools)


def test_what_a_command_prints_is_written_and_summed(tmp_path: Path) -> None:
    done = take(tmp_path, "cat", magic="rows")

    assert told(done) == {"file": "part", "sha256": hashlib.sha256(ROWS).hexdigest(), "size": str(len(ROWS))}
    assert (tmp_path / "part").read_bytes() == ROWS
    assert (tmp_path / "part").stat().st_mode & 0o777 == 0o600


def test_what_comes_from_elsewhere_is_heard_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a thread that is slow: what it hears last is the sum."""
    read = LocalProcess.read

    def slow(process: LocalProcess, size: int) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
        return read(process, size)

    monkeypatch.setattr(LocalProcess, "read", slow)
    (tmp_path / ".one.partial").mkdir()
    writing = Writing(Repository(LocalShell(), str(tmp_path)), "one", Step("Copy"))
    source = LocalShell()

    written = writing.receive("part", source, Command("printf", "rows"), what="part")

    assert written == Written("part", 4, hashlib.sha256(b"rows").hexdigest())


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_packed_content_is_the_same_when_it_is_fed(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "backup"
    folder.mkdir()

    done = take(folder, "cat", pack="pack", path=tools_without_zstd(tmp_path, suffix))

    file = told(done)["file"]
    assert file == f"part{suffix}"
    assert (folder / file).stat().st_size < len(ROWS) / 10
    assert [path.name for path in folder.iterdir()] == [file]
    assert feed(folder, file, "cat").stdout == ROWS
    assert feed(folder, file, "sh", "-c", "cat >/dev/null; exit 7").returncode == 7


@pytest.mark.parametrize("pack", ["plain", "pack"])
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("sh", "-c", "head -c 100; kill -KILL $$"), "ended with status 137"),
        (("sh", "-c", "cat; exit 3"), "ended with status 3"),
        (("sleep", "60"), "no byte came for 1 s"),
    ],
)
def test_a_command_that_fails_or_falls_silent_leaves_no_file(
    tmp_path: Path, command: tuple[str, ...], said: str, pack: str
) -> None:
    done = take(tmp_path, *command, stall_s=1 if "no byte" in said else 20, pack=pack)

    assert done.returncode != 0
    assert said in done.stderr.decode()
    assert [*tmp_path.iterdir()] == []


def test_a_copy_ends_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    """As on a host whose connection was cut: what runs there hears nothing of it."""
    folder, lock = tmp_path / ".backup.partial", tmp_path / ".lock"
    folder.mkdir()
    lock.touch()
    assert take(folder, "cat").returncode == 0
    (folder / "part").unlink()
    os.utime(lock, (time.time() - 130,) * 2)

    done = take(folder, "sleep", "60")

    assert (done.returncode, [*folder.iterdir()]) == (1, [])
    assert b"no sign of life for a minute" in done.stderr


def test_a_lock_lives_by_signs_of_life(tmp_path: Path) -> None:
    lock = packaged("data", "lock.sh", str(tmp_path), "ada")
    with subprocess.Popen(lock, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stdout.read(7) == b"locked\n"
        os.utime(tmp_path / ".lock", (0, 0))
        holder.stdin.write(b"beat\n")
        eventually(lambda: (tmp_path / ".lock").stat().st_mtime > 0)
        second = subprocess.run(lock, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert (second.returncode, second.stderr) == (75, b"ada\n")
        holder.stdin.close()
        assert holder.wait(10) != 75
    assert subprocess.run(lock, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout == b"locked\n"


def test_what_does_not_begin_like_a_backup_is_none(tmp_path: Path) -> None:
    done = take(tmp_path, "echo", "Password:", magic="PGDMP")

    assert (done.returncode, [*tmp_path.iterdir()]) == (1, [])
    assert b"does not begin like a backup" in done.stderr


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("another's")

    assert take(tmp_path, "cat").returncode != 0
    assert (tmp_path / "part").read_text() == "another's"


def test_a_packed_file_that_is_cut_fails_whoever_reads_it(tmp_path: Path) -> None:
    """As with `gunzip | psql`, which ends well on half of it."""
    file = tmp_path / told(take(tmp_path, "cat", pack="pack"))["file"]
    file.write_bytes(file.read_bytes()[:-10])

    assert feed(tmp_path, file.name, "cat").returncode != 0


@pytest.mark.parametrize("suffix", [".zst", ".gz"])
def test_what_is_packed_after_a_change_is_packed_as_before(tmp_path: Path, suffix: str) -> None:
    """So that a place that keeps equal bytes once keeps them once."""
    rows = b"".join(hashlib.sha256(number.to_bytes(4)).hexdigest().encode() + b"\n" for number in range(150_000))
    sources = {"before": rows, "after": rows[:1000] + b"one more row\n" + rows[1000:]}
    packed = {}
    for name, content in sources.items():
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.rows").write_bytes(content)
        done = take(
            tmp_path / name,
            "cat",
            str(tmp_path / f"{name}.rows"),
            pack="pack",
            path=tools_without_zstd(tmp_path, suffix),
        )
        packed[name] = (tmp_path / name / told(done)["file"]).read_bytes()
    half = len(packed["before"]) // 2

    assert packed["before"][half:-8] in packed["after"], "all but the sum at the end"


def test_a_reader_that_has_seen_enough_does_not_fail_what_unpacks(tmp_path: Path) -> None:
    content = os.urandom(1 << 20)
    (tmp_path / "random").write_bytes(content)
    file = told(take(tmp_path, "cat", str(tmp_path / "random"), pack="pack", magic=""))["file"]

    done = feed(tmp_path, file, "head", "-c", "10")

    assert (done.returncode, done.stdout) == (0, content[:10])


def test_what_is_packed_must_begin_like_a_backup_too(tmp_path: Path) -> None:
    refused = take(tmp_path, "sh", "-c", "cat >/dev/null; echo none", pack="pack", magic="rows")
    assert (refused.returncode, [*tmp_path.iterdir()]) == (1, [])

    assert take(tmp_path, "cat", pack="pack", magic="rows").returncode == 0
