from datetime import date, timedelta

import pytest

from website.assistant import Advice, advise, week_of

MONDAY = date(2026, 3, 16)
SUNDAY = MONDAY + timedelta(days=6)


def test_a_week_goes_from_monday_to_sunday() -> None:
    assert week_of(MONDAY) == week_of(SUNDAY) == week_of(date(2026, 3, 18)) == (MONDAY, SUNDAY)


@pytest.mark.parametrize(
    ("done", "day", "left", "minutes"),
    [
        (0, MONDAY, 150, 25),
        (148, MONDAY, 2, 2),
        (60, SUNDAY - timedelta(days=1), 90, 45),
        (60, SUNDAY, 90, 90),
        (150, MONDAY, 0, 0),
        (400, SUNDAY, 0, 0),
    ],
)
def test_what_is_left_is_spread_over_the_days_that_are_left(done: int, day: date, left: int, minutes: int) -> None:
    advice = advise(done, (), day)

    assert (advice.minutes_left, advice.minutes_today) == (left, minutes)


def test_three_days_in_a_row_are_followed_by_one_of_rest() -> None:
    friday = MONDAY + timedelta(days=4)
    trained = {friday - timedelta(days=days) for days in (1, 2, 3)}

    assert advise(90, trained, friday) == Advice(60, 0, "Rest today. 60 minutes are left for this week.")
    assert advise(90, trained - {friday - timedelta(days=2)}, friday).minutes_today == 20


def test_nobody_rests_on_the_last_day_with_minutes_left() -> None:
    trained = {SUNDAY - timedelta(days=days) for days in (1, 2, 3)}

    assert advise(100, trained, SUNDAY).minutes_today == 50
