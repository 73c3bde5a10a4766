"""Point in time on a real PostgreSQL: what is received, what is recovered from it, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.data.archive import (
    KEPT_MB,
    SLOT,
    Archive,
    BaseStore,
    patient_problem,
    receiving_problem,
    recovered,
)
from deploy.data.backup import Origin, take_backup
from deploy.data.postgres import Postgres, literal
from deploy.data.repository import Repository
from deploy.model.backup import Label, Manifest
from deploy.model.errors import DeployError
from deploy.model.wal import Base, Segment, Span, bases_of, kept_of
from deploy.release.prepare import receive_wal
from deploy.shell import LocalShell
from deploy.ui import Step
from tests.project import docker, eventually, swept, unique

IMAGE = "postgres:17"
SERVICE = "db"


@dataclass(frozen=True)
class Kept:
    """A server whose WAL is kept beside its backups."""

    name: str
    folder: Path
    sockets: tuple[str, ...]

    @property
    def server(self) -> Postgres:
        return Postgres(LocalShell(), self.name)

    @property
    def repository(self) -> Repository:
        return Repository(LocalShell(), str(self.folder))

    @property
    def archive(self) -> Archive:
        return Archive.of(self.repository)

    @property
    def receiver(self) -> str:
        return f"{self.name}-wal"

    def start_receiver(self) -> None:
        labels = ("--label", f"com.docker.compose.project={self.name}", "--label", "com.docker.compose.service=db-wal")
        mounts = (*self.sockets, "--volume", f"{self.archive.folder}/{SERVICE}:/wal")
        words = ("--network", "none", "--user", "0:0", "--restart", "unless-stopped", "--env", "POSTGRES_USER=shop")
        program, *arguments = receive_wal()
        command = ("--entrypoint", program, IMAGE, *arguments)
        docker("run", "--detach", "--name", self.receiver, *labels, *words, *mounts, *command)

    def sql(self, statement: str) -> list[list[str]]:
        return self.server.query(statement, "shop")

    def now(self) -> datetime:
        text = self.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")[0][0]
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    def base(self) -> Base:
        """A backup of its files."""
        assert patient_problem(self.server, SERVICE) == ""
        origin = Origin("shop", "", Label.MANUAL, "test")
        now = datetime.now(UTC) + timedelta(seconds=len(self.manifests()))  # a name of its own
        take_backup(
            [BaseStore(self.server, SERVICE, IMAGE, self.archive)], self.repository, origin, now, Step("Back up")
        )
        return self.bases()[-1]

    def manifests(self) -> list[Manifest]:
        return [one.manifest for one in self.repository.backups() if not one.problem]

    def bases(self) -> tuple[Base, ...]:
        return bases_of(self.manifests(), SERVICE)

    def spans(self) -> tuple[Span, ...]:
        return self.archive.spans(self.bases(), IMAGE)

    def rows_at(self, base: Base, target: str) -> list[str]:
        with recovered(self.repository, base.manifest, base.part, IMAGE, target, Step("Recover")) as server:
            return [row[0] for row in server.query("SELECT what FROM happened ORDER BY number", "shop")]

    def segments(self) -> tuple[Segment, ...]:
        return self.archive.segments()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    name = unique("wal")
    folder = tmp_path_factory.mktemp("backups")
    (folder / ".wal" / SERVICE).mkdir(parents=True)
    found = Kept(name, folder, ("--volume", f"{name}-socket:/var/run/postgresql"))
    with swept(name):
        found.start_receiver()  # which one of the two comes first is nobody's business
        environment = ("--env", "POSTGRES_USER=shop", "--env", "POSTGRES_PASSWORD=s3cret")
        label = ("--label", f"com.docker.compose.project={name}")
        docker("run", "--detach", "--name", name, *label, *environment, *found.sockets, IMAGE)
        eventually(lambda: docker("exec", name, "pg_isready", "--host", "127.0.0.1", "--username", "shop"))
        found.sql("CREATE TABLE happened (number serial PRIMARY KEY, what text)")
        yield found


def happens(kept: Kept, what: str) -> datetime:
    """Something is written; a moment after it and before whatever comes next."""
    kept.sql(f"INSERT INTO happened (what) VALUES ({literal(what)})")  # noqa: S608  # quoted
    return kept.now()


def test_what_a_receiver_that_is_gone_costs_is_bounded(kept: Kept) -> None:
    assert patient_problem(kept.server, SERVICE) == ""
    assert kept.sql("SHOW max_slot_wal_keep_size") == [[f"{KEPT_MB // 1024}GB"]]


def test_a_server_is_recovered_as_of_a_moment(kept: Kept) -> None:
    happens(kept, "before the base")
    base = kept.base()
    happens(kept, "first")
    between = happens(kept, "second")
    happens(kept, "third")
    kept.archive.flush(kept.server, SERVICE)
    (span,) = kept.spans()

    assert base.consistent_at <= between <= span.until
    assert between in span
    assert kept.rows_at(base, between.isoformat(sep=" ")) == ["before the base", "first", "second"]
    assert docker("ps", "--all", "--quiet", "--filter", "label=windlass.scratch=shop") == ""


def test_a_killed_receiver_goes_on_without_a_gap(kept: Kept) -> None:
    chains = {one.chain for one in kept.segments()}
    docker("kill", kept.receiver)
    eventually(lambda: receiving_problem(kept.server, SERVICE))
    problem = receiving_problem(kept.server, SERVICE)
    assert "its WAL is not received, " in problem
    assert "db-wal does not run" in problem
    for what in ("while", "nobody", "listens"):
        happens(kept, what)
        kept.sql("SELECT pg_switch_wal()")
    docker("start", kept.receiver)

    assert patient_problem(kept.server, SERVICE) == ""
    after = happens(kept, "after")
    kept.archive.flush(kept.server, SERVICE)
    (span,) = kept.spans()
    assert after in span
    assert {one.chain for one in kept.segments()} == chains
    assert kept.rows_at(span.base, span.until.isoformat(sep=" "))[-4:] == ["while", "nobody", "listens", "after"]
    assert kept_of(SERVICE, kept.bases(), kept.segments(), "").since == span.since


def test_what_was_received_until_the_receiver_died_can_be_had(kept: Kept) -> None:
    """From the segment that was being written then."""
    alive = happens(kept, "alive")
    happens(kept, "and well")
    eventually(lambda: receiving_problem(kept.server, SERVICE) == "")
    docker("kill", kept.receiver)
    late = happens(kept, "too late")
    (span,) = kept.spans()

    assert any(one.partial for one in kept.segments())
    assert alive in span
    assert late not in span
    assert kept.rows_at(span.base, alive.isoformat(sep=" "))[-1] == "alive"
    docker("start", kept.receiver)
    assert patient_problem(kept.server, SERVICE) == ""


def test_a_segment_that_is_gone_ends_what_can_be_had(kept: Kept) -> None:
    before = happens(kept, "before the gap")
    missing = kept.archive.flush(kept.server, SERVICE)
    happens(kept, "in the gap")
    gone = kept.archive.flush(kept.server, SERVICE)
    after = happens(kept, "after the gap")
    kept.archive.flush(kept.server, SERVICE)
    assert after in kept.spans()[-1]
    file = Path(kept.archive.folder, SERVICE, gone.chain, gone.segment)
    file.rename(kept.folder / gone.segment)

    (span,) = kept.spans()
    assert span.until < after
    assert before in span
    assert missing.at <= span.until
    assert "leads on from no base" in kept_of(SERVICE, kept.bases(), kept.segments(), "").problem
    # asked for nevertheless, the server says no: nothing is recovered as of another moment
    with pytest.raises(DeployError, match="no server could be recovered") as caught:
        kept.rows_at(span.base, after.isoformat(sep=" "))
    assert "before configured recovery target was reached" in caught.value.details

    (kept.folder / gone.segment).rename(file)
    assert after in kept.spans()[-1]


def test_where_wal_was_lost_a_new_chain_begins_and_wants_a_base(kept: Kept) -> None:
    first = kept.bases()[-1]
    docker("kill", kept.receiver)
    eventually(lambda: "its WAL is not received" in receiving_problem(kept.server, SERVICE))
    kept.sql(f"SELECT pg_drop_replication_slot('{SLOT}')")
    docker("start", kept.receiver)
    assert patient_problem(kept.server, SERVICE) == ""
    chain = eventually(lambda: next(one.chain for one in kept.segments() if one.chain != first.chain))
    assert "leads on from no base" in kept_of(SERVICE, kept.bases(), kept.segments(), "").problem

    second = kept.base()
    now = happens(kept, "in the second chain")
    kept.archive.flush(kept.server, SERVICE)

    assert second.chain == chain
    assert [now in span for span in kept.spans()] == [False, True]
    assert kept_of(SERVICE, kept.bases(), kept.segments(), "").since == second.consistent_at


def test_a_server_that_refuses_is_told_in_its_own_words(kept: Kept) -> None:
    rules = "sed -i 's/^local *replication .* {}$/local replication all {}/' \"$PGDATA/pg_hba.conf\""
    for before, after in (("trust", "reject"), ("reject", "trust")):
        docker("exec", kept.name, "sh", "-c", rules.format(before, after))
        kept.sql("SELECT pg_reload_conf()")
        docker("restart", "--time", "3", kept.receiver)
        if after == "reject":
            eventually(lambda: "pg_hba.conf rejects replication" in receiving_problem(kept.server, SERVICE))
    assert patient_problem(kept.server, SERVICE) == ""


def test_a_server_with_slots_of_others_is_left_as_it_is(kept: Kept) -> None:
    """A bound for ours would be one for theirs."""
    docker("rm", "--force", kept.receiver)
    kept.sql("ALTER SYSTEM RESET max_slot_wal_keep_size")
    kept.sql("SELECT pg_reload_conf()")
    kept.sql("SELECT pg_create_physical_replication_slot('standby')")

    kept.start_receiver()

    eventually(lambda: "the server has other replication slots" in receiving_problem(kept.server, SERVICE))
    assert "ALTER SYSTEM SET max_slot_wal_keep_size" in receiving_problem(kept.server, SERVICE)
    assert kept.sql("SHOW max_slot_wal_keep_size") == [["-1"]]
