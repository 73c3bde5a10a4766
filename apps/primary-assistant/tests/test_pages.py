import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from website import statics
from website.version import APP_VERSION

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def add(client: FlaskClient, activity: str = "Running") -> int:
    answer = client.post("/api/workouts", json={"activity": activity, "minutes": 30})
    number: int = answer.json["id"]  # type: ignore[index]
    return number


def send(client: FlaskClient, number: int, content: bytes, name: str = "a.png") -> int:
    form = {"photo": (io.BytesIO(content), name)}
    return client.post(f"/workouts/{number}/photo", data=form).status_code


def uploads(app: Flask) -> list[Path]:
    return list(Path(app.config["UPLOAD_FOLDER"]).glob("*"))


def test_the_page_shows_the_week_and_escapes_it(client: FlaskClient) -> None:
    add(client, "<b>Rowing</b>")
    page = client.get("/").text

    assert "&lt;b&gt;Rowing&lt;/b&gt;" in page
    assert f"Primary Assistant {APP_VERSION}" in page
    assert "Set-Cookie" not in client.get("/").headers


def test_static_files_have_a_digest_in_their_address(client: FlaskClient) -> None:
    address = re.search(r'href="(/static/([0-9a-f]{12})/style\.css)"', client.get("/").text)

    assert address
    assert address[2] == statics.digest()
    with client.get(address[1]) as answer:
        assert answer.mimetype == "text/css"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PNG, "png"), (b"\xff\xd8\xff\xe0", "jpg"), (b"GIF89a", "gif"), (b"RIFF0000WEBPVP8 ", "webp")],
    ids=["png", "jpg", "gif", "webp"],
)
def test_a_photo_is_kept_as_what_it_is_and_shown(app: Flask, admin: FlaskClient, content: bytes, kind: str) -> None:
    number = add(admin)

    assert send(admin, number, content, "../../evil.html") == 303

    (file,) = uploads(app)
    assert re.fullmatch(rf"[0-9a-f]{{32}}\.{kind}", file.name)
    with admin.get(f"/uploads/{file.name}") as shown:
        assert shown.data == content
        assert "max-age=604800" in shown.headers["Cache-Control"]
    assert f'src="/uploads/{file.name}"' in admin.get("/").text


def test_what_is_no_photo_is_refused(app: Flask, admin: FlaskClient) -> None:
    number = add(admin)

    assert send(admin, number, b"<html>", "a.png") == 415
    assert admin.post(f"/workouts/{number}/photo").status_code == 400
    assert send(admin, number + 1, PNG) == 404
    assert uploads(app) == []


def test_more_than_ten_megabytes_are_refused(app: Flask, admin: FlaskClient) -> None:
    number = add(admin)

    assert send(admin, number, PNG + b"\0" * 10 * 1024 * 1024) == 413
    assert send(admin, number, PNG + b"\0" * 9 * 1024 * 1024) == 303


def test_photos_go_with_what_they_show(app: Flask, admin: FlaskClient) -> None:
    number = add(admin)
    send(admin, number, PNG)
    send(admin, number, PNG)
    assert len(uploads(app)) == 1

    assert admin.post(f"/workouts/{number}/delete").status_code == 303

    assert uploads(app) == []
    assert admin.get("/api/workouts").json == []


def test_strangers_change_nothing(app: Flask, client: FlaskClient) -> None:
    number = add(client)

    assert send(client, number, PNG) == 401
    assert client.post(f"/workouts/{number}/delete").status_code == 401
    assert client.get("/admin/sign-ins").status_code == 401
    assert len(client.get("/api/workouts").json or ()) == 1
