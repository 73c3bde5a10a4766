from flask import Flask
from flask.testing import FlaskClient

PASSWORD = "a long enough password"


def run(app: Flask, *words: str, password: str = PASSWORD) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["create-admin", *words], input=f"{password}\n")
    return done.exit_code, done.output


def signs_in(client: FlaskClient, password: str) -> bool:
    answer = client.post("/auth/login", data={"email": "ada@example.com", "password": password})
    return answer.status_code == 303


def test_an_admin_can_be_made_and_sign_in(app: Flask, client: FlaskClient) -> None:
    assert run(app, "Ada@example.com") == (0, "ada@example.com may sign in as admin.\n")
    assert signs_in(client, PASSWORD)
    assert client.get("/admin/sign-ins").status_code == 200


def test_an_account_keeps_its_password_unless_a_new_one_is_asked_for(app: Flask, client: FlaskClient) -> None:
    run(app, "ada@example.com")
    status, output = run(app, "ada@example.com", password="another long password")

    assert status == 1
    assert "--reset-password" in output
    assert signs_in(client, PASSWORD)
    assert run(app, "ada@example.com", "--reset-password", password="another long password")[0] == 0
    assert signs_in(client, "another long password")


def test_bad_passwords_and_addresses_are_refused(app: Flask, client: FlaskClient) -> None:
    assert "11 characters; 12 are needed" in run(app, "ada@example.com", password="x" * 11)[1]
    assert "ada is not an email address" in run(app, "ada")[1]
    assert not signs_in(client, "x" * 11)
