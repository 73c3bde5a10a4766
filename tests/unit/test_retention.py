"""Which backups are kept, over more than a year, by a clock that the tests hold."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest

from deploy.model.backup import Label, Manifest
from deploy.model.errors import UsageError
from deploy.model.retention import Retention, retained
from deploy.model.settings import parse_settings
from tests.unit.examples import NOW
from tests.unit.test_records import MANIFEST, MEDIA

NIGHT = NOW.replace(hour=3)


def taken(at: datetime, label: Label = Label.MANUAL) -> Manifest:
    return dataclasses.replace(MANIFEST, id=f"{at:%Y-%m-%d %H:%M}", started_at=at, label=label)


def nights(count: int) -> list[Manifest]:
    """One backup each night, the newest last."""
    return [taken(NIGHT - timedelta(days=ago)) for ago in reversed(range(count))]


def test_a_year_of_nights_leaves_days_weeks_and_months() -> None:
    kept = retained(nights(400), (), Retention(last=3, daily=7, weekly=4, monthly=6))

    assert sorted(kept) == [
        "2026-06-30 03:00", "2026-07-31 03:00", "2026-08-31 03:00", "2026-09-30 03:00", "2026-10-31 03:00",
        "2026-11-01 03:00", "2026-11-08 03:00",
        *(f"2026-11-{day} 03:00" for day in range(15, 22)),
    ]  # fmt: skip
    assert kept["2026-11-15 03:00"] == ("the last of its day", "the last of its week")
    assert kept["2026-06-30 03:00"] == ("the last of its month",)


def test_what_is_kept_is_the_same_when_it_is_pruned_every_night() -> None:
    """As a schedule does it: no backup may fall out that a later day would have needed."""
    there: list[Manifest] = []
    for one in nights(400):
        there.append(one)
        kept = retained(there, (), Retention())
        there = [backup for backup in there if backup.id in kept]

    assert {backup.id for backup in there} == set(retained(nights(400), (), Retention()))


def test_the_newest_and_the_newest_proved_are_never_removed() -> None:
    nothing = Retention(0, 0, 0, 0, 0)
    old, new = taken(NIGHT - timedelta(days=300)), taken(NIGHT)
    older = taken(NIGHT - timedelta(days=350))

    kept = retained([older, old, new], [older.id, old.id], nothing)

    assert kept == {old.id: ("the newest that is proved",), new.id: ("the newest",)}


def test_a_backup_of_one_store_does_not_stand_in_for_one_of_everything() -> None:
    whole = taken(NIGHT - timedelta(days=100))
    media = [dataclasses.replace(taken(NIGHT - timedelta(hours=hours)), parts=(MEDIA,)) for hours in range(5)]

    kept = retained([whole, *media], (), Retention(1, 0, 0, 0, 0))

    assert set(kept) == {whole.id, media[0].id}


def test_those_taken_before_something_dangerous_are_a_class_of_their_own() -> None:
    before = [taken(NIGHT - timedelta(minutes=minutes), Label.PRE_MIGRATE) for minutes in range(30)]
    manual = taken(NIGHT - timedelta(days=2))

    kept = retained([*before, manual], (), Retention(last=1, daily=1, weekly=0, monthly=0, automatic=10))

    assert set(kept) == {one.id for one in before[:10]} | {manual.id}


def test_a_clock_that_went_back_removes_nothing_that_is_newer() -> None:
    future = taken(NIGHT + timedelta(days=30))

    assert future.id in retained([*nights(20), future], (), Retention())


def test_numbers_come_from_the_settings() -> None:
    raw = {"environments": {"prod": {"backup_keep": {"daily": 30, "monthly": 0}}}}
    assert parse_settings(raw, folder="shop").environment("prod").backup_keep == Retention(daily=30, monthly=0)
    with pytest.raises(UsageError, match=r"backup_keep\.dayly"):
        parse_settings({"environments": {"prod": {"backup_keep": {"dayly": 3}}}}, folder="shop")
    with pytest.raises(UsageError, match=r"backup_keep\.daily is not a number of at least 0"):
        parse_settings({"environments": {"prod": {"backup_keep": {"daily": -1}}}}, folder="shop")
