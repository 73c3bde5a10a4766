"""Point in time: which moments can be had, how they are written, which WAL nobody needs, what a stack gets for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path, PurePosixPath

import pytest

from deploy.model.backup import Label, Manifest, Part, StoreKind
from deploy.model.checks import needed_on_host
from deploy.model.errors import UsageError
from deploy.model.fingerprint import service_parts
from deploy.model.places import Places
from deploy.model.receiver import SOCKETS, with_receivers
from deploy.model.render import render_data, render_release, stack_volumes
from deploy.model.stack import Stack
from deploy.model.wal import (
    Base,
    Segment,
    Span,
    bases_of,
    covered,
    kept_of,
    needless,
    parse_moment,
    parse_segments,
    run_of,
    told_spans,
)
from deploy.release.prepare import receive_wal
from tests.unit.examples import LAYOUT, NOW, broken, model, stack

MB16 = 16 << 20
CHAIN, LATER = "7713-20261121T080000Z", "7713-20261121T110000Z"
CET = timezone(timedelta(hours=1), "CET")


def segments(*numbers: int, chain: str = CHAIN, partial: int | None = None) -> tuple[Segment, ...]:
    names = [(number, f"{number:X}") for number in numbers]
    whole = [Segment("db", chain, f"0000000100000000{text:0>8}", MB16) for _, text in names]
    return (*whole, *([Segment("db", chain, f"0000000100000000{partial:08X}.partial", MB16)] if partial else []))


def base(start: int, end: int, hour: int = 9, chain: str = CHAIN) -> Base:
    facts = {
        "chain": chain,
        "start_wal": f"0000000100000000{start:08X}",
        "end_wal": f"0000000100000000{end:08X}",
        "consistent_at": f"2026-11-21T{hour:02}:00:12.300000+00:00",
        "server_version": "17.2",
    }
    part = Part(StoreKind.BASE, "db", "base", "db.base.tar.zst", 9, "ab", facts=facts)
    manifest = Manifest(f"shop_{hour}", "shop", Label.MANUAL, "r1", NOW, 1.0, "ada@laptop", (part,))
    return Base(manifest, part)


def numbers(found: Iterable[Segment]) -> list[int]:
    return [one.number for one in found]


def test_segments_are_read_in_the_order_of_the_log() -> None:
    text = (
        f"{MB16} db/{CHAIN}/000000010000000100000000\n{MB16} db/{CHAIN}/0000000100000000000000FF\n"
        f"{MB16} db/{CHAIN}/000000010000000100000001.partial\n300 db/{CHAIN}/00000002.history\n"
    )

    found = parse_segments(text)

    assert numbers(found) == [255, 256, 257]
    assert [one.partial for one in found] == [False, False, True]
    assert found[0].path == f"db/{CHAIN}/0000000100000000000000FF"


def test_what_leads_on_from_a_base_ends_at_the_first_gap() -> None:
    there = segments(3, 4, 5, 7, 8, partial=9)

    run = run_of(base(4, 5), there)

    assert numbers(run) == [4, 5]
    assert covered(base(4, 5), run)
    assert not covered(base(4, 6), run), "it would not even be consistent"
    assert run_of(base(6, 6), there) == ()
    assert run_of(base(4, 5, chain=LATER), there) == ()
    whole = run_of(base(7, 8), there)
    assert numbers(whole) == [7, 8, 9]


def test_moments_are_told_in_whole_seconds_that_can_be_asked_for() -> None:
    def span(since: str, until: str) -> Span:
        ends = (datetime.fromisoformat(f"2026-11-21T{text}+00:00") for text in (since, until))
        return Span(base(1, 1), *ends)

    assert told_spans([span("09:00:12.300000", "10:41:03.900000")], UTC) == (
        "from 2026-11-21 09:00:13 UTC to 2026-11-21 10:41:03 UTC"
    )
    overlapping = [span("09:00:12", "10:41:03"), span("10:00:00", "12:00:00"), span("13:00:00", "14:00:00")]
    assert told_spans(overlapping, CET).split(", or ") == [
        "from 2026-11-21 10:00:12 CET to 2026-11-21 13:00:00 CET",
        "from 2026-11-21 14:00:00 CET to 2026-11-21 15:00:00 CET",
    ]
    assert datetime(2026, 11, 21, 9, 0, 12, tzinfo=UTC) not in span("09:00:12.300000", "10:41:03.900000")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-21 10:05", "09:05:00"),
        ("2026-11-21T10:05:30", "09:05:30"),
        ("2026-11-21 10:05:30.25", "09:05:30.250000"),
        ("2026-11-21 10:05Z", "10:05:00"),
        ("2026-11-21 10:05:30 +02:00", "08:05:30"),
        (" 2026-11-21T10:05+0300 ", "07:05:00"),
    ],
)
def test_a_moment_without_a_zone_is_of_the_place_where_it_is_typed(text: str, utc: str) -> None:
    assert parse_moment(text, NOW, CET) == datetime.fromisoformat(f"2026-11-21T{utc}+00:00")


@pytest.mark.parametrize("text", ["", "yesterday", "10:05", "2026-11-21", "2026-11-31 10:05", "2026-11-21 25:00", "1"])
def test_anything_else_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="that is no time of a day") as caught:
        parse_moment(text, NOW, CET)
    assert "2026-11-21 10:05" in caught.value.remedy


def test_what_is_still_to_come_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="still to come") as caught:
        parse_moment("2026-11-21 13:01", NOW, CET)
    assert caught.value.remedy == "it is 2026-11-21 13:00:00 CET"


def test_wal_that_a_kept_base_needs_is_never_removed() -> None:
    there = (*segments(1, 2, 3, 4, 5, 6, partial=7),)

    assert numbers(needless(there, {"db": [base(5, 5), base(3, 4)]})) == [1, 2]
    assert numbers(needless(there, {"db": [base(1, 1)]})) == []
    # the receiver goes on after the newest whole one
    assert numbers(needless(there, {"db": []})) == [1, 2, 3, 4, 5]
    assert needless(there, {}) == ()


def test_a_chain_that_has_ended_goes_when_no_base_of_it_is_kept() -> None:
    there = (*segments(1, 2, partial=3), *segments(1, 2, 3, chain=LATER, partial=4))

    gone = needless(there, {"db": [base(2, 2, chain=LATER)]})

    assert [(one.chain, one.number) for one in gone] == [(CHAIN, 1), (CHAIN, 2), (CHAIN, 3), (LATER, 1)]
    kept = needless(there, {"db": [base(2, 2, chain=LATER), base(2, 2)]})
    assert [(one.chain, one.number) for one in kept] == [(CHAIN, 1), (LATER, 1)]


def test_a_status_tells_since_when_every_moment_can_be_had() -> None:
    there = segments(1, 2, 3, 5, 6, partial=7)
    early, late = base(1, 2, hour=9), base(5, 5, hour=10)

    assert kept_of("db", [early, late], there, "").since == late.consistent_at
    lost = kept_of("db", [early], there, "")
    assert (lost.since, "leads on from no base" in lost.problem) == (None, True)
    fresh = kept_of("db", [], there, "")
    assert (str(fresh), fresh.problem) == ("point in time of db: no base backup yet", "")
    assert kept_of("db", [early], there, "it is down").problem == "it is down"


def test_bases_are_found_in_backups_by_their_service() -> None:
    early, late = base(1, 2, hour=9), base(5, 5, hour=10)

    assert bases_of([late.manifest, early.manifest], "db") == (early, late)
    assert bases_of([late.manifest], "other") == ()
    assert any("recovery.signal" in line for line in json.loads(late.manifest.to_json())["restore_by_hand"]["db/base"])


def kept_stack(**changes: object) -> Stack:
    document = model()
    document["services"]["db"] |= {"x-deploy": {"point_in_time": True}} | changes
    return with_receivers(stack(document), LAYOUT, receive_wal())


def test_a_database_that_is_to_be_kept_gets_a_receiver_from_its_own_image() -> None:
    found = kept_stack(environment={"POSTGRES_PASSWORD": "s3cret", "POSTGRES_USER": "shop"})
    images = {"db": "postgres:17", "db-wal": "postgres:17"}

    document = render_data(found, images, LAYOUT, Places(Path("/src"))).document

    receiver = document["services"]["db-wal"]
    assert receiver["image"] == "postgres:17"
    assert receiver["environment"] == {"POSTGRES_USER": "shop"}, "and not the password"
    assert receiver["network_mode"] == "none"
    assert "ports" not in receiver
    sockets = {"type": "volume", "source": "db-socket", "target": SOCKETS, "volume": {}}
    assert receiver["volumes"] == [
        sockets,
        {"type": "bind", "source": "/opt/shop/backups/.wal/db", "target": "/wal"},
    ]
    assert document["services"]["db"]["volumes"][-1] == sockets
    assert document["volumes"]["db-socket"] == {"name": "shop_db-socket", "external": True}
    assert "shop_db-socket" in [one.name for one in stack_volumes(found, LAYOUT, Places(Path("/src")))]
    assert receiver["entrypoint"][3].replace("$$", "$") == receive_wal()[3]
    assert "$$slot" in receiver["entrypoint"][3], "compose reads two dollars as one"


def test_a_release_knows_nothing_of_it() -> None:
    images = dict.fromkeys(("backend", "worker", "nginx"), "x")
    plain, kept = (
        render_release(one, images, LAYOUT, "r1", Places(Path("/src"))).document["services"]
        for one in (stack(), kept_stack())
    )
    assert kept == plain


def test_where_the_socket_is_shared_already_the_database_stays_as_it_is() -> None:
    mounts = [
        {"type": "volume", "source": "pg", "target": "/var/lib/postgresql/data", "volume": {}},
        {"type": "volume", "source": "run", "target": "/var/run/postgresql", "volume": {}},
    ]

    found = kept_stack(volumes=mounts)

    assert found.services["db"].definition["volumes"] == mounts
    assert found.services["db-wal"].definition["volumes"][0] == mounts[1]
    assert "db-socket" not in found.document["volumes"]


def test_nothing_is_added_for_whoever_does_not_ask() -> None:
    plain = stack()
    assert with_receivers(plain, LAYOUT, receive_wal()) is plain


def test_another_image_is_another_receiver_and_its_folder_need_not_be_made() -> None:
    found = kept_stack()
    receiver = found.services["db-wal"]

    def parts(source: str) -> dict[str, str]:
        return service_parts(receiver.definition, found.document, source, {})

    assert parts("postgres:17") != parts("postgres:18")
    assert parts("postgres:17") == parts("postgres:17")
    needed = [one.name for one in needed_on_host(found, Places(Path("/src")))]
    assert needed == ["/etc/localtime"]
    assert LAYOUT.wal("db") == PurePosixPath("/opt/shop/backups/.wal/db")


def test_only_postgresql_can_be_kept_and_a_name_that_is_taken_is_told() -> None:
    document = model()
    document["services"]["backend"]["x-deploy"]["point_in_time"] = True
    document["services"]["db"]["x-deploy"] = {"point_in_time": True}
    document["services"]["db-wal"] = {"image": "alpine", "networks": {}}

    problems = [one.message for one in broken(document) if one.fatal]

    assert any("backend runs an image of its own: point in time is for PostgreSQL" in text for text in problems)
    assert "db-wal is the name of what receives the WAL of db" in problems
    document["services"]["db"]["x-deploy"] = {"point_in_time": "yes"}
    with pytest.raises(UsageError, match=r"services\.db\.x-deploy\.point_in_time is not true or false"):
        stack(document)
