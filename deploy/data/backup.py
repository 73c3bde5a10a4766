"""Taking a backup: dumped, checked, and only then given a name."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime

from deploy.data.postgres import Postgres
from deploy.data.store import Store
from deploy.model.backup import DUMP_SUFFIX, PARTIAL_SUFFIX, Label, Manifest, backup_id
from deploy.model.errors import CommandError, DeployError
from deploy.ui import Step
from deploy.ui.units import count, size

STALL_S = 120
"""A dump that sends no byte for this long is ended: it holds a transaction open."""
EXPECTED_SHARE = 0.6
"""Disk that must be free, as a share of the database's size."""
_TABLE_DATA = re.compile(r"^\d+; \d+ \d+ TABLE DATA ", re.MULTILINE)


@dataclass(frozen=True)
class Origin:
    """What a backup is of, and who takes it."""

    project: str
    service: str
    release: str
    label: Label
    by: str


def take_backup(database: Postgres, store: Store, origin: Origin, now: datetime, step: Step) -> Manifest:
    """Dump a database into a store and prove the file readable. Constant memory: no byte of it passes through here.

    Raises DeployError when anything on the way fails; then no file is left that looks like a backup.
    """
    began = time.monotonic()
    about = database.about()
    name = backup_id(origin.project, origin.service, about.name, now, about.server_version)
    expected = int(about.size_bytes * EXPECTED_SHARE)
    try:
        with database.snapshot() as snapshot:
            command = database.dump(snapshot, about.server_version)
            report = _Report(step, about.size_bytes)
            store.run("dump.sh", name, expected, STALL_S, *command, on_line=report.hear)
            tables = snapshot.tables
        step.show("reading it back")
        verify_readable(database, store, f"{name}{DUMP_SUFFIX}{PARTIAL_SUFFIX}", len(tables))
        manifest = Manifest(
            id=name,
            project=origin.project,
            service=origin.service,
            database=about.name,
            label=origin.label,
            release=origin.release,
            started_at=now,
            duration_s=round(time.monotonic() - began, 2),
            size_bytes=report.size_bytes,
            sha256=report.sha256,
            server_version=about.server_version,
            tool_version=database.shell.run(database.program("pg_dump", "--version")).stdout.strip(),
            encoding=about.encoding,
            collate=about.collate,
            ctype=about.ctype,
            owner=about.owner,
            tables=tables,
            by=origin.by,
        )
        store.run("commit.sh", name, stdin=manifest.to_json().encode())
    except BaseException as error:
        store.run("discard.sh", name, check=False)
        if isinstance(error, CommandError):
            raise DeployError(
                f"{store.shell.name}: no backup of {about.name} was made",
                "nothing was left behind",
                details=error.stderr,
            ) from error
        raise
    rows, what = count(manifest.rows, "row"), count(len(tables), "table")
    step.result = f"{manifest.id}: {size(manifest.size_bytes)}, {rows} in {what}"
    return manifest


def verify_readable(database: Postgres, store: Store, file: str, tables: int) -> None:
    """Let the server's own tool read a dump from end to end, and see that it holds every table.

    `pg_restore --list` alone accepts half a file; reading everything does not. Raises DeployError.
    """
    listed = store.run("feed.sh", file, *database.program("pg_restore", "--list"), check=False)
    held = len(_TABLE_DATA.findall(listed.stdout))
    if not listed.ok or held != tables:
        raise DeployError(
            f"{store.shell.name}: {file} holds {held} tables instead of {tables}",
            "it is not a backup",
            details=listed.stderr,
        )
    read = store.run("feed.sh", file, *database.program("pg_restore", "--file=/dev/null"), check=False)
    if not read.ok:
        raise DeployError(
            f"{store.shell.name}: {file} cannot be read to its end", "it is not a backup", details=read.stderr
        )


class _Report:
    """Hears what dump.sh says."""

    def __init__(self, step: Step, database_bytes: int) -> None:
        self._step = step
        self._database_bytes = database_bytes
        self.sha256 = ""
        self.size_bytes = 0

    def hear(self, line: str) -> None:
        word, _, value = line.partition(" ")
        if word == "progress":
            self._step.show(f"{size(int(value))} of a {size(self._database_bytes)} database")
        elif word == "sha256":
            self.sha256 = value
        elif word == "size":
            self.size_bytes = int(value)
