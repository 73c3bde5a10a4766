"""Our reader of env files against compose itself; no container is started."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from deploy.engine.compose import ComposeProject
from deploy.engine.held import Held
from deploy.model.envfile import parse, quoted, read, with_value
from deploy.model.errors import UsageError
from deploy.shell import LocalShell
from tests.unit.envfiles import ENVIRON, NASTY, READ, REFUSED


def compose(folder: Path, content: str, names: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """`docker compose config` of a service that asks for these names."""
    service = {"image": "x", "environment": list(names)}
    (folder / "compose.yaml").write_text(json.dumps({"services": {"one": service}}))
    (folder / "x.env").write_bytes(content.encode())
    return subprocess.run(
        ["docker", "compose", "--env-file", "x.env", "config", "--format", "json"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | ENVIRON,
        capture_output=True,
        text=True,
        check=False,
    )


def composed(folder: Path, content: str, names: Iterable[str]) -> dict[str, str | None]:
    done = compose(folder, content, names)
    assert done.returncode == 0, done.stderr
    environment = json.loads(done.stdout)["services"]["one"]["environment"]
    return {name: value if value is None else value.replace("$$", "$") for name, value in environment.items()}


@pytest.mark.parametrize(("text", "expected"), READ)
def test_compose_reads_what_we_say_it_reads(tmp_path: Path, text: str, expected: dict[str, str | None]) -> None:
    names = [*expected, *(one.name for one in parse(text, ".env") if one.name)]
    ours: dict[str, str | None] = dict.fromkeys(names)

    assert composed(tmp_path, text, names) == ours | dict(read(text, ENVIRON, ".env")) | {
        name: value for name, value in ENVIRON.items() if name in names
    }
    assert {name: composed(tmp_path, text, names)[name] for name in expected} == expected


@pytest.mark.parametrize(("text", "line", "what"), REFUSED)
def test_compose_refuses_what_we_refuse(tmp_path: Path, text: str, line: int, what: str) -> None:
    done = compose(tmp_path, text, ["K"])

    assert done.returncode, "compose reads this"


def test_values_that_we_write_are_read_back_by_compose(tmp_path: Path) -> None:
    values = {f"K{number}": value for number, value in enumerate(NASTY * 3)}
    likes = [like for like in ("", "'", '"') for _ in NASTY]
    lines = [f"{name}={quoted(value, like)}" for (name, value), like in zip(values.items(), likes, strict=True)]
    for end in ("\n", "\r\n"):
        assert composed(tmp_path, end.join(lines) + end, values) == values


def test_a_value_that_we_changed_is_read_back_by_compose(tmp_path: Path) -> None:
    text = "A='x' # one\nexport B=2\nC: \"3\"\n"
    for value in NASTY:
        for name in ("A", "B", "C", "D"):
            text = with_value(text, name, value, ".env")
        assert composed(tmp_path, text, "ABCD") == dict.fromkeys("ABCD", value)


def test_a_task_tells_the_line_and_nothing_of_its_value(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {one: {image: x}}\n")
    (tmp_path / ".env").write_text("A=1\nKEY=-----BEGIN\nhunter2+x=\n")
    project = ComposeProject(LocalShell(tmp_path), "x", (tmp_path / "compose.yaml",), tmp_path / ".env")

    with pytest.raises(UsageError) as error:
        project.model()
    assert str(error.value).startswith(".env:3: '+' cannot stand")
    assert "hunter2" not in str(error.value)


def test_a_service_that_takes_an_encrypted_file_as_a_whole_is_told(tmp_path: Path) -> None:
    services = {"one": {"image": "x", "env_file": ".env"}, "two": {"image": "x", "environment": ["A"]}}
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": services}))
    (tmp_path / ".env").write_text("A=ENC[x]\nsops_mac=ENC[hunter2]\n")
    held = Held({"A": "value"}, sealed=True)
    shell = LocalShell(tmp_path, held.values)
    project = ComposeProject(shell, "x", (tmp_path / "compose.yaml",), tmp_path / ".env", held)

    with pytest.raises(UsageError) as error:
        project.model()
    assert error.value.message == "one takes .env as a whole (env_file:), and it is encrypted"
    del services["one"]
    (tmp_path / "compose.yaml").write_text(json.dumps({"services": services}))
    assert project.model()[0]["services"]["two"]["environment"] == {"A": "value"}


def test_compose_tells_what_it_does_with_variables(tmp_path: Path) -> None:
    text = "services: {one: {image: 'x:${TAG}', env_file: .env, environment: [A, 'B=${C:-d}'], ports: ['${P}:80']}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / ".env").write_text("TAG=1\nP=80\n")
    uses = ComposeProject(LocalShell(tmp_path), "x", (tmp_path / "compose.yaml",), tmp_path / ".env").uses()

    assert uses.names == {"TAG", "A", "C", "P"}
    assert uses.whole == {"one"}
    assert uses.environments == {"one": {"A": "${A}", "B": "${C:-d}"}}
