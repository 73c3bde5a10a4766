"""Backup, drill and restore of a large database, against what people do instead.

    .venv/bin/python -m bench.backup [--gb 3] [--runs 3]
    .venv/bin/python -m bench.backup --offsite [--gb 3]     # what a second backup adds to a restic repository

A PostgreSQL of this machine's engine with rows like pgbench's, documents and random bytes. The other ways write a dump
and prove nothing: pg_dump in its own format, through gzip as cookiecutter-django and most scripts have it, and into
restic where it is installed. Ours counts and sums every table in the dump's snapshot and reads the dump back.

Off-site, every way's file goes into a restic repository of its own, again and again as the database changes.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from deploy.data.backup import Origin, take_backup
from deploy.data.drill import Drill
from deploy.data.postgres import Postgres
from deploy.data.postgres_store import PostgresStore
from deploy.data.repository import LATEST, Repository
from deploy.data.restore import check_backup, pair, restore
from deploy.engine.bases import BaseImages
from deploy.model.backup import Label
from deploy.model.offsite import IMAGE as RESTIC
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.units import size
from tests.conftest import ROOT
from tests.project import docker, eventually, unique

IMAGE = "postgres:17"
ROWS_OF_A_GB = {"accounts": 3_000_000, "documents": 400_000, "blobs": 25_000}
SQL = """
CREATE TABLE accounts AS
    SELECT n AS id, n % 100 AS branch, 0 AS balance, repeat(' ', 84) AS filler FROM generate_series(1, {accounts}) n;
CREATE TABLE documents AS
    SELECT n AS id, jsonb_build_object('title', md5(n::text), 'words', (SELECT string_agg(md5((n * w)::text), ' ')
    FROM generate_series(1, 22) w)) AS body FROM generate_series(1, {documents}) n;
CREATE TABLE blobs AS
    SELECT n AS id, {blob} AS body FROM generate_series(1, {blobs}) n;
ALTER TABLE accounts ADD PRIMARY KEY (id); ALTER TABLE documents ADD PRIMARY KEY (id);
ALTER TABLE blobs ADD PRIMARY KEY (id);
"""


BLOB = "decode((SELECT string_agg(md5(random()::text || w), '') FROM generate_series(1, 420) w WHERE n > 0), 'hex')"
"""Random bytes, others for every `n`."""
CHANGES = {
    "first": "",
    "nothing changed": "",
    "1 % in one range, 1 % more": """
        UPDATE accounts SET balance = id WHERE id BETWEEN {accounts} / 2 AND {accounts} * 51 / 100;
        UPDATE documents SET body = body || '{{"seen": true}}'
            WHERE id BETWEEN {documents} / 2 AND {documents} * 51 / 100;
        UPDATE blobs b SET body = (SELECT {blob} FROM (SELECT b.id AS n) one)
            WHERE id BETWEEN {blobs} / 2 AND {blobs} * 51 / 100;
        INSERT INTO accounts SELECT n, 0, 0, repeat(' ', 84)
            FROM generate_series({accounts} + 1, {accounts} * 101 / 100) n;
        INSERT INTO documents SELECT n, jsonb_build_object('title', md5(n::text), 'words',
            (SELECT string_agg(md5((n * w)::text), ' ') FROM generate_series(1, 22) w))
            FROM generate_series({documents} + 1, {documents} * 101 / 100) n;
        INSERT INTO blobs SELECT n, {blob} FROM generate_series({blobs} + 1, {blobs} * 101 / 100) n;
    """,
    "1 % of every page": """
        UPDATE accounts SET balance = balance + 1 WHERE id % 100 = 7;
        UPDATE documents SET body = body || '{{"seen": false}}' WHERE id % 100 = 7;
        UPDATE blobs SET body = body || '\\x00' WHERE id % 100 = 7;
    """,
}


@dataclass(frozen=True)
class Took:
    """One measured way."""

    wall_s: float
    cpu_s: float
    """Of the server's container and of whatever ran beside it."""
    size_bytes: int


@contextmanager
def server(gigabytes: float) -> Iterator[str]:
    """A container with a database of about that size."""
    name = unique("bench-pg")
    trust = ("--env", "POSTGRES_HOST_AUTH_METHOD=trust", "--env", "POSTGRES_USER=app", "--shm-size", "1g")
    docker("run", "--detach", "--name", name, *trust, IMAGE, "-c", "shared_buffers=1GB", "-c", "max_wal_size=8GB")
    try:
        eventually(lambda: docker("exec", name, "pg_isready", "-h", "127.0.0.1") or True)
        run_sql(name, SQL, gigabytes)
        docker("exec", name, "psql", "-U", "app", "-qc", "VACUUM ANALYZE")
        docker("exec", name, "psql", "-U", "app", "-qc", "CHECKPOINT")
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def run_sql(container: str, sql: str, gigabytes: float) -> None:
    """Statements about tables of as many rows as a database of that size has."""
    rows = {table: int(count * gigabytes) for table, count in ROWS_OF_A_GB.items()}
    docker("exec", container, "psql", "-U", "app", "-qc", sql.format(**rows, blob=BLOB))


def cpu_of(container: str) -> float:
    """Seconds that a container has used."""
    identity = docker("container", "inspect", "--format", "{{.Id}}", container)
    for path in Path("/sys/fs/cgroup").glob(f"**/*{identity}*/cpu.stat"):
        return int(path.read_text().split()[1]) / 1e6
    path = next(Path("/sys/fs/cgroup").glob(f"**/cpuacct/**/*{identity}*/cpuacct.usage"))
    return int(path.read_text()) / 1e9


def measured(container: str, work: Callable[[], int]) -> Took:
    """`work` says how many bytes it has written."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time()
    before, began = cpu_of(container) + usage.ru_utime + usage.ru_stime - own, time.monotonic()
    written = work()
    wall = time.monotonic() - began
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    after = cpu_of(container) + usage.ru_utime + usage.ru_stime - own + (time.process_time() - own)
    return Took(wall, after - before, written)


def piped(script: str, target: Path) -> Callable[[], int]:
    """A shell pipeline as people write it, whose output is a file."""

    def work() -> int:
        subprocess.run(["bash", "-o", "pipefail", "-c", script], check=True)
        return sum(path.stat().st_size for path in target.parent.rglob("*") if path.is_file())

    return work


class Peak:
    """The most memory that this process and its children have while the block runs, in bytes."""

    bytes = 0

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.2):
            listed = subprocess.run(["ps", "-eo", "pid=,ppid=,rss="], capture_output=True, text=True, check=True).stdout
            rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
            family = {os.getpid()}
            for pid, parent, _ in sorted(rows):
                if parent in family:
                    family.add(pid)
            self.bytes = max(self.bytes, sum(rss for pid, _, rss in rows if pid in family) * 1024)


def restic(folder: Path, *words: str) -> None:
    """restic in its container, on a repository in a folder that has what is to go into it, too."""
    options = ("--rm", "--network", "none", "--env", "RESTIC_PASSWORD=x", "--volume", f"{folder}:{folder}")
    docker("run", *options, RESTIC, "--quiet", "--no-cache", "--repo", f"{folder}/restic", *words)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def offsite(gigabytes: float) -> None:
    """Print what each way's file adds to a repository as the database changes."""
    shell = LocalShell()
    with server(gigabytes) as container, tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        store = PostgresStore(Postgres(shell, container), "db", IMAGE)
        origin = Origin("bench", "", Label.MANUAL, "bench")

        def ours(folder: Path, *, alike: bool) -> Callable[[], int]:
            repository = Repository(shell, f"{folder}/in", alike=alike)
            return lambda: take_backup([store], repository, origin, datetime.now(UTC), Step("")).size_bytes

        def other(folder: Path, options: str, file: str) -> Callable[[], int]:
            script = f"mkdir -p {folder}/in; docker exec {container} pg_dump -U app {options}"
            return piped(f"{script} >{folder}/in/{file}", folder / "in" / file)

        folders = {way: Path(name, str(number)) for number, way in enumerate("abcd")}
        ways = {
            "db.backup, no offsite": ours(folders["a"], alike=False),
            "db.backup, offsite": ours(folders["b"], alike=True),
            "pg_dump -Fc -Z0": other(folders["c"], "-Fc -Z0 app", "app.dump"),
            "pg_dump | gzip": other(folders["d"], "app | gzip", "app.sql.gz"),
        }
        print(f"{'':<28}{'way':<24}{'wall':>8} {'cpu':>8} {'file':>10} {'restic':>8} {'added':>10}", flush=True)
        for change, sql in CHANGES.items():
            run_sql(container, sql or "SELECT 1", gigabytes)
            for (way, work), folder in zip(ways.items(), folders.values(), strict=True):
                if not (folder / "restic").exists():
                    folder.mkdir()
                    restic(folder, "init")
                shutil.rmtree(folder / "in", ignore_errors=True)
                took, before = measured(container, work), size_of(folder / "restic")
                began = time.monotonic()
                restic(folder, "backup", f"{folder}/in")
                moved, added = time.monotonic() - began, size_of(folder / "restic") - before
                figures = f"{took.wall_s:6.1f} s {took.cpu_s:6.1f} s {size(took.size_bytes):>10}"
                print(f"{change:<28}{way:<24}{figures} {moved:6.1f} s {size(added):>10}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--offsite", action="store_true")
    words = parser.parse_args()
    BaseImages(LocalShell(), Console(), ROOT).ensure([IMAGE, RESTIC])
    if words.offsite:
        offsite(words.gb)
    else:
        compare(words.gb, words.runs)


def compare(gigabytes: float, runs: int) -> None:
    """Print what a backup, a drill and a restore take, and what others do."""
    shell, console = LocalShell(), Console()
    with server(gigabytes) as container, tempfile.TemporaryDirectory(prefix="windlass-bench-") as folder:
        held = int(docker("exec", container, "psql", "-U", "app", "-Atc", "SELECT pg_database_size('app')"))
        print(f"database: {size(held)}", flush=True)
        repository = Repository(shell, f"{folder}/ours")
        store = PostgresStore(Postgres(shell, container), "db", IMAGE)
        origin = Origin("bench", "", Label.MANUAL, "bench")

        def ours() -> int:
            return take_backup([store], repository, origin, datetime.now(UTC), Step("")).size_bytes

        dump = f"docker exec {container} pg_dump -U app"
        target = Path(folder, "other", "file")
        ways: dict[str, Callable[[], int]] = {
            "windlass": ours,
            "pg_dump -Fc": piped(f"{dump} -Fc app >{target}", target),
            "pg_dump | gzip": piped(f"{dump} app | gzip >{target}", target),
        }
        if shutil.which("restic"):
            repo = f"RESTIC_PASSWORD=x restic --quiet --repo {target.parent}/restic"
            ways["pg_dump | restic"] = piped(
                f"{repo} init && {dump} -Fc -Z0 app | {repo} backup --stdin --stdin-filename app.dump", target
            )
        table: dict[str, list[Took]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, work in ways.items():
                shutil.rmtree(target.parent, ignore_errors=True)
                target.parent.mkdir()
                table[name].append(measured(container, work))
        fastest = min(median(took) for name, took in table.items() if name != "windlass")
        print(f"{'backup':<18} {'wall':>8} {'cpu':>8} {'bytes':>10}  of the fastest other way")
        for name, took in table.items():
            cpu = statistics.median(one.cpu_s for one in took)
            written = size(took[-1].size_bytes)
            row = f"{name:<18} {median(took):6.1f} s {cpu:6.1f} s {written:>10}  {median(took) / fastest:.2f}"
            print(row, flush=True)
        with Peak() as peak:
            ours()
        print(f"peak memory of ours, every process on this side: {size(peak.bytes)}")

        stored = repository.find(LATEST)
        trial = Drill(repository, stored, {}, {}, console)
        drilled = measured(
            container, lambda: len(trial.run(stored.manifest.parts, datetime.now(UTC), "bench").problems)
        )
        print(f"{'drill':<18} {drilled.wall_s:6.1f} s")
        pairs = pair(stored, stored.manifest.parts, [store])

        def back() -> int:
            check_backup(repository, stored, pairs)
            restore(pairs, repository, stored.manifest, datetime.now(UTC), console, "bench", _nothing)
            return 0

        restored = measured(container, back)
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir()
        piped(f"{dump} app | gzip >{target}", target)()
        plain = f"docker exec {container} createdb -U app plain; gunzip -c {target} | docker exec -i {container} "
        other = measured(container, piped(f"{plain} psql -U app -qd plain >/dev/null", target))
        print(f"{'restore':<18} {restored.wall_s:6.1f} s, compared and swapped in")
        print(f"{'gunzip | psql':<18} {other.wall_s:6.1f} s, beside; ours {restored.wall_s / other.wall_s:.2f} of it")


def median(took: list[Took]) -> float:
    return statistics.median(one.wall_s for one in took)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


if __name__ == "__main__":
    main()
