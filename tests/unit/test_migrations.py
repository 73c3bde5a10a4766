"""Migrations by name, and the way back from them. The outputs are real ones."""

from __future__ import annotations

import dataclasses

import pytest

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome, Ran
from deploy.model.migrations import (
    Alembic,
    Django,
    Framework,
    Schema,
    framework_of,
    migrated_since,
    taken_back,
    way_back,
)
from tests.unit.examples import NOW

DJANGO = Django(Command("python", "manage.py"), ())
ALEMBIC = Alembic(Command("alembic"))


@pytest.mark.parametrize(
    ("command", "framework"),
    [
        ("python manage.py migrate --noinput", DJANGO),
        (
            "uv run ./manage.py migrate --database=other --settings a.b",
            Django(Command("uv", "run", "./manage.py"), ("--database=other", "--settings", "a.b")),
        ),
        ("django-admin migrate", Django(Command("django-admin"), ())),
        ("alembic upgrade head", ALEMBIC),
        ("python -m alembic -c db.ini upgrade head", Alembic(Command("python", "-m", "alembic", "-c", "db.ini"))),
        ("flask db upgrade", Alembic(Command("flask", "db"))),
        (
            "python -m flask --app web:make db upgrade -d other/migrations --sql",
            Alembic(Command("python", "-m", "flask", "--app", "web:make", "db"), ("-d", "other/migrations")),
        ),
        ("flask db init", None),
        ("make db upgrade", None),
        ("python manage.py loaddata", None),
        ("rails db:migrate", None),
    ],
)
def test_frameworks_are_known_by_their_command(command: str, framework: object) -> None:
    assert framework_of(command.split()) == framework


def test_django_names_what_is_pending_and_where_it_stands() -> None:
    shown = (
        "[X]  contenttypes.0001_initial\n[X]  shop.0001_initial\n[X]  shop.0002_prices\n"
        "[ ]  shop.0003_wish\n[ ]  mail.0001_initial\n[ ]  shop.0004_more\n"
    )
    found = DJANGO.schema([shown])

    assert found == Schema(
        ("shop.0003_wish", "mail.0001_initial", "shop.0004_more"), {"shop": "0002_prices", "mail": "zero"}
    )
    assert [str(command) for command in DJANGO.ways_back(found.before)] == [
        "python manage.py migrate shop 0002_prices --noinput",
        "python manage.py migrate mail zero --noinput",
    ]
    assert DJANGO.schema(["[X]  shop.0001_initial\n"]) == Schema((), {})


def test_django_says_beforehand_what_it_cannot_take_back() -> None:
    planned = (
        "Planned operations:\nshop.0004_more\n    Raw Python operation -> IRREVERSIBLE\n"
        "shop.0003_wish\n    Undo Create model Wish\n    Raw SQL operation -> ['DROP TABLE wish']\n"
    )
    assert DJANGO.hindrances(planned) == ("shop.0004_more",)


def test_alembic_names_what_is_pending_and_where_it_stands() -> None:
    history = "a27180a73181 -> 8de5a201fe74 (head), second, more\n<base> -> a27180a73181, first thing\n"

    assert ALEMBIC.schema(["a27180a73181\n", history]) == Schema(
        ("8de5a201fe74 second, more",), {"revision": "a27180a73181"}
    )
    assert ALEMBIC.schema(["", history]) == Schema(
        ("a27180a73181 first thing", "8de5a201fe74 second, more"), {"revision": "base"}
    )
    assert ALEMBIC.schema(["8de5a201fe74 (head)\n", history.splitlines()[0]]) == Schema((), {})
    assert ALEMBIC.ways_back({"revision": "a27180a73181"}) == (Command("alembic", "downgrade", "a27180a73181"),)


@pytest.mark.parametrize(
    ("framework", "path", "text", "name"),
    [
        (DJANGO, "shop/migrations/0003_wish.py", "", "shop.0003_wish"),
        (DJANGO, "src/apps/mail/migrations/initial.py", "", "mail.initial"),
        (DJANGO, "shop/migrations/__init__.py", "", ""),
        (DJANGO, "shop/migrations/sub/0001.py", "", ""),
        (DJANGO, "shop/models.py", "", ""),
        (
            ALEMBIC,
            "migrations/versions/8de5_second.py",
            '"""second, more\n\nRevision ID: 8de5a201fe74\n"""\nrevision = "8de5a201fe74"\ndown_revision = "a2"\n',
            "8de5a201fe74 second, more",
        ),
        (ALEMBIC, "versions/a2.py", "revision: str = 'a2'\n", "a2"),
        (ALEMBIC, "versions/__init__.py", "", ""),
        (ALEMBIC, "migrations/env.py", 'revision = "x"', ""),
    ],
)
def test_migrations_are_known_by_their_files(framework: Framework, path: str, text: str, name: str) -> None:
    assert framework.name_of(path, lambda: text) == name


def test_a_merge_is_named_and_said_to_have_no_way_back() -> None:
    history = "a1, b1 -> c1 (head) (mergepoint), merge\nbase -> a1 (branchpoint), a\n"

    assert ALEMBIC.schema(["a1\nb1\n", history]) == Schema(("c1 merge",), {})


def test_flask_migrate_is_asked_as_alembic_is() -> None:
    flask = Alembic(Command("flask", "db"), ("-d", "other"))

    assert [str(command) for command in (*flask.looks, *flask.ways_back({"revision": "base"}))] == [
        "flask db current -d other",
        "flask db history -d other -r current:head",
        "flask db downgrade -d other base",
    ]


def entry(release: str, *names: str, before: str = "", **changes: object) -> Entry:
    ran = (Ran("backend", names, {"shop": before} if before else {}),) if names else ()
    made = Entry(NOW, Outcome.DEPLOYED, release, "ada@laptop", migrated=bool(names), migrations=ran, backup="b1")
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


R1, R2 = entry("r1"), entry("r2", "shop.0002", before="0001")
R3, R4 = entry("r3", "shop.0003", before="0002"), entry("r4")
BACK = entry("r1", outcome=Outcome.ROLLED_BACK, reversed=True)


def test_the_way_back_leads_to_the_schema_before_the_oldest_change() -> None:
    since = migrated_since((R1, R2, R3, R4), "r1")

    assert since == (R2, R3)
    assert way_back(since, "r4") == {"backend": {"shop": "0001"}}
    assert way_back(migrated_since((R1, R2, R3, R4), "r2"), "r4") == {"backend": {"shop": "0002"}}
    assert migrated_since((R1, R2, R3, R4), "r3") == ()


def test_what_was_taken_back_is_not_taken_back_again() -> None:
    assert migrated_since((R1, R2, R3, BACK), "r1") == ()
    assert taken_back((R1, R2, R3, BACK), "r3") == ("shop.0002", "shop.0003")
    assert taken_back((R1, R2, R3, BACK), "r1") == ()
    again = entry("r5", "shop.0002", "shop.0003", before="0001")
    assert taken_back((R1, R2, R3, BACK, again), "r3") == ()
    assert migrated_since((R1, R2, R3, BACK, again), "r1") == (again,)


def test_a_way_back_that_is_not_known_is_refused() -> None:
    with pytest.raises(DeployError, match="how r2 can be taken back is not known"):
        way_back((dataclasses.replace(R2, migrations=()),), "r4")
    with pytest.raises(DeployError, match="r3 failed after it had migrated: r2, which is live, does not know"):
        way_back((R2, dataclasses.replace(R3, outcome=Outcome.FAILED)), "r2")
