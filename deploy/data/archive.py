"""The WAL that receivers keep beside the backups, the bases that it leads on from, and servers recovered from both."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.data.postgres import SERVERS_OWN, Postgres, literal
from deploy.data.repository import Repository, Writing
from deploy.data.store import Prepared, Restoring, Store
from deploy.model.backup import Content, Manifest, Part, StoreKind, file_name
from deploy.model.errors import CommandError, DeployError
from deploy.model.wal import Base, Segment, Span, covered, parse_segments, run_of
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step

FOLDER = ".wal"
"""Of the archives of all databases, in the folder of backups."""
SLOT = "windlass"
RECEIVER = "windlass_wal"
"""What a receiver calls itself to the server."""
KEPT_MB = 1024
"""What a server keeps at most for a receiver that is gone."""
FREE_MB = 2048
"""Nothing is received when less of the disk is free: twice what the server then keeps."""
RECEIVED_WITHIN_S = 60
STARTS_WITHIN_S = 15.0
LAGS_BYTES = 64 << 20
"""A receiver that is further behind cannot keep up."""
IMMEDIATE = "immediate"
NAME = "base"

# A transaction that writes nothing but its end, so that one ends after any moment until now; then the segment ends.
_FLUSH = """
    SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US');
    SELECT pg_catalog.txid_current();
    SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_switch_wal());
    SELECT system_identifier FROM pg_catalog.pg_control_system();
"""
_RECEIVING = f"""
    SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), write_lsn)
    FROM pg_catalog.pg_stat_replication WHERE application_name = {literal(RECEIVER)} AND state = 'streaming'
"""
_KEPT = f"""
    SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn), wal_status
    FROM pg_catalog.pg_replication_slots WHERE slot_name = {literal(SLOT)}
"""
_ABOUT = """
    SELECT pg_catalog.current_setting('server_version'), current_user, pg_catalog.sum(pg_catalog.pg_database_size(oid)),
           (SELECT count(*) FROM pg_catalog.pg_tablespace)
    FROM pg_catalog.pg_database
"""
_OWN_TABLESPACES = 2


@dataclass(frozen=True)
class Flushed:
    """A moment of which everything before is in the archive."""

    at: datetime
    """By the server's clock."""
    segment: str
    chain: str


@dataclass(frozen=True)
class Archive:
    """The WAL of all databases of a project on a machine."""

    shell: Shell
    folder: str

    @classmethod
    def of(cls, repository: Repository) -> Archive:
        return cls(repository.shell, f"{repository.folder}/{FOLDER}")

    def segments(self) -> tuple[Segment, ...]:
        return parse_segments(self.shell.run(packaged("data", "archive.sh", "list", self.folder)).stdout)

    def remove(self, segments: Iterable[Segment]) -> None:
        names = "".join(f"{one.path}\n" for one in segments)
        self.shell.run(packaged("data", "archive.sh", "remove", self.folder), stdin=names.encode())

    def flush(self, server: Postgres, service: str) -> Flushed:
        """Have everything until now in the archive. Raises DeployError when it does not arrive."""
        (moment,), _, (segment,), (system,) = server.query(_FLUSH, SERVERS_OWN)
        wait = packaged("data", "archive.sh", "wait", self.folder, service, system, segment, RECEIVED_WITHIN_S)
        done = self.shell.run(wait, check=False)
        if not done.stdout:
            raise DeployError(
                f"{service}: its WAL does not arrive in {self.folder}/{service}",
                f"docker logs of what receives it ({service}-wal) say why",
                details=done.stderr,
            )
        return Flushed(datetime.fromisoformat(moment).replace(tzinfo=UTC), segment, done.stdout.strip())

    def spans(self, bases: Sequence[Base], image: str) -> tuple[Span, ...]:
        """What can be recovered from each base of one database, oldest first. `image` is the server's."""
        segments = self.segments()
        ends: dict[str, datetime | None] = {}
        found = []
        for base in bases:
            run = run_of(base, segments)
            if not covered(base, run):
                continue
            if run[-1].path not in ends:
                ends[run[-1].path] = self._last(run, image)
            until = ends[run[-1].path]
            if until and until >= base.consistent_at:
                found.append(Span(base, base.consistent_at, until))
        return tuple(found)

    def _last(self, run: Sequence[Segment], image: str) -> datetime | None:
        """When the last transaction in a run of segments ended: nothing later can be asked for."""
        folder = f"{self.folder}/{run[0].service}/{run[0].chain}"
        look = packaged("data", "wal.sh", "last", image, folder, *(one.name for one in reversed(run)))
        text = self.shell.run(look).stdout.strip()
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def receiving_problem(server: Postgres, service: str) -> str:
    """What is wrong with what receives a database's WAL, in a sentence; empty when nothing is."""
    try:
        rows = server.query(_RECEIVING, SERVERS_OWN)
        if rows and float(rows[0][0] or 0) <= LAGS_BYTES:
            return ""
        if rows:
            return f"{service}: what receives its WAL is {float(rows[0][0]) / 1e6:.0f} MB behind"
        kept = server.query(_KEPT, SERVERS_OWN)
    except CommandError as error:
        return f"{service}: whether its WAL is received cannot be told: {error.details}"
    state = f"{float(kept[0][0] or 0) / 1e6:.0f} MB wait for it" if kept and kept[0][1] != "lost" else "some is lost"
    said = server.shell.run(packaged("data", "last-words.sh", server.container, service), check=False).stdout.strip()
    return f"{service}: its WAL is not received, {state if kept else 'and none is kept for it'}" + (
        f" ({said})" if said else ""
    )


def patient_problem(server: Postgres, service: str) -> str:
    """The same, for something that may just have been started."""
    until = time.monotonic() + STARTS_WITHIN_S
    while (problem := receiving_problem(server, service)) and time.monotonic() < until:
        time.sleep(0.5)
    return problem


class BaseStore(Store):
    """The files of one PostgreSQL server, as what its WAL leads on from."""

    def __init__(self, server: Postgres, service: str, image: str, archive: Archive) -> None:
        self.server = server
        self.title = f"{service}/{NAME}"
        self.service = service
        self.image = image
        self._archive = archive

    def expected_bytes(self) -> int:
        return int(self.server.query(_ABOUT, SERVERS_OWN)[0][2])

    def back_up(self, writing: Writing) -> Iterator[Part]:
        server, file = self.server, file_name(self.service, NAME, ".tar")
        version, user, size, tablespaces = server.query(_ABOUT, SERVERS_OWN)[0]
        if int(tablespaces) > _OWN_TABLESPACES:
            raise DeployError(f"{self.title}: the server has tablespaces", "point in time does not know these")
        options = ("--format=tar", "--wal-method=none", "--checkpoint=fast", "--label=windlass", "--no-password")
        command = server.program("pg_basebackup", "--pgdata=-", *options)
        written = writing.take(file, command, what=self.title, pack=True, of_bytes=int(size))
        writing.step.show(f"{self.title}: waiting for its WAL")
        flushed = self._archive.flush(server, self.service)
        writing.step.show(f"{self.title}: reading it back")
        look = packaged("data", "wal.sh", "base", self.image)
        entries, start = self.server.shell.run(writing.feed(written.name, look)).stdout.split()
        yield Part(
            StoreKind.BASE,
            self.service,
            NAME,
            written.name,
            written.size_bytes,
            written.sha256,
            {"entries": Content(int(entries))},
            {
                "image": self.image,
                "server_version": version,
                "superuser": user,
                "data_bytes": size,
                "chain": flushed.chain,
                "start_wal": start,
                "end_wal": flushed.segment,
                "consistent_at": flushed.at.isoformat(),
            },
        )

    def holds(self, part: Part) -> bool:
        return part.kind == StoreKind.BASE and part.service == self.service

    def check(self, part: Part) -> None:
        """Nothing of it is put in the place of what is live."""

    def contents(self, part: Part) -> Mapping[str, Content]:
        return part.contents

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:  # noqa: ARG002  # as all stores have it
        """Nothing: `recovered` makes a server of it."""
        return Prepared(part, lambda _: "", lambda: None)


@contextmanager
def recovered(
    repository: Repository, backup: Manifest, part: Part, image: str, target: str, step: Step
) -> Iterator[Postgres]:
    """A server of an image as it was at a moment (ISO 8601), or at a base's own end (`IMMEDIATE`).

    On no network, and gone afterwards with its data. Raises DeployError when it cannot be had.
    """
    shell, facts = repository.shell, part.facts
    name = f"windlass-scratch-{secrets.token_hex(4)}"
    archive = f"{repository.folder}/{FOLDER}/{part.service}/{facts['chain']}"
    step.show(f"{part.title}: unpacking")

    def hear(line: str) -> None:
        if line.startswith("replayed "):
            step.show(f"{part.service}: {line}")

    try:
        words = (backup.project, name, image, facts["superuser"], archive, target)
        start = repository.feed(backup, part, packaged("data", "recover.sh", *words))
        done = shell.run(start, check=False, on_line=hear)
        if not done.ok:
            raise DeployError(f"{part.title}: no server could be recovered from it", details=done.stderr)
        yield Postgres(shell, name)
    finally:
        shell.run(packaged("data", "scratch.sh", "remove", name), check=False)
