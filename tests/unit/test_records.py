"""What is kept on disk: release records, journals, manifests, env files."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from deploy.model.backup import Label, Manifest, backup_id, difference, major_version
from deploy.model.envfile import fill_example, random_text
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome, Probes, interrupted, parse_journal, served
from deploy.model.release import ReleaseRecord, Revision, new_release_id
from tests.unit.examples import NOW, record

MANIFEST = Manifest(
    id="shop_db_shop_20261121T120000Z_pg17",
    project="shop",
    service="db",
    database="shop",
    label=Label.MANUAL,
    release="20261121-110000-0000000",
    started_at=NOW,
    duration_s=1.5,
    size_bytes=100,
    sha256="ab",
    server_version="17.11 (Debian 17.11-0+deb13u1)",
    tool_version="pg_dump (PostgreSQL) 17.11",
    encoding="UTF8",
    collate="C",
    ctype="C",
    owner="shop",
    tables={"public.a": 3, "public.b": 0},
    by="ada@laptop",
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
    assert "pg_restore --exit-on-error --dbname=NEW_NAME shop_db_shop_20261121T120000Z_pg17.dump" in text


@pytest.mark.parametrize("text", ["", "null", "{}", '{"schema": 2}', '{"schema": 1, "id": "x"}'])
def test_a_text_that_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(DeployError, match="is not the manifest of a backup"):
        Manifest.from_json(text, where="x.json")


def test_backup_names_sort_by_age_and_are_safe_as_file_names() -> None:
    name = backup_id("shop", "db", "my shop/β", NOW, "17.11 (Debian)")

    assert name == "shop_db_my-shop-β_20261121T120000Z_pg17"


@pytest.mark.parametrize(("text", "major"), [("17.11 (Debian 17.11-0)", 17), ("16beta1", 16), ("15.4", 15)])
def test_major_versions_are_read(text: str, major: int) -> None:
    assert major_version(text) == major


def test_differences_between_row_counts_name_the_tables() -> None:
    assert difference({"a": 1, "b": 2}, {"a": 1, "c": 3}) == ("b: missing instead of 2", "c: 3 instead of none")
    assert difference({"a": 1}, {"a": 1}) == ()


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
