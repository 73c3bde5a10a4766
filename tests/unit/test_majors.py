"""Which version a database's data and its image have, and what is said where they are not the same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from deploy.data.clusters import initdb_options
from deploy.model.checks import check_majors
from deploy.model.clusters import Majors, data_mount, parse_majors, runs_postgres, tag_major, volume_of
from deploy.model.errors import DeployError, UsageError
from deploy.model.stack import Service, parse_stack
from tests.unit.examples import MODEL

TEMPLATE = {"datcollate": "en_US.utf8", "datctype": "en_US.utf8", "datlocprovider": "c"}


def database(**changes: Any) -> Service:
    model = copy.deepcopy(MODEL)
    model["services"]["db"] |= changes
    return parse_stack(model).services["db"]


def test_the_same_version_or_one_that_is_not_known_is_no_problem() -> None:
    fitting = [Majors("a", 17, 17), Majors("b", None, 17), Majors("c", 15, None)]

    assert list(check_majors(fitting, "")) == []


def test_a_newer_image_is_a_problem_that_names_both_versions_and_what_to_type() -> None:
    (problem,) = check_majors([Majors("db", 15, 17)], " --env prod --host app1")

    assert problem.fatal
    assert problem.message.startswith("db: the data is PostgreSQL 15's and the image is PostgreSQL 17")
    assert problem.remedy.startswith("inv db.upgrade --env prod --host app1 --service db brings the data to 17")
    assert problem.path == ("services", "db", "image")


def test_an_older_image_leads_to_the_way_back() -> None:
    (problem,) = check_majors([Majors("db", 17, 15)], "")

    assert "no server reads newer data" in problem.remedy
    assert "inv db.upgrade --back" in problem.remedy


@pytest.mark.parametrize(
    ("reference", "major"),
    [
        ("postgres:17", 17),
        ("postgres:17.2-alpine3.20", 17),
        ("registry:5000/team/postgres:16@sha256:abc", 16),
        ("postgis/postgis:16-3.4", 16),
        ("pgvector/pgvector:pg17", 17),
        ("pgvector/pgvector:0.8.0-pg17", 17),
        ("timescale/timescaledb:2.17.2-pg16", 16),
        ("timescale/timescaledb:2.17.2", None),
        ("postgres:latest", None),
        ("postgres", None),
    ],
)
def test_a_tag_says_its_version_or_nothing(reference: str, major: int | None) -> None:
    assert tag_major(reference) == major


def test_what_the_machine_said_is_read() -> None:
    found = parse_majors("db\t15\t17\tshop_pg\nother\t-\t-\t-\n")

    assert found == {"db": Majors("db", 15, 17, "shop_pg"), "other": Majors("other", None, None)}
    with pytest.raises(DeployError):
        parse_majors("Cannot connect to the Docker daemon\n")


def test_the_volume_with_the_data_is_found_by_where_it_is_mounted() -> None:
    service = database()
    mount = data_mount(service)

    assert runs_postgres(service)
    assert mount
    assert mount["target"] == "/var/lib/postgresql/data"
    assert volume_of(service, {"volumes": {"pg": {"name": "shop_pg"}}}) == "shop_pg"


def test_images_of_18_have_it_a_folder_above() -> None:
    service = database(volumes=[{"type": "volume", "source": "pg", "target": "/var/lib/postgresql"}])

    assert data_mount(service)


def test_pgdata_says_where_it_is() -> None:
    volumes = [
        {"type": "volume", "source": "run", "target": "/var/lib/postgresql"},
        {"type": "volume", "source": "pg", "target": "/pg"},
    ]
    service = database(environment={"PGDATA": "/pg/data"}, volumes=volumes)

    assert volume_of(service, {}) == "pg"


@pytest.mark.parametrize("volumes", [[], [{"type": "bind", "source": "/src/pg", "target": "/var/lib/postgresql/data"}]])
def test_a_folder_or_nothing_is_no_volume(volumes: list[dict[str, str]]) -> None:
    assert volume_of(database(volumes=volumes), {}) == ""


def test_initdb_is_told_encoding_and_locale() -> None:
    assert initdb_options(TEMPLATE, "UTF8", checksums=True) == (
        "--encoding=UTF8",
        "--lc-collate=en_US.utf8",
        "--lc-ctype=en_US.utf8",
        "--data-checksums",
    )


@pytest.mark.parametrize("column", ["daticulocale", "datlocale"])
def test_initdb_is_told_the_provider_of_icu(column: str) -> None:
    """The column had another name in 15 and 16."""
    options = initdb_options(TEMPLATE | {"datlocprovider": "i", column: "de-DE"}, "UTF8", checksums=False)

    assert options[-2:] == ("--locale-provider=icu", "--icu-locale=de-DE")


def test_a_locale_that_is_more_than_a_word_is_refused() -> None:
    with pytest.raises(UsageError):
        initdb_options(TEMPLATE | {"datcollate": "C' --pwfile=/etc/shadow"}, "UTF8", checksums=False)
