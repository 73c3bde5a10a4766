from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from website import workouts
from website.version import APP_VERSION


def add(client: FlaskClient, **fields: Any) -> Any:
    return client.post("/api/workouts", json={"activity": "Running", "minutes": 30} | fields)


def test_the_version_is_told_and_not_cached(client: FlaskClient) -> None:
    answer = client.get("/api/version")

    assert answer.json == {"version": APP_VERSION}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_workout_comes_back_in_its_week(client: FlaskClient) -> None:
    made = add(client, day="2026-03-15", note=" along the river ")
    add(client, day="2026-03-16")

    assert made.status_code == 201
    assert made.json == {
        "id": 1,
        "day": "2026-03-15",
        "activity": "Running",
        "minutes": 30,
        "note": "along the river",
        "photo": None,
    }
    assert client.get("/api/workouts?week=2026-03-11").json == [made.json]


def test_a_workout_without_a_day_is_todays(client: FlaskClient) -> None:
    assert add(client).json["day"] == workouts.today().isoformat()
    assert len(client.get("/api/workouts").json) == 1


def test_a_long_week_is_cut(client: FlaskClient) -> None:
    for _ in range(workouts.MOST_SHOWN + 1):
        add(client, day="2026-03-15")

    found = client.get("/api/workouts?week=2026-03-15").json
    assert len(found) == workouts.MOST_SHOWN
    assert found[0]["id"] == workouts.MOST_SHOWN + 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"activity": ""}, "activity"),
        ({"activity": "  "}, "activity"),
        ({"activity": "x" * 61}, "activity"),
        ({"activity": 7}, "activity"),
        ({"activity": "nul\0"}, "activity"),
        ({"note": "x" * 501}, "note"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1441}, "minutes"),
        ({"minutes": "30"}, "minutes"),
        ({"minutes": True}, "minutes"),
        ({"day": "15.3.2026"}, "day"),
        ({"day": 15}, "day"),
    ],
)
def test_what_is_wrong_is_told_by_field(client: FlaskClient, fields: dict[str, Any], field: str) -> None:
    answer = add(client, **fields)

    assert answer.status_code == 400
    assert list(answer.json["errors"]) == [field]
    assert client.get("/api/workouts?week=2026-03-15").json == []


def test_what_is_no_workout_at_all_is_refused(client: FlaskClient) -> None:
    assert client.post("/api/workouts", json=[1]).status_code == 400
    assert client.post("/api/workouts", data="activity=x").status_code == 415
    assert client.get("/api/workouts?week=soon").status_code == 400
    assert client.get("/api/nothing").status_code == 404


def test_the_advice_counts_this_week(client: FlaskClient) -> None:
    left = client.get("/api/advice").json["minutes_left"]
    add(client, minutes=20)
    add(client, minutes=20, day=(workouts.today() - timedelta(days=7)).isoformat())

    assert client.get("/api/advice").json["minutes_left"] == left - 20
