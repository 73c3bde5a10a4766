"""`env.*` on a project's own files. Without Docker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

INV = Path(sys.executable).parent / "inv"
NASTY = 'it\'s "$HOME" \\ # ü\nand more'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, environment: ['A=${A}', 'TOKEN=${TOKEN}']}}\n")
    (tmp_path / ".env.example").write_text("# what it is\nTOKEN=<random:20>\nA=1\n")
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    return tmp_path


def run(folder: Path, *words: str, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(INV), *words],
        cwd=folder,
        capture_output=True,
        check=False,
        input=given or b"",
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err
    return subprocess.CompletedProcess(words, done.returncode, out, err)


def test_a_file_is_made_once_and_never_again(project: Path) -> None:
    done = run(project, "env.init")
    file = project / ".env.prod"

    assert "with generated values for TOKEN" in done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    made = file.read_text()
    again = run(project, "env.init")
    assert (again.returncode, file.read_text()) == (2, made)
    assert ".env.prod is there already" in again.stderr
    assert run(project, "env.check").returncode == 0


def test_a_value_goes_in_over_standard_input_and_comes_out_again(project: Path) -> None:
    run(project, "env.init")
    (project / ".env.prod").chmod(0o644)

    done = run(project, "env.set", "TOKEN", given=f"{NASTY}\n".encode())

    assert done.returncode == 0, done.stderr
    assert "ü" not in done.stderr + done.stdout
    assert (project / ".env.prod").stat().st_mode & 0o777 == 0o600
    assert run(project, "env.get", "TOKEN").stdout == f"{NASTY}\n"
    assert run(project, "env.set", "TOKEN", given=NASTY.encode()).stderr.startswith("TOKEN has that value")
    text = (project / ".env.prod").read_text()
    assert text.startswith("# what it is\nTOKEN=")
    assert run(project, "env.unset", "TOKEN").returncode == 0
    assert (project / ".env.prod").read_text() == "# what it is\nA=1\n"
    assert [one.name for one in project.iterdir() if one.name.startswith("..env")] == [], "nothing half-written"


def test_a_link_to_a_file_elsewhere_stays_one(project: Path) -> None:
    (project / "elsewhere").write_text("A=1\n")
    (project / ".env.prod").symlink_to("elsewhere")

    run(project, "env.set", "A", given=b"2")

    assert (project / ".env.prod").is_symlink()
    assert (project / "elsewhere").read_text() == "A=2\n"


@pytest.mark.parametrize(
    ("words", "given", "message", "remedy"),
    [
        (("env.set", "TOKEN=hunter2"), None, "a value in a command line is seen", "inv env.set TOKEN asks for"),
        (("env.set", "1A"), None, "'1A' cannot be the name of a variable", "use letters"),
        (("env.set", "TOKEN"), b"", "nothing came over standard input", "| inv env.set TOKEN"),
        (("env.set", "TOKEN"), b"\xff", "the value is not UTF-8", "base64"),
        (("env.set", "TOKEN"), b"a\0b", "a value cannot hold a NUL", "base64"),
        (("env.unset", "TOKN"), None, ".env.prod: there is no TOKN", "inv env.check"),
        (("env.get", "TOKN"), None, ".env.prod: there is no TOKN", "did you mean 'TOKEN'?"),
        (("env.get", "A", "--env", "dev"), None, "there is no .env", "inv env.init --env dev"),
        (("env.diff", "--against", "dev"), None, "there is no .env", "inv env.init --env dev"),
        (("env.diff", "--against", "dev", "--host", "x"), None, "two different things", "leave one out"),
        (("env.check", "--env", "pord"), None, "there is no environment 'pord'", "did you mean 'prod'?"),
    ],
)
def test_a_mistake_changes_nothing_and_says_what_to_do(
    project: Path, words: tuple[str, ...], given: bytes | None, message: str, remedy: str
) -> None:
    (project / ".env.prod").write_text("TOKEN=abc9\nA=1\n")

    done = run(project, *words, given=given)

    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert remedy in done.stderr
    assert "hunter2" not in done.stderr
    assert done.stdout == ""
    assert (project / ".env.prod").read_text() == "TOKEN=abc9\nA=1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"A=1\nTOKEN='abc", ".env.prod:2: TOKEN: the value's ' is never closed"),
        (b"A=1\nTOKEN=gr\xfcn\n", ".env.prod:2: byte 0xfc is not UTF-8"),
        (b"a line\n", ".env.prod:1: there is no '=' in this line"),
    ],
)
@pytest.mark.parametrize("words", [("env.check",), ("env.set", "A")])
def test_a_file_that_compose_would_not_read_is_left_alone(
    project: Path, content: bytes, message: str, words: tuple[str, ...]
) -> None:
    (project / ".env.prod").write_bytes(content)

    done = run(project, *words, given=b"2")

    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert (project / ".env.prod").read_bytes() == content


def test_what_is_wrong_is_told_to_people_and_to_scripts(project: Path) -> None:
    (project / ".env.prod").write_text("A=1\nA=2\nTOKN=abc\n")
    (project / ".env.prod").chmod(0o640)

    told, json_told = run(project, "env.check"), run(project, "env.check", "--json")

    assert told.returncode == json_told.returncode == 1
    assert "✗ .env.prod:2: A stands in line 1 too; this one counts → remove one of them" in told.stdout
    assert "! .env.prod: others on this machine may read it (mode 0640) → chmod 600 .env.prod" in told.stdout
    assert "3 problems in .env.prod" in told.stderr
    found = json.loads(json_told.stdout)["findings"]
    assert {(one["kind"], one["name"]) for one in found} == {
        ("mode", ""),
        ("missing", "TOKEN"),
        ("duplicate", "A"),
        ("unknown", "TOKN"),
    }
    assert next(one for one in found if one["name"] == "TOKN")["remedy"] == "did you mean 'TOKEN'?"


def test_two_environments_are_compared_without_a_value(project: Path) -> None:
    (project / ".env.prod").write_text("TOKEN=abc9\nA=1\nB=x\n")
    (project / ".env").write_text("TOKEN=abc8\nA=1\n")

    done = run(project, "env.diff", "--against", "dev")

    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["variable", "B", "TOKEN"]
    assert "abc" not in done.stdout + done.stderr
    assert "dev: 2 different, 1 the same." in done.stderr
