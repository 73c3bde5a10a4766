"""Secrets that are on no disk: from commands, and from env files that are encrypted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.engine.compose import ComposeProject
from deploy.engine.held import Held, hold
from deploy.model.envfile import Seal, sealed_by
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Environment, parse_settings
from deploy.shell import LocalShell

PRINT = [sys.executable, "-c", "import sys; sys.stdout.write(sys.argv[1])"]


def environment(**settings: object) -> Environment:
    return parse_settings({"environments": {"prod": settings}}, folder="shop").environment("prod")


def held(root: Path, path: str = "", **settings: object) -> Held:
    shell = LocalShell(root, {"PATH": f"{root}/bin:{os.environ['PATH']}"})
    return hold(environment(**settings), root / (path or ".env.prod"), shell)


def program(root: Path, name: str, text: str) -> None:
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin" / name).write_text(text)
    (root / "bin" / name).chmod(stat.S_IRWXU)


def test_a_commands_output_is_the_value(tmp_path: Path) -> None:
    found = held(
        tmp_path, secrets={"HELD_A": [*PRINT, "it's $x\n"], "HELD_B": "echo 'a b'", "HELD_C": ["printf", "x\ny\n\n"]}
    )

    assert found.values == {"HELD_A": "it's $x", "HELD_B": "a b", "HELD_C": "x\ny\n"}
    assert "it's" not in repr(found)


def test_what_is_in_the_environment_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD", "mine")

    assert held(tmp_path, secrets={"HELD": "false"}).values == {}


def test_a_command_counts_more_than_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env.prod").write_text("A=file\nB=2\n")
    found = held(tmp_path, secrets={"A": "echo command"})
    project = ComposeProject(LocalShell(tmp_path, found.values), "shop", (), tmp_path / ".env.prod", found)

    assert project.variables() == {"A": "command", "B": "2"}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "echo hunter2; echo why >&2; exit 3"], "secrets.KEY: 'sh' ended with status 3"),
        ("true", "secrets.KEY: 'true' printed nothing"),
        ("no-such-program a", "secrets.KEY: there is no program 'no-such-program' here"),
        (["printf", "a\\000b"], "secrets.KEY: 'printf' printed a NUL"),
        (["printf", "\\377"], "secrets.KEY: this is not UTF-8"),
    ],
)
def test_a_command_that_fails_is_told_without_what_it_printed(tmp_path: Path, command: object, message: str) -> None:
    with pytest.raises(DeployError) as error:
        held(tmp_path, secrets={"KEY": command})

    assert message in error.value.message
    assert "hunter2" not in str(error.value.details)


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ([], "secrets is not a mapping of variables to commands"),
        ("op read x", "secrets is not a mapping of variables to commands"),
        ({"A-B": "x"}, "'A-B' cannot be the name of a variable"),
        ({"A": 1}, "secrets.A is neither a text nor a list of words"),
        ({"A": ["x", 1]}, "secrets.A is neither a text nor a list of words"),
        ({"A": ""}, "secrets.A: the command is empty"),
        ({"A": "echo 'x"}, "secrets.A is no command: no closing quotation"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_place(secrets: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        environment(secrets=secrets)
    assert message in error.value.message
    assert error.value.message.startswith("invoke.yaml: deploy.environments.prod.secrets")


@pytest.mark.parametrize(
    ("content", "seal"),
    [
        (b"age-encryption.org/v1\n-> X25519 abc\n", Seal.AGE),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nabc\n", Seal.AGE),
        (b"A=ENC[AES256_GCM,data:x]\nsops_mac=ENC[x]\nsops_version=3.9\n", Seal.SOPS),
        (b"A=1\n# sops_mac=no\n", None),
        (b"", None),
    ],
)
def test_an_encrypted_file_is_known_by_its_content(content: bytes, seal: Seal | None) -> None:
    assert sealed_by(content) == seal


def test_sops_opens_its_own_files(tmp_path: Path) -> None:
    (tmp_path / ".env.prod").write_text("A=ENC[x]\nsops_mac=ENC[y]\n")
    asked = "--decrypt --input-type dotenv --output-type dotenv"
    text = f"[ \"$1 $2 $3 $4 $5\" = '{asked}' ] && printf 'HELD_A=a b\\nHELD_B=$HELD_A\\n'"
    program(tmp_path, "sops", f"#!/bin/sh\n{text}\n")

    found = held(tmp_path)

    assert (found.values, found.sealed) == ({"HELD_A": "a b", "HELD_B": "a b"}, True)


def test_a_program_that_is_missing_or_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env.prod").write_text("A=ENC[x]\nsops_mac=ENC[y]\n")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="encrypted with sops, and there is no program 'sops' here"):
        hold(environment(), tmp_path / ".env.prod", LocalShell(tmp_path))
    monkeypatch.undo()
    program(tmp_path, "sops", "#!/bin/sh\necho no key >&2\nexit 128\n")
    with pytest.raises(DeployError, match="cannot be decrypted with sops") as error:
        held(tmp_path)
    assert "no key" in error.value.details


def test_age_needs_a_key(tmp_path: Path) -> None:
    (tmp_path / ".env.prod").write_text("-----BEGIN AGE ENCRYPTED FILE-----\n")
    program(tmp_path, "age", "#!/bin/sh\necho A=1\n")
    with pytest.raises(UsageError, match="no key is named"):
        held(tmp_path)
    with pytest.raises(UsageError, match="its key is not there: nowhere"):
        held(tmp_path, env_identity="nowhere")
    (tmp_path / "key").write_text("x")
    assert held(tmp_path, env_identity=str(tmp_path / "key")).values == {"A": "1"}


def test_an_encrypted_file_is_not_changed_and_nothing_of_it_shown(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x}}\n")
    (tmp_path / ".env.prod").write_text("A=ENC[x]\nsops_mac=ENC[y]\n")
    program(tmp_path, "docker", "#!/bin/sh\nexit 1\n")
    program(tmp_path, "sops", "#!/bin/sh\necho A=hunter2\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).parent / "inv"), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            input="new",
            env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        )

    refused, got, checked = run("env.set", "A"), run("env.get", "A"), run("env.check")

    assert refused.returncode == 2
    assert ".env.prod is encrypted with sops, and is not changed here" in refused.stderr
    assert got.stdout == "hunter2\n"
    assert checked.returncode == 0, checked.stderr
    assert "hunter2" not in checked.stdout + checked.stderr
    assert "ENC[x]" in (tmp_path / ".env.prod").read_text()
