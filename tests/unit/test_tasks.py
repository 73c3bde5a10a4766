"""The command line: every task explains itself, and every mistake is answered in one line. Without Docker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.tasks import Task

from deploy.tasks import namespace
from tests.conftest import ROOT

INV = Path(sys.executable).parent / "inv"
NAMESPACE = namespace(str(ROOT / "tasks.py"))
TASKS = {name: NAMESPACE[name] for name in NAMESPACE.task_names}


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(INV), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}", **env},
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two lines, and a `docker` that nothing answers: no task may need one to find a mistake."""
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_and_every_option_is_explained(name: str) -> None:
    task: Task[Any] = TASKS[name]
    text = task.__doc__ or ""

    assert re.match(r"[A-Z].*\.\n", text), "one imperative line"
    assert "xample: inv " in text or ": inv " in text, "an example"
    for argument in task.get_arguments():
        assert argument.help, argument.name
        assert "h" not in argument.names, "-h is help"


def test_any_environment_gets_the_same_verbs(project: Path) -> None:
    (project / "invoke.yaml").write_text("deploy:\n  environments:\n    staging: {}\n")

    listed = run(project, "--list", "--list-format=json").stdout

    for verb in ("plan", "deploy", "rollback", "status", "releases", "logs", "shell", "exec", "restart"):
        assert listed.count(f'"name": "{verb}"') >= 2, verb


def test_help_is_help_also_where_hosts_are_named(project: Path) -> None:
    for words in (("--help", "prod.deploy"), ("prod.deploy", "--help")):
        done = run(project, *words)
        assert done.returncode == 0
        assert "--host" in done.stdout
        assert "Example: inv prod.deploy" in done.stdout


@pytest.mark.parametrize(
    ("yaml", "words", "message", "remedy"),
    [
        ("deploy: {projct: x}", ("prod.plan",), "invoke.yaml: deploy.projct: unknown key", "did you mean 'project'?"),
        ("", ("prod.plan",), "no host to work on for 'prod'", "add --host user@server (or --host sandbox)"),
        ("", ("prod.plan", "--host", "a b"), "--host a b: cannot be read as a host", "write user@server"),
        ("", ("prod.status", "--host", "sandbox"), "there is no sandbox", "make one: inv sandbox.up"),
        ("", ("prod.logs", "--host", "a,b"), "this works on one host at a time, not on a, b", "add --host a"),
        (
            "",
            ("prod.deploy", "--wave", "half"),
            "--wave: 'half' is not a number of hosts",
            "write counts or percentages",
        ),
        ("", ("prod.deploy", "--on-failure", "retrn"), "--on-failure retrn: unknown", "did you mean 'return'?"),
        ("", ("prod.deploy", "--parallel", "-1"), "--parallel -1: that is no number of hosts", "from 1 on"),
        ("", ("prod.deploy", "--parallel", "many"), "--parallel many: that is no number of hosts", "from 1 on"),
        ("", ("db.backup", "--env", "stage"), "there is no environment 'stage'", "known: dev, prod"),
        ("", ("db.restore", "latest", "--at", "2026-11-21 10:05"), "two different things to restore", "leave one out"),
        (
            "",
            ("db.restore", "--at", "noon", "--env", "prod"),
            "--at noon: that is no time of a day",
            "write it as '2026-11-21 10:05'",
        ),
        ("", ("db.restore", "--at", "2026-11-21 10:05"), "development keeps no WAL", "add --env prod"),
        ("", ("dev.up",), "no compose file found in", "add compose.yaml"),
        ("", ("sandbox.ssh", "--name", "b"), "there is no sandbox-b", "inv sandbox.up --name b"),
    ],
)
def test_a_mistake_is_answered_in_one_line_with_what_to_do(
    project: Path, yaml: str, words: tuple[str, ...], message: str, remedy: str
) -> None:
    (project / "invoke.yaml").write_text(yaml)

    done = run(project, *words)

    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert f"→ {remedy}" in done.stderr or f"→ known: {remedy}" in done.stderr or remedy in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_docker_is_not_installed_behind_anybodys_back(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {web: {image: nginx}}\n")

    done = run(project, "dev.up")

    assert done.returncode == 2
    assert (
        "no Docker engine with compose answers on this machine; nobody can be asked, and --yes was not given"
        in done.stderr
    )


def test_an_unreachable_host_is_said_and_not_shown_as_a_traceback(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {web: {image: nginx}}\n")

    done = run(project, "prod.plan", "--host", "nobody@127.0.0.1:1")

    assert done.returncode == 1
    assert "nobody@127.0.0.1:1: cannot connect to 127.0.0.1 port 1" in done.stderr
    assert "→ check it with: ssh -p 1 -l nobody 127.0.0.1 true" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_unreachable_host_is_named_at_once(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {web: {image: nginx}}\n")

    done = run(project, "prod.plan", "--host", "nobody@127.0.0.1:1,nobody@127.0.0.1:2")

    assert done.returncode == 1
    assert "nobody@127.0.0.1:1: cannot connect to 127.0.0.1 port 1" in done.stderr
    assert "nobody@127.0.0.1:2: cannot connect to 127.0.0.1 port 2" in done.stderr
    assert "2 of 2 hosts cannot be connected to; nothing was changed" in done.stderr
    assert "--skip-unreachable leaves out hosts that cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_cannot_be_tried_is_not_done_instead(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {web: {image: nginx}}\n")

    done = run(project, "--dry", "dev.reset", "--yes")

    assert done.returncode == 2
    assert "--dry: this task cannot be tried without doing it" in done.stderr


def test_echo_shows_the_commands(project: Path) -> None:
    (project / "compose.yaml").write_text("services: {web: {image: nginx}}\n")

    assert "this machine: engine" in run(project, "--echo", "dev.up").stderr


def test_configuration_comes_from_the_environment_too(project: Path) -> None:
    done = run(project, "prod.plan", INVOKE_DEPLOY_PROJECT="Not A Name")

    assert "deploy.project: 'Not A Name' cannot name a compose project" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deploy: [", "invoke.yaml, line 1, column 10 cannot be read"),
        ("- a", "invoke.yaml is not a mapping"),
        ("deploy:", "there are no settings under deploy:"),
        ("deploy: {environments: [prod]}", "deploy.environments is not a mapping"),
        ("deploy: {environments: {1: {}}}", "deploy.environments: 1 is not a name"),
        ("deploy: {environments: {prod: {keys: 1}}}", "deploy.environments.prod.keys: unknown key"),
        ("deploy: {environments: {db: {}}}", "'db' is the name of other tasks"),
        ("deploy: {enviroments: {}}", "did you mean 'environments'?"),
    ],
)
def test_settings_that_cannot_be_are_said_before_anything_is_listed(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (tmp_path / "invoke.yaml").write_text(text)
    done = run(tmp_path, "--list")

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("db.backups", "--host", "app1"), "--host names another machine, and 'dev' is this one"),
        (("prod.plan", "--host", ""), "--host is empty"),
        (("host.setup", "--host", ""), "--host is empty"),
    ],
)
def test_a_host_that_is_not_meant_is_not_taken(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    done = run(tmp_path, *words)

    assert done.returncode == 2
    assert said in done.stderr


def test_who_reads_no_further_ends_a_task_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [str(INV), "prod.check", "--list"]

    done = subprocess.run(words, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)

    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
