import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import check, downgrade, upgrade
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from website.database import db
from website.models import Workout
from website.version import APP_VERSION


def test_the_migrations_lead_to_the_models(app: Flask) -> None:
    with app.app_context():
        check()


def test_the_migrations_lead_back(app: Flask) -> None:
    with app.app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        assert inspect(db.engine).has_table(Workout.__tablename__)


def test_health_is_the_databases(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "ok", "version": APP_VERSION}


def test_without_the_database_nobody_is_healthy(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone: a secret"))

    monkeypatch.setattr(db.session, "execute", fail)
    answer = client.get("/health")

    assert answer.status_code == 503
    assert answer.json == {"status": "unavailable"}
