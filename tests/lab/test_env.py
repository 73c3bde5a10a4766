"""An env file beside what a host runs: compared without a value, brought back when it is lost, left for others."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.engine.files import read_env_file
from tests.lab.conftest import RemoteHost, raise_host
from tests.project import INV, Project


@pytest.fixture(scope="module")
def released(timetracker: Project) -> RemoteHost:
    host = raise_host(timetracker)
    timetracker.inv("prod.deploy", "--host", "sandbox", "--yes")
    return host


def given(project: Project, value: str, *words: str) -> None:
    subprocess.run(
        [str(INV), *words],
        cwd=project.root,
        env=project.environ(),
        input=value,
        text=True,
        check=True,
    )


def rows(project: Project, expect: int) -> dict[str, dict[str, Any]]:
    done = project.inv("env.diff", "--host", "sandbox", "--json", expect=expect)
    return {row["name"]: row for row in json.loads(done.stdout)[0]["variables"]}


def test_what_runs_is_compared_without_a_value(timetracker: Project, released: RemoteHost) -> None:
    values = read_env_file(timetracker.root / ".env.prod")
    before = rows(timetracker, 0)

    given(timetracker, "another key of more than fifty characters, $so it is", "env.set", "SECRET_KEY")
    after = rows(timetracker, 1)

    assert before["SECRET_KEY"]["same"] == before["POSTGRES_PASSWORD"]["same"] == "same"
    assert (after["SECRET_KEY"]["same"], after["POSTGRES_PASSWORD"]["same"]) == ("differs", "same")
    assert before["POSTGRES_PASSWORD"]["here"] != after["POSTGRES_PASSWORD"]["here"], "a new key in every run"
    assert not [value for value in values.values() if value in json.dumps([before, after])]
    given(timetracker, values["SECRET_KEY"], "env.set", "SECRET_KEY")


def test_a_lost_file_is_brought_back_from_what_runs(timetracker: Project, released: RemoteHost) -> None:
    file = timetracker.root / ".env.prod"
    values = read_env_file(file)
    file.unlink()
    refused = timetracker.inv("prod.deploy", "--host", "sandbox", "--yes", expect=2)

    timetracker.inv("env.pull", "--host", "sandbox")

    assert re.search(r"inv env.pull --env prod --host \S*sandbox brings it back", refused.stderr)
    assert read_env_file(file) == values
    assert file.stat().st_mode & 0o777 == 0o600
    assert "nothing to do, nothing restarted" in timetracker.inv("prod.deploy", "--host", "sandbox", "--yes").stderr


def test_a_file_is_left_for_others_and_replaces_theirs_when_they_agree(
    timetracker: Project, released: RemoteHost
) -> None:
    file = timetracker.root / ".env.prod"
    file.write_text("# ours\n" + file.read_text())
    mine = file.read_text()
    timetracker.inv("env.push", "--host", "sandbox")
    there = released.sh(f"stat -c '%a %n' /opt/{timetracker.name}/env")
    file.write_text(mine + "NEWER=1\n")

    refused = timetracker.inv("env.pull", "--host", "sandbox", expect=2)
    unchanged = file.read_text()
    timetracker.inv("env.pull", "--host", "sandbox", "--yes")

    assert there.startswith("600 ")
    assert "nobody can be asked" in refused.stderr
    assert unchanged == mine + "NEWER=1\n"
    assert file.read_text() == mine
    (kept,) = (timetracker.root / ".windlass" / "env").iterdir()
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (mine + "NEWER=1\n", 0o600)
    assert "has this .env.prod already" in timetracker.inv("env.push", "--host", "sandbox").stderr


def test_a_release_is_made_of_secrets_that_are_on_no_disk(
    timetracker: Project, released: RemoteHost, tmp_path: Path
) -> None:
    new, password = secrets.token_hex(30), read_env_file(timetracker.root / ".env.prod")["POSTGRES_PASSWORD"]
    subprocess.run(["age-keygen", "-o", str(tmp_path / "key")], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", str(tmp_path / "key")], check=True, capture_output=True, text=True)
    seal = ["age", "--armor", "--recipient", public.stdout.strip(), "--output", str(timetracker.root / ".env.prod")]
    subprocess.run(seal, input=f"POSTGRES_PASSWORD={password}\n", text=True, check=True)
    shutil.rmtree(timetracker.root / ".windlass" / "env", ignore_errors=True)
    own = {"secrets": {"SECRET_KEY": "sh -c 'printf %s \"$VAULT\"'"}, "env_identity": str(tmp_path / "key")}
    with (timetracker.root / "invoke.yaml").open("a") as file:
        file.write(f"  environments: {json.dumps({'prod': own})}\n")
    timetracker.env["VAULT"] = new
    stamp = tmp_path / "stamp"
    stamp.touch()

    deploying = timetracker.start("prod.deploy", "--host", "sandbox", "--yes")
    arguments = set()
    while deploying.poll() is None:
        arguments |= {line for line in command_lines() if new in line or password in line}
        time.sleep(0.05)
    out, err = deploying.communicate()

    assert deploying.returncode == 0, err
    assert "is live on sandbox after" in err
    backend = next(name for name in released.containers(timetracker.name) if "-backend-1" in name)
    assert f"SECRET_KEY={new}\n" in released.run("docker", "exec", backend, "env") + "\n"
    assert released.get("/api/health")[0] == 200
    assert arguments == set()
    assert not [one for one in (new, password) if one in out + err]
    assert "nothing to do" in timetracker.inv("prod.deploy", "--host", "sandbox", "--yes").stderr
    assert written_with((new, password), stamp) == []


def command_lines() -> Iterator[str]:
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield one.read_bytes().decode(errors="replace")


def written_with(values: tuple[str, ...], since: Path) -> list[str]:
    """Files of this machine that hold one of the values; what the engine keeps is the host's disk."""
    engine = ("/var/lib/docker", "/var/lib/containerd")
    pruned = [word for path in engine for word in ("-path", path, "-prune", "-o")]
    found = subprocess.run(
        ["find", "/", "-xdev", *pruned, "-type", "f", "-newer", str(since), "-size", "-20M", "-print0"],
        capture_output=True,
        check=False,
    )
    files = [Path(name) for name in found.stdout.decode().split("\0") if name]
    holding = []
    for file in files:
        with contextlib.suppress(OSError):
            content = file.read_bytes()
            if any(value.encode() in content for value in values):
                holding.append(str(file))
    return holding
