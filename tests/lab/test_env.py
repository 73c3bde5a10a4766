"""An env file beside what a host runs: compared without a value, brought back when it is lost, left for others."""

from __future__ import annotations

import json
import subprocess
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

    assert "inv env.pull --env prod --host sandbox brings it back" in refused.stderr.replace(
        "deploy@sandbox", "sandbox"
    )
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
