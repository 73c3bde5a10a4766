"""What is kept on disk: release records, journals, manifests, env files."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest

from deploy.data.repository import Stored
from deploy.model.backup import (
    Content,
    Label,
    Manifest,
    Part,
    StoreKind,
    backup_id,
    difference,
    file_name,
    major_version,
)
from deploy.model.envfile import fill_example, random_text
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome, Probes, interrupted, parse_journal, served
from deploy.model.proof import Proof
from deploy.model.release import ReleaseRecord, Revision, new_release_id
from tests.unit.examples import NOW, record

DATABASE = Part(
    StoreKind.POSTGRES,
    "db",
    "shop",
    "db.shop.dump",
    60,
    "ab",
    {"public.a": Content(3, "77"), "public.b": Content(0, "0")},
    {"encoding": "UTF8", "owner": "shop", "server_version": "17.11 (Debian 17.11-0+deb13u1)"},
)
MEDIA = Part(StoreKind.FILES, "web", "media", "web.media.tar.zst", 40, "cd", {"entries": Content(12)})
MANIFEST = Manifest(
    id="shop_20261121T120000Z",
    project="shop",
    label=Label.MANUAL,
    release="20261121-110000-0000000",
    started_at=NOW,
    duration_s=1.5,
    by="ada@laptop",
    parts=(DATABASE, MEDIA),
)


def test_release_ids_sort_by_age_and_say_what_they_are_made_from() -> None:
    earlier = new_release_id(NOW, Revision("1a2b3c4", dirty=False))
    later = new_release_id(NOW + timedelta(seconds=1), Revision("0000000", dirty=True))

    assert earlier == "20261121-120000-1a2b3c4"
    assert later == "20261121-120001-0000000-dirty"
    assert earlier < later


def test_a_release_record_survives_the_disk() -> None:
    assert ReleaseRecord.from_json(record().to_json(), where="x") == record()


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema": 99}', '{"schema": 1}', "[]"])
def test_a_record_that_cannot_be_read_names_its_place(text: str) -> None:
    with pytest.raises(DeployError, match="app1: release x: cannot be read as a release record"):
        ReleaseRecord.from_json(text, where="app1: release x")


def test_services_are_divided_into_those_that_may_overlap_and_those_that_may_not() -> None:
    assert record().app(exclusive=False) == ("backend", "nginx")
    assert record().app(exclusive=True) == ("worker",)


def test_a_journal_survives_the_disk_and_half_a_line_at_its_end() -> None:
    entries = (
        Entry(NOW, Outcome.STARTED, "r1", "ada@laptop", previous="r0"),
        Entry(
            NOW,
            Outcome.DEPLOYED,
            "r1",
            "ada@laptop",
            steps={"Switch": 0.5},
            bytes_sent=7,
            migrated=True,
            backup="b",
            probes=Probes(212, 1, 41),
        ),
    )
    text = "".join(entry.to_line() for entry in entries)

    assert parse_journal(text + '{"at": "2026-11-21T12:00') == entries


def test_a_later_version_may_write_more_into_the_journal() -> None:
    line = Entry(NOW, Outcome.FAILED, "r1", "ada@laptop").to_line().replace("{", '{"shoe_size": 42, ', 1)

    assert parse_journal(line)[0].outcome == Outcome.FAILED


def test_a_change_that_never_ended_is_seen() -> None:
    started = Entry(NOW, Outcome.STARTED, "r1", "ada@laptop")

    assert interrupted((started,)) == started
    assert interrupted((started, dataclasses.replace(started, outcome=Outcome.FAILED))) is None
    assert interrupted(()) is None


def test_what_served_is_known_even_when_the_change_that_brought_it_was_killed() -> None:
    journal = (
        Entry(NOW, Outcome.STARTED, "r1", "ada@laptop"),
        Entry(NOW, Outcome.DEPLOYED, "r1", "ada@laptop"),
        Entry(NOW, Outcome.STARTED, "r2", "ada@laptop", previous="r1"),  # killed after its switch
        Entry(NOW, Outcome.STARTED, "r3", "ada@laptop", previous="r2"),
        Entry(NOW, Outcome.FAILED, "r3", "ada@laptop", previous="r2"),
        Entry(NOW, Outcome.STARTED, "r1", "ada@laptop", previous="r2"),
        Entry(NOW, Outcome.ROLLED_BACK, "r1", "ada@laptop", previous="r2"),
    )

    assert served(journal) == ("r1", "r2", "r1")


def test_a_manifest_survives_the_disk_and_says_how_to_restore_by_hand() -> None:
    text = MANIFEST.to_json()

    assert Manifest.from_json(text, where="x") == MANIFEST
    assert "pg_restore --exit-on-error --dbname=NEW_NAME db.shop.dump" in text
    assert "zstd -dc web.media.tar.zst | tar --numeric-owner -xpf - -C FOLDER" in text
    assert (MANIFEST.size_bytes, MANIFEST.rows, MANIFEST.services) == (100, 3, frozenset({"db", "web"}))


@pytest.mark.parametrize("text", ["", "null", "{}", '{"schema": 3}', '{"schema": 2, "id": "x"}'])
def test_a_text_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="is not the manifest of a backup"):
        Manifest.from_json(text, where="x.json")


def test_backup_names_sort_by_age_and_files_have_safe_names() -> None:
    assert backup_id("shop", NOW) == "shop_20261121T120000Z"
    names = [file_name("db", name, ".dump") for name in ("a_b", "a-b", "a b", "a/b", "β", "δ")]
    assert names[:2] == ["db.a_b.dump", "db.a-b.dump"]
    assert len({*names}) == len(names), "no two databases share a file"
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in names)
    assert file_name("redis", "", ".rdb") == "redis.rdb"


def test_a_proof_survives_the_disk() -> None:
    proof = Proof(NOW, "ada@laptop", 41.5, ("db/shop",), ("db/shop: the dump lacks public.a",))

    assert Proof.from_json(proof.to_json()) == proof
    assert not proof.ok


def test_a_backup_is_proved_when_the_last_drill_of_every_part_was_green() -> None:
    def proved(*proofs: Proof) -> bool:
        return Stored(MANIFEST, "", proofs).proved

    good, bad = Proof(NOW, "", 1, ("db/shop",)), Proof(NOW, "", 1, ("db/shop", "web/media"), ("wrong",))
    rest = Proof(NOW, "", 1, ("web/media",))

    assert not proved()
    assert not proved(good), "one part was never tried"
    assert proved(good, rest)
    assert proved(bad, good, rest)
    assert not proved(good, rest, bad)
    assert not Stored(MANIFEST, "a file is missing", (good, rest)).proved


@pytest.mark.parametrize(("text", "major"), [("17.11 (Debian 17.11-0)", 17), ("16beta1", 16), ("15.4", 15)])
def test_major_versions_are_read(text: str, major: int) -> None:
    assert major_version(text) == major


def test_differences_name_what_differs() -> None:
    one, two, three = Content(1, "x"), Content(2), Content(3)

    assert difference({"a": one, "b": two}, {"a": one, "c": three}) == (
        "b: missing instead of 2",
        "c: 3 instead of none",
    )
    assert difference({"a": one}, {"a": one}) == ()
    assert difference({"a": one}, {"a": Content(1)}) == (), "what has no checksum is compared by its count"
    assert difference({"a": one}, {"a": Content(1, "y")}) == ("a: as many as there should be (1), but not the same",)


def test_an_example_is_filled_with_random_values_and_nothing_else_changes() -> None:
    text = "# SECRET=<random:9> in a comment stays\nSECRET_KEY=<random:50>\nDEBUG=1\n\nPW='<random:3>'\n"

    filled, names = fill_example(text, lambda length: "x" * length)

    assert filled == f"# SECRET=<random:9> in a comment stays\nSECRET_KEY={'x' * 50}\nDEBUG=1\n\nPW='xxx'\n"
    assert names == ("SECRET_KEY", "PW")


def test_random_values_are_long_enough_different_and_mean_nothing_to_a_parser() -> None:
    first, second = random_text(50), random_text(50)

    assert len(first) == 50
    assert first != second
    assert first.isalnum()
