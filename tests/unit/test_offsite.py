"""What restic is asked for, what its answers mean, and which copies are made and kept."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.engine.files import read_plain_env_file
from deploy.model.backup import Label, StoreKind, by_hand
from deploy.model.errors import UsageError
from deploy.model.offsite import (
    Copy,
    Known,
    backup_words,
    forget_words,
    is_share,
    local_folder,
    masked,
    options,
    parse_message,
    parse_snapshots,
    restore_words,
    snapshots_words,
    to_upload,
    why,
)
from deploy.model.retention import Retention, retained
from deploy.model.settings import Offsite, parse_settings
from tests.unit.examples import NOW
from tests.unit.test_records import MANIFEST

SFTP = "sftp:backup@nas.example.com:/srv/shop"
COPY = Copy("shop_20261121T030000Z", "ab12", Label.MANUAL, "r1", NOW, frozenset({"db", "web"}), 1200)


def settings(**offsite: object) -> Offsite | None:
    raw = {"environments": {"prod": {"backup_keep": {"daily": 30}, "offsite": offsite or None}}}
    return parse_settings(raw, folder="shop").environment("prod").offsite


def test_copies_are_kept_like_backups_unless_something_else_is_said() -> None:
    assert settings() is None
    assert settings(repository=SFTP) == Offsite(SFTP, ".env.offsite", Retention(daily=30), 300)
    assert settings(repository="/mnt/disk/shop", env_file="keys.env", keep={"monthly": 12}, timeout_s=60) == Offsite(
        "/mnt/disk/shop", "keys.env", Retention(daily=30, monthly=12), 60
    )


@pytest.mark.parametrize(
    ("offsite", "said"),
    [
        ({"repo": SFTP}, r"offsite\.repo: unknown key"),
        ({"env_file": ".env"}, r"offsite\.repository: '' is no repository"),
        ({"repository": "backups/shop"}, r"'backups/shop' is no repository"),
        ({"repository": "rclone:remote:shop"}, r"'rclone:remote:shop' is no repository that restic reaches"),
        ({"repository": SFTP, "keep": {"dayly": 3}}, r"offsite\.keep\.dayly: unknown key"),
        ({"repository": SFTP, "timeout_s": 0}, r"timeout_s is not a number of at least 1"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(offsite: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        settings(**offsite)


def test_an_address_says_where_a_folder_is_and_no_password() -> None:
    assert (local_folder("/mnt/disk"), local_folder("local:/mnt/disk"), local_folder(SFTP)) == (
        "/mnt/disk",
        "/mnt/disk",
        "",
    )
    assert masked("rest:https://user:hush@nas.example.com/shop") == "rest:https://…@nas.example.com/shop"
    assert masked(SFTP) == SFTP
    assert "StrictHostKeyChecking=yes" in "".join(options(SFTP))
    assert options("s3:https://s3.example.com/bucket") == ()


def test_a_snapshot_is_one_backup_and_its_tags_say_which() -> None:
    words = backup_words(MANIFEST, "prod")

    assert words[-1] == f"/backups/{MANIFEST.id}"
    tags = [word for before, word in pairwise(words) if before == "--tag"]
    assert {f"id:{MANIFEST.id}", f"project:{MANIFEST.project}", "env:prod", "windlass"} <= set(tags)
    assert words[words.index("--time") + 1] == f"{MANIFEST.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    assert f"/backups/{MANIFEST.id}/proofs.jsonl" in words
    raw = {
        "id": "cd34",
        "time": MANIFEST.started_at.isoformat(),
        "tags": tags,
        "summary": {"total_bytes_processed": 5},
    }
    assert parse_snapshots(json.dumps([raw])) == (
        Copy(MANIFEST.id, "cd34", MANIFEST.label, MANIFEST.release, MANIFEST.started_at, MANIFEST.services, 5),
    )


def test_what_is_listed_restored_and_forgotten_is_named_exactly() -> None:
    assert snapshots_words("shop")[-4:] == ("--host", "shop", "--tag", "windlass")
    assert restore_words(COPY)[3:] == (f"ab12:/backups/{COPY.id}", "--target", f"/backups/{COPY.id}")
    assert forget_words(["ab12", "cd34"], prune=True)[2:] == ("--prune", "ab12", "cd34")
    assert "--prune" not in forget_words(["ab12"], prune=False)


def test_snapshots_of_others_are_left_out_and_a_backup_counts_once() -> None:
    def raw(name: str, at: str, *tags: str) -> dict[str, object]:
        return {"id": name, "time": at, "tags": list(tags)}

    listed = [
        raw("b", "2026-11-21T04:00:00.123456789+01:00", "windlass", "id:x", "label:manual", "service:db"),
        raw("a", "2026-11-20T03:00:00Z", "windlass", "id:x", "label:manual"),
        raw("c", "2026-11-20T03:00:00Z"),
        raw("d", "2026-11-20T03:00:00Z", "windlass", "id:y", "label:of-a-later-version"),
    ]

    (found,) = parse_snapshots(json.dumps(listed))

    assert (found.id, found.snapshot, found.services) == ("x", "b", frozenset({"db"}))
    assert found.started_at.astimezone(UTC) == datetime(2026, 11, 21, 3, 0, 0, 123456, UTC)
    assert parse_snapshots("null") == parse_snapshots("") == ()


def test_what_is_known_is_remembered_of_one_repository() -> None:
    known = Known(SFTP, NOW, (COPY,))

    assert Known.from_json(known.to_json(), SFTP) == known
    assert Known.from_json(known.to_json(), "/mnt/disk") is None
    assert Known.from_json("", SFTP) is Known.from_json('{"repository": 1}', SFTP) is None


def test_progress_is_read_from_backups_and_restores() -> None:
    told = '{"message_type":"status","percent_done":0.5,"total_bytes":200,"bytes_done":100}'
    back = '{"message_type":"status","total_bytes":200,"bytes_restored":150}'
    end = '{"message_type":"summary","snapshot_id":"ab"}'

    assert (parse_message(told).done_bytes, parse_message(told).total_bytes) == (100, 200)
    assert parse_message(back).done_bytes == 150
    assert (parse_message(end).summary or {})["snapshot_id"] == "ab"
    assert parse_message("[0:05] 50%  3 / 6 packs").text == "[0:05] 50%  3 / 6 packs"
    assert parse_message("17").text == "17"


@pytest.mark.parametrize(
    ("exit_code", "stderr", "said", "remedy"),
    [
        (12, "", ".env.offsite does not open", "the one that it was made with"),
        (11, "", "somebody else works in", "30 minutes"),
        (10, "", "there is no repository in", "is its disk mounted"),
        (
            1,
            "Host key verification failed.",
            "app1 does not know the host key of backup@nas.example.com",
            "on app1: ssh ",
        ),
        (1, "backup@nas: Permission denied (publickey).", "does not let app1 in", "ssh-copy-id backup@nas.example.com"),
        (124, "dial tcp: refused\nnothing moved for 5 s\nFatal: cancelled", "nothing moved for 5 s", "timeout_s"),
        (1, '{"message_type":"exit_error","message":"Fatal: no space left"}', ": no space left", ""),
        (7, "", "restic ended with status 7", ""),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(exit_code: int, stderr: str, said: str, remedy: str) -> None:
    error = why(exit_code, stderr, SFTP, "app1", ".env.offsite")

    assert said in error.message
    assert remedy in error.remedy


def test_an_ssh_server_on_a_port_is_told_as_ssh_takes_it() -> None:
    error = why(1, "Host key verification failed.", "sftp://backup@nas:2222//srv/shop", "app1", "")

    assert "ssh -p 2222 backup@nas," in error.remedy


def test_what_is_missing_off_site_is_brought_there_newest_first_if_it_is_to_stay() -> None:
    nights = [
        dataclasses.replace(MANIFEST, id=f"night{number}", started_at=NOW - timedelta(days=number))
        for number in range(4)
    ]
    there = [dataclasses.replace(COPY, id="night2")]
    kept = retained([*nights, *there], (), Retention(last=3, daily=0, weekly=0, monthly=0))

    assert [one.id for one in to_upload(nights, there, kept)] == ["night0", "night1"]


@pytest.mark.parametrize(
    ("text", "good"), [("10%", True), ("2.5%", True), ("100%", True), ("0%", False), ("101%", False), ("1/7", False)]
)
def test_a_share_is_what_restic_takes(text: str, good: bool) -> None:
    assert is_share(text) is good


def test_an_env_file_is_read_as_compose_reads_one(tmp_path: Path) -> None:
    file = tmp_path / ".env.offsite"
    file.write_text("# keys\nexport RESTIC_PASSWORD='a $b'\nAWS_ACCESS_KEY_ID=x\n")
    assert read_plain_env_file(file) == {"RESTIC_PASSWORD": "a $b", "AWS_ACCESS_KEY_ID": "x"}
    file.write_text('KEY="one\ntwo"\n')
    with pytest.raises(UsageError, match="KEY has several lines"):
        read_plain_env_file(file)
    assert read_plain_env_file(tmp_path / "none") == {}


def test_a_packed_dump_says_how_to_unpack_it_by_hand() -> None:
    (dump,) = (part for part in MANIFEST.parts if part.kind == StoreKind.POSTGRES)
    packed = dataclasses.replace(dump, file=f"{dump.file}.zst")

    assert by_hand(dump)[1] == f"pg_restore --exit-on-error --dbname=NEW_NAME {dump.file}"
    assert by_hand(packed)[1] == f"zstd -dc {dump.file}.zst | pg_restore --exit-on-error --dbname=NEW_NAME"
