"""A database of the tests' own beside the real one, brought to the newest schema by the migrations themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from werkzeug.security import generate_password_hash

from website import create_app
from website.database import db
from website.models import User

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def database() -> Iterator[URL]:
    """Its address. It is made anew and removed afterwards."""
    real = create_app().config["SQLALCHEMY_DATABASE_URI"]
    url = real.set(database=f"{real.database}_test")
    server = create_engine(real, isolation_level="AUTOCOMMIT")
    drop = text(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)')
    with server.connect() as connection:
        connection.execute(drop)
        connection.execute(text(f'CREATE DATABASE "{url.database}"'))
    yield url
    with server.connect() as connection:
        connection.execute(drop)
    server.dispose()


@pytest.fixture(scope="session")
def migrated(database: URL) -> Iterator[Flask]:
    app = create_app({"SQLALCHEMY_DATABASE_URI": database, "TESTING": True, "WTF_CSRF_ENABLED": False})
    with app.app_context():
        upgrade()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(migrated: Flask, tmp_path: Path) -> Flask:
    """The application over empty tables and an empty folder of uploads."""
    migrated.config["UPLOAD_FOLDER"] = str(tmp_path / "uploads")
    with migrated.app_context():
        names = ", ".join(table.name for table in db.metadata.sorted_tables)
        db.session.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        db.session.commit()
    return migrated


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def admin(app: Flask, client: FlaskClient) -> FlaskClient:
    """A client that is signed in as admin."""
    with app.app_context():
        user = User(email="ada@example.com", password_hash=generate_password_hash(PASSWORD), is_admin=True)
        db.session.add(user)
        db.session.commit()
    answer = client.post("/auth/login", data={"email": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 303
    return client
