"""A password that a database reads when its volume is new, and the change of it later."""

from __future__ import annotations

import base64
import copy
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.model.initial import PASSWORD, Login, login_of, passed_over, with_initial
from deploy.model.scram import verifier
from deploy.model.stack import Stack, parse_stack
from tests.unit.examples import MODEL
from tests.unit.examples import record as a_record


def stack(**database: object) -> Stack:
    model = copy.deepcopy(MODEL)
    model["services"]["db"] |= database
    return parse_stack(model)


def test_the_role_is_the_one_the_image_makes() -> None:
    named = {"POSTGRES_PASSWORD": "x", "POSTGRES_USER": "shop"}

    assert login_of(stack().services["db"]) == Login("db", "postgres")
    assert login_of(stack(environment=named).services["db"]) == Login("db", "shop")
    assert login_of(stack(environment={}).services["db"]) is None
    assert login_of(stack(image="mariadb:11").services["db"]) is None
    assert login_of(stack().services["backend"]) is None


def test_a_server_whose_health_check_uses_the_password_has_to_know_the_new_one() -> None:
    check = {"test": ["CMD-SHELL", "PGPASSWORD=$$POSTGRES_PASSWORD psql -h 127.0.0.1 -c 'select 1'"]}

    assert login_of(stack(healthcheck=check).services["db"]) is None


def test_a_server_is_defined_with_the_password_it_was_set_up_with() -> None:
    part = f"environment.{PASSWORD}"
    wanted, record = stack(), a_record()
    services = {**record.services, "db": dataclasses.replace(record.services["db"], parts={part: "new", "image": "i"})}
    record = dataclasses.replace(record, services=services)
    known = {"db": {part: "old", "image": "i"}}

    assert [*passed_over(wanted, record, known)] == [Login("db", "postgres")]
    assert [*passed_over(wanted, record, {"db": {part: "new"}})] == []
    assert [*passed_over(wanted, record, {})] == []
    kept, kept_record = with_initial(wanted, record, known, {"db": "before$$"})
    assert kept.services["db"].environment[PASSWORD] == "before$$"
    assert kept_record.services["db"].parts == known["db"]
    assert kept.services["backend"] == wanted.services["backend"]
    assert wanted.services["db"].environment[PASSWORD] == "s3cret"


def test_what_is_sent_is_no_password() -> None:
    # the example of RFC 7677: its server signature comes from this server key
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")

    assert verifier("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
    assert verifier("a") != verifier("a")
    for password in ("ü", "a\n"):
        with pytest.raises(ValueError, match="ASCII"):
            verifier(password)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("A=b",), "a value in a command line"),
        (("TOKN",), "there is no TOKN"),
        (("UNREAD",), "no compose file reads UNREAD"),
        (("TOKEN", "--env", "dev"), "--env dev is this machine"),
        (("TOKEN",), "no host to work on for 'prod'"),
        (("BY_COMMAND",), "BY_COMMAND comes from a command"),
    ],
)
def test_what_cannot_be_rotated_is_said_before_anything_is_changed(
    tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (tmp_path / "invoke.yaml").write_text("deploy: {environments: {prod: {secrets: {BY_COMMAND: echo x}}}}\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, environment: ['TOKEN=${TOKEN}']}}\n")
    (tmp_path / ".env.prod").write_text("TOKEN=abc\nUNREAD=x\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "docker").chmod(0o755)

    done = subprocess.run(
        [str(Path(sys.executable).parent / "inv"), "env.rotate", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
    )

    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / ".env.prod").read_text() == "TOKEN=abc\nUNREAD=x\n"
