"""Which server a data service is, and where its credentials come from."""

from __future__ import annotations

import pytest

from deploy.model.findings import credentials_of


@pytest.mark.parametrize(
    ("image", "environment", "raw", "text", "password"),
    [
        ("postgres:17", {}, {}, "PostgreSQL, user postgres, database postgres", "no password is set"),
        (
            "pgvector/pgvector:pg17",
            {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "s3cret"},
            {"POSTGRES_PASSWORD": "${DB_PASSWORD:-s3cret}"},
            "PostgreSQL, user shop, database shop",
            "password from DB_PASSWORD",
        ),
        (
            "postgres",
            {"POSTGRES_PASSWORD_FILE": "/run/secrets/db", "POSTGRES_DB": "example"},
            {},
            "PostgreSQL, user postgres, database example",
            "password in the file /run/secrets/db",
        ),
        (
            "postgres",
            {"POSTGRES_HOST_AUTH_METHOD": "trust"},
            {},
            "PostgreSQL, user postgres, database postgres",
            "no password (POSTGRES_HOST_AUTH_METHOD)",
        ),
        (
            "mysql:8",
            {"MYSQL_ROOT_PASSWORD": "s3cret", "MYSQL_DATABASE": "example"},
            {"MYSQL_ROOT_PASSWORD": "s3cret"},
            "MySQL, user root, database example",
            "password written as MYSQL_ROOT_PASSWORD in the compose file",
        ),
        (
            "mariadb:11",
            {"MARIADB_USER": "web", "MARIADB_ROOT_PASSWORD": ""},
            {"MARIADB_ROOT_PASSWORD": ""},
            "MariaDB, user web",
            "MARIADB_ROOT_PASSWORD is blank",
        ),
        ("mongo", {}, {}, "MongoDB", "no password is set"),
        ("redis:7", {}, {}, "Redis", "no password is set"),
        ("acme/search", {"X": "1"}, {}, "search", ""),
    ],
)
def test_credentials_come_from_what_the_image_is_set_up_by(
    image: str, environment: dict[str, str], raw: dict[str, str], text: str, password: str
) -> None:
    found = credentials_of(image, environment, raw)

    assert (str(found), found.password) == (text, password)
    assert "s3cret" not in repr(found)
