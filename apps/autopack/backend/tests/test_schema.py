"""The guard: which databases this version serves from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from autopack.models import Base
from autopack.schema import SchemaError, init_db, pending
from autopack.settings import PRODUCTION, Settings, SettingsError


@pytest.fixture
def bare(empty: Settings) -> Iterator[Engine]:
    opened = create_engine(empty.database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def migrated(own: Settings) -> Iterator[Engine]:
    opened = create_engine(own.database_url)
    yield opened
    opened.dispose()


def change(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_an_empty_database_is_refused_and_stays_empty(bare: Engine) -> None:
    with pytest.raises(SchemaError, match="has no schema; run: alembic upgrade head"):
        init_db(bare, bootstrap=False)
    assert inspect(bare).get_table_names() == []


def test_bootstrap_gives_an_empty_database_the_schema(bare: Engine) -> None:
    init_db(bare, bootstrap=True)
    init_db(bare, bootstrap=False)
    with bare.connect() as connection:
        assert pending(connection) == []


def test_bootstrap_leaves_alone_what_is_not_empty(bare: Engine) -> None:
    change(bare, "CREATE TABLE somebody_elses (id int)")
    with pytest.raises(SchemaError, match="lacks the migrations 0001 runs and memories"):
        init_db(bare, bootstrap=True)
    assert inspect(bare).get_table_names() == ["somebody_elses"]


def test_what_is_missing_is_refused_by_name(migrated: Engine) -> None:
    change(migrated, "ALTER TABLE memories DROP COLUMN kind")
    with pytest.raises(SchemaError, match=r"lacks column memories\.kind, though its migrations have run"):
        init_db(migrated, bootstrap=False)

    change(migrated, "DELETE FROM alembic_version")
    with pytest.raises(SchemaError, match="lacks the migrations 0001 runs and memories"):
        init_db(migrated, bootstrap=True)


def test_what_a_later_version_has_migrated_serves_unless_something_is_gone(migrated: Engine) -> None:
    """As after a rollback."""
    later = "UPDATE alembic_version SET version_num = 'ffff'"
    change(migrated, later, "ALTER TABLE memories ADD COLUMN weight int")
    init_db(migrated, bootstrap=False)

    change(migrated, "ALTER TABLE runs RENAME TO jobs")
    with pytest.raises(SchemaError, match="lacks table runs"):
        init_db(migrated, bootstrap=False)


def test_migrations_make_what_the_models_say(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


GOOD = {"DATABASE_URL": "postgresql+psycopg://autopack@db/autopack"}


def test_production_refuses_to_bootstrap() -> None:
    with pytest.raises(SettingsError, match="AUTOPACK_DB_BOOTSTRAP=1 is for development"):
        Settings.read(GOOD | {"AUTOPACK_DB_BOOTSTRAP": "1"})
    assert Settings.read(GOOD | {"AUTOPACK_DB_BOOTSTRAP": "1", "AUTOPACK_ENV": "development"}).bootstrap
    assert not Settings.read(GOOD | {"AUTOPACK_DB_BOOTSTRAP": ""}).bootstrap


@pytest.mark.parametrize(
    "wrong", [{"DATABASE_URL": ""}, {"AUTOPACK_ENV": "staging"}, {"AUTOPACK_DB_BOOTSTRAP": "yes"}]
)
def test_a_variable_that_cannot_be_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Settings.read(GOOD | wrong)


def test_production_is_the_default_and_secrets_are_not_shown() -> None:
    settings = Settings.read(GOOD | {"AUTOPACK_QDRANT_API_KEY": "hush"})
    assert settings.environment == PRODUCTION
    assert "hush" not in repr(settings)
