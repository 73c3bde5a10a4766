"""A host that backs itself up: no client, no Windlass and no Python on it, and it says so when it fails."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.lab.conftest import RemoteHost, raise_host
from tests.project import Project, commit, docker, eventually, swept, unique

ON = ("--host", "sandbox")
FROM = ("--env", "prod", *ON)
SECRET = "T0-hush-hush"
OTHERS = "MAILTO=ops@example.com\n\n# mine\n7 4 * * * /bin/mine\n\n"
COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_HOST_AUTH_METHOD: trust}
    volumes: [pg:/var/lib/postgresql/data]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, postgres], start_period: 20s, start_interval: 250ms}
    restart: unless-stopped
  app:
    image: debian:trixie-slim
    command: [sleep, infinity]
    init: true
    environment: {GREETING: hello}
    restart: unless-stopped
    x-deploy: {migrate: "true"}
volumes: {pg: }
"""


@dataclass
class Hook:
    """A webhook's other end: what it was sent."""

    heard: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.heard.append(body | {"path": self.path})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    name = unique("night")
    root = tmp_path_factory.mktemp("night") / "project"
    root.mkdir()
    (root / "compose.yaml").write_text(COMPOSE)
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    commit(root, "As it is")
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def host(project: Project, hook: Hook) -> RemoteHost:
    host = raise_host(project)
    networks = json.loads(docker("container", "inspect", host.container))[0]["NetworkSettings"]["Networks"]
    gateway = next(iter(networks.values()))["Gateway"]
    notify = {"webhook": f"http://{gateway}:{hook.port}/{SECRET}", "command": "cat >>/tmp/told"}
    settings(project, notify=notify, allow={"trust-authentication": "nothing else is in its network"})
    return host


def settings(project: Project, **changed: Any) -> None:
    """Change what invoke.yaml says; what is not named stays as it was."""
    file = project.root / "invoke.yaml"
    known = yaml.safe_load(file.read_text())["deploy"]["environments"]["prod"] if file.exists() else {}
    file.write_text(yaml.safe_dump({"deploy": {"environments": {"prod": known | changed}}}))


def journal(project: Project, host: RemoteHost) -> list[dict[str, Any]]:
    text = host.run("cat", f"/opt/{project.name}/backups/runs.jsonl", check=False)
    return [json.loads(line) for line in text.splitlines()]


def ended(project: Project, host: RemoteHost) -> list[dict[str, Any]]:
    return [one for one in journal(project, host) if one["event"] == "ended"]


def events(project: Project, host: RemoteHost) -> list[str]:
    return [one["event"] for one in journal(project, host)]


def sql(project: Project, host: RemoteHost, text: str) -> None:
    host.run(
        "docker", "exec", f"{project.name}-data-db-1", "psql", "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text
    )


def test_there_is_nothing_to_schedule_before_a_release(project: Project, host: RemoteHost) -> None:
    assert "no schedule is installed" in project.inv("db.schedule", *FROM).stdout
    done = project.inv("db.schedule", *FROM, "--at", "03:15", "--yes", expect=2)
    assert "no release is live there" in done.stderr
    assert "'25:00' is no time" in project.inv("db.schedule", *FROM, "--at", "25:00", expect=2).stderr


def test_a_host_backs_up_and_proves_it_while_no_client_is_there(project: Project, host: RemoteHost, hook: Hook) -> None:
    project.inv("prod.deploy", *ON, "--yes")
    sql(project, host, "CREATE TABLE prices AS SELECT generate_series(1, 1000) AS id")
    host.sh(f"printf '{OTHERS}' | crontab -u deploy -")
    refused = project.inv("db.schedule", *FROM, "--at", "* * * * *", expect=2)
    assert "this installs a schedule" in refused.stderr
    done = project.inv("db.schedule", *FROM, "--at", "* * * * *", "--yes")
    assert "has no curl" in done.stderr
    assert "scheduled: '* * * * *' by cron, drill always; next run" in done.stdout

    eventually(lambda: journal(project, host), 150)
    project.inv("db.schedule", *FROM, "--at", "0 0 1 1 *", "--yes")  # none begins while the next tests look
    eventually(lambda: len(ended(project, host)) == events(project, host).count("began"), 300)
    for run in ended(project, host):
        assert (run["ok"], [one["what"] for one in run["steps"]]) == (True, ["backup", "drill", "prune"])
    first, *_ = json.loads(project.inv("db.backups", *FROM, "--json").stdout)
    assert (first["proved"], first["rows"], first["problem"]) == (True, 1000, "")
    assert first["id"] in ended(project, host)[0]["message"]
    assert hook.heard == []
    owners = host.sh(f"find /opt/{project.name}/backups /opt/{project.name}/schedule -printf '%u %m\\n' | sort -u")
    assert {*owners.splitlines()} <= {"deploy 600", "deploy 700"}
    listed = project.inv("db.backups", *FROM).stdout
    assert "'0 0 1 1 *' by cron" in listed
    assert "was good after" in listed
    project.inv("prod.status", *ON)


def test_a_failed_run_is_told_and_stands_in_the_status(project: Project, host: RemoteHost, hook: Hook) -> None:
    host.run("docker", "stop", f"{project.name}-data-db-1")
    done = project.inv("db.schedule", *FROM, "--now", expect=1)
    host.run("docker", "start", f"{project.name}-data-db-1")

    assert "the run failed" in done.stderr
    (heard,) = hook.heard
    assert (heard["path"], heard["ok"], heard["project"]) == (f"/{SECRET}", False, project.name)
    assert "backup: db does not run on" in heard["text"]
    assert "backup: db does not run on" in host.run("cat", "/tmp/told")
    status = project.inv("prod.status", *ON, expect=1)
    assert "failed: backup: db does not run on" in status.stderr
    document = json.loads(project.inv("prod.status", *ON, "--json", expect=1).stdout)[0]
    assert [one["ok"] for one in document["schedule"]["runs"]][-2:] == [True, False]
    assert len(hook.heard) == 1
    assert SECRET not in json.dumps(journal(project, host)) + done.stderr + status.stderr + json.dumps(document)
    # the address: in one file, and that is for the deploying user alone
    assert host.sh(f"grep -rl {SECRET} /opt/{project.name} /tmp /var/log").split() == [
        f"/opt/{project.name}/schedule/webhook"
    ]


def test_a_run_without_an_engine_is_in_the_journal_too(project: Project, host: RemoteHost, hook: Hook) -> None:
    host.stop_engine()
    status = project.inv("prod.status", *ON, expect=1)
    assert "no Docker engine answers" in status.stderr
    assert "keeper" not in status.stderr
    done = host.sh(f"su deploy -c '/opt/{project.name}/schedule/run' 2>&1; printf 'status %s' $?")
    host.start_engine()

    assert "status 125" in done
    last = ended(project, host)[-1]
    assert not last["ok"]
    assert "Cannot connect to the Docker daemon" in last["message"]
    told = [one for one in journal(project, host) if one["run"] == last["run"] and one["event"] == "told"]
    assert [one["ok"] for one in told] == [True, False], "the command was; without an engine and curl the webhook not"
    assert len(hook.heard) == 1
    eventually(host.engine_answers, 120)


def test_the_next_good_run_clears_it(project: Project, host: RemoteHost, hook: Hook) -> None:
    answers = ("docker", "exec", f"{project.name}-data-db-1", "pg_isready", "-h", "127.0.0.1")
    eventually(lambda: "accepting" in host.run(*answers, check=False), 120)
    done = project.inv("db.schedule", *FROM, "--now")

    assert "proved in" in done.stderr
    project.inv("prod.status", *ON)
    assert len(hook.heard) == 1


def test_a_changed_setting_is_told_by_the_plan_and_brought_by_the_task(project: Project, host: RemoteHost) -> None:
    settings(project, schedule={"at": "4:30", "drill": "weekly"})
    told = "is not as invoke.yaml and this version of Windlass make it"
    assert told in project.inv("prod.deploy", *ON, "--yes").stderr, "also where there is nothing to do"
    assert "'4:30' would be installed" in project.inv("--dry", "db.schedule", *FROM).stderr
    assert told in project.inv("prod.plan", *ON).stderr
    before = host.run("docker", "image", "ls", "--quiet", f"{project.name}-keeper")
    done = project.inv("db.schedule", *FROM, "--yes")

    assert "'4:30' by cron, drill weekly" in done.stdout
    assert "the host has it" in done.stderr
    assert host.run("docker", "image", "ls", "--quiet", f"{project.name}-keeper") == before
    assert f"30 4 * * * /opt/{project.name}/schedule/run" in host.run("crontab", "-u", "deploy", "-l")
    assert told not in project.inv("prod.plan", *ON).stderr
    assert "is not" not in project.inv("db.schedule", *FROM).stderr, "nothing is asked where nothing differs"


def test_a_deploy_that_may_migrate_is_refused_without_a_proved_backup(project: Project, host: RemoteHost) -> None:
    settings(project, deploy_needs_proof_h=0.0001)
    project.edit("compose.yaml", "GREETING: hello", "GREETING: good morning")
    before = host.containers(project.name)
    done = project.inv("prod.deploy", *ON, "--yes", expect=1)
    assert "the newest proved backup of db is 0 h old, and the deploy may migrate app" in done.stderr
    assert "inv db.backup --env prod --host sandbox && inv db.drill" in done.stderr
    assert host.containers(project.name) == before

    settings(project, deploy_needs_proof_h=24)
    assert "may migrate" not in project.inv("prod.plan", *ON).stderr
    settings(project, deploy_needs_proof_h=0.0001)
    done = project.inv("prod.deploy", *ON, "--yes", "--no-proof", "prices are wrong")
    assert "because: prices are wrong" in done.stderr
    assert json.loads(project.inv("prod.releases", *ON, "--json").stdout)[0]["unproved"] == "prices are wrong"


def test_off_removes_all_of_it_and_nothing_else(project: Project, host: RemoteHost) -> None:
    settings(project, schedule=False)
    project.inv("db.schedule", *FROM, "--off", "--yes")

    assert docker("exec", host.container, "sh", "-c", "crontab -u deploy -l; echo end") == f"{OTHERS}end"
    assert host.run("ls", f"/opt/{project.name}").split().count("schedule") == 0
    assert host.run("docker", "image", "ls", "--quiet", f"{project.name}-keeper") == ""
    assert host.run("docker", "ps", "--all", "--quiet", "--filter", "name=keeper") == ""
    assert [one["ok"] for one in ended(project, host)[-4:]] == [True, False, False, True], "the journal stays"
    project.inv("prod.status", *ON)
    assert "no schedule is installed" in project.inv("db.schedule", *FROM).stdout
    assert "has no schedule to try" in project.inv("db.schedule", *FROM, "--now", expect=2).stderr
    project.inv("db.schedule", *FROM, "--off", "--yes")
