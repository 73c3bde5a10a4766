from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.middleware.proxy_fix import ProxyFix

from tests.conftest import PASSWORD
from website.database import db
from website.models import SignIn, User, now


def sign_in(client: FlaskClient, email: str, password: str, **more: object) -> int:
    return client.post("/auth/login", data={"email": email, "password": password}, **more).status_code


def attempts(app: Flask) -> list[tuple[str, str, bool]]:
    with app.app_context():
        found = db.session.scalars(select(SignIn).order_by(SignIn.id))
        return [(one.email, one.address, one.succeeded) for one in found]


def test_signing_in_shows_the_forms_and_signing_out_hides_them(admin: FlaskClient) -> None:
    admin.post("/api/workouts", json={"activity": "Running", "minutes": 30})

    assert "Sign out ada@example.com" in admin.get("/").text
    assert "Add the photo" in admin.get("/").text
    assert admin.post("/auth/logout").status_code == 303
    assert "Add the photo" not in admin.get("/").text


def test_every_attempt_is_kept_and_shown_to_admins(app: Flask, admin: FlaskClient) -> None:
    assert sign_in(app.test_client(), "Ada@Example.com", "wrong") == 401
    assert sign_in(app.test_client(), "nobody@example.com", PASSWORD) == 401

    assert attempts(app) == [
        ("ada@example.com", "127.0.0.1", True),
        ("ada@example.com", "127.0.0.1", False),
        ("nobody@example.com", "127.0.0.1", False),
    ]
    assert "nobody@example.com" in admin.get("/admin/sign-ins").text


def test_others_than_admins_do_not_see_them(app: Flask, admin: FlaskClient) -> None:
    with app.app_context():
        db.session.execute(update(User).values(is_admin=False))
        db.session.commit()

    assert admin.get("/admin/sign-ins").status_code == 403


def test_old_attempts_are_forgotten(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        db.session.add(SignIn(email="old@example.com", address="", succeeded=False, at=now() - timedelta(days=91)))
        db.session.commit()
    sign_in(client, "new@example.com", "wrong")

    assert [email for email, _, _ in attempts(app)] == ["new@example.com"]


def test_the_address_is_the_last_one_that_our_own_proxy_saw(app: Flask, client: FlaskClient) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.1, 198.51.100.7", "X-Forwarded-Proto": "https"}
    sign_in(client, "a@example.com", "wrong", headers=forwarded)
    inner, app.wsgi_app = app.wsgi_app, ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    try:
        sign_in(client, "b@example.com", "wrong", headers=forwarded)
    finally:
        app.wsgi_app = inner  # type: ignore[method-assign]

    assert [address for _, address, _ in attempts(app)] == ["127.0.0.1", "198.51.100.7"]


def test_cookies_are_secure_where_the_page_is(admin: FlaskClient) -> None:
    login = {"email": "ada@example.com", "password": PASSWORD}
    plain = admin.post("/auth/login", data=login).headers["Set-Cookie"]
    safe = admin.post("/auth/login", data=login, base_url="https://localhost").headers["Set-Cookie"]

    assert "HttpOnly" in plain
    assert "SameSite=Lax" in plain
    assert "Secure" not in plain
    assert "Secure" in safe


def test_a_form_without_its_token_is_refused(app: Flask, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        assert sign_in(client, "a@example.com", "wrong") == 400
        assert client.post("/api/workouts", json={"activity": "Running", "minutes": 1}).status_code == 201
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert attempts(app) == []
