"""Databases and collections of the tests' own, on the servers that development uses."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from alembic import command
from alembic.config import Config
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine, make_url, text

from autopack.database import connect
from autopack.main import create_app
from autopack.memory import Memories
from autopack.schema import CONFIG
from autopack.settings import DEVELOPMENT, Settings
from autopack.vectors import Vectors


@contextmanager
def new_database() -> Iterator[Settings]:
    """A database as the init script leaves it, with no table; gone afterwards."""
    given = Settings.read()
    name = f"test_{secrets.token_hex(4)}"
    url = make_url(given.database_url).set(database=name).render_as_string(hide_password=False)
    server = create_engine(given.database_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    try:
        change(url, 'CREATE EXTENSION "uuid-ossp"')
        yield Settings(DEVELOPMENT, url, False, given.qdrant_url, given.qdrant_api_key, reconcile_s=0.2)
    finally:
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        server.dispose()


def change(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def migrate(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        config = Config(CONFIG)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()


@pytest.fixture
def empty() -> Iterator[Settings]:
    """A database without any table, for one test."""
    with new_database() as made:
        yield made


@pytest.fixture
def own(empty: Settings) -> Settings:
    """A database with the schema, which one test may change."""
    migrate(empty.database_url)
    return empty


@pytest.fixture(scope="session")
def shared() -> Iterator[Settings]:
    with new_database() as made:
        migrate(made.database_url)
        yield made


@pytest.fixture
def settings(shared: Settings) -> Iterator[Settings]:
    """A database with the schema and nothing in it, and the name of a collection that is not there."""
    change(shared.database_url, "TRUNCATE runs, memories")
    given = dataclasses.replace(shared, collection_prefix=f"test-{secrets.token_hex(4)}")
    yield given
    vectors = Vectors(given.qdrant_url, given.qdrant_api_key, given.collection_prefix)
    vectors.drop()
    vectors.close()


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    opened = connect(settings.database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def vectors(settings: Settings) -> Iterator[Vectors]:
    opened = Vectors(settings.qdrant_url, settings.qdrant_api_key, settings.collection_prefix)
    opened.ensure()
    yield opened
    opened.close()


@pytest.fixture
def memories(engine: Engine, vectors: Vectors) -> Memories:
    return Memories(engine, vectors)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as opened:
        yield opened
