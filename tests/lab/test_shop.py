"""Somebody else's compose file, unmodified, on two hosts: changes of every kind, and deploys that meet trouble."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load, Request
from tests.project import Project, eventually

DEPLOY = ("prod.deploy", "--host", "sandbox", "--yes")


@pytest.fixture(scope="module")
def live(shop: Project, host: RemoteHost) -> RemoteHost:
    """The host with a first release of the shop."""
    shop.inv(*DEPLOY)
    return host


@pytest.fixture
def edited(shop: Project) -> Iterator[Project]:
    """The shop, to be changed for one test: its files are put back, what is deployed stays."""
    kept = {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file() and ".git" not in path.parts}
    yield shop
    for path, content in kept.items():
        path.write_bytes(content)


def env(shop: Project, **values: str) -> None:
    with (shop.root / ".env.prod").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def outcomes(shop: Project) -> list[str]:
    return [row["outcome"] for row in json.loads(shop.inv("prod.releases", "--host", "sandbox", "--json").stdout)]


def ledger(shop: Project, host: RemoteHost) -> list[tuple[float, str]]:
    text = host.run(
        "docker", "run", "--rm", "--volume", f"{shop.name}_ledger:/ledger", "postgres:17", "cat", "/ledger/beats"
    )
    return [(float(line.split()[0]), line.split()[1]) for line in text.splitlines() if len(line.split()) == 2]


def test_a_project_of_two_lines_is_deployed_as_it_is(shop: Project, live: RemoteHost) -> None:
    assert live.get("/") == (200, "v1 hello\n")
    assert sorted(path.name for path in shop.root.iterdir() if not path.name.startswith(".")) == [
        "app",
        "compose.yaml",
        "nginx",
        "tasks.py",
    ]


def test_http_and_tcp_ports_both_go_through_the_edge(live: RemoteHost) -> None:
    assert live.get("/", 80)[0] == 200
    assert live.get("/", 7000) == (200, "tcp\n")


def test_foreign_images_are_pinned_under_a_name_of_the_projects_own(shop: Project, live: RemoteHost) -> None:
    """Somebody pulls a newer nginx on the host: the release can still be started from the one it came with."""
    name = next(name for name in live.containers(shop.name) if "-nginx-" in name)
    image = live.run("docker", "container", "inspect", "--format", "{{.Config.Image}}", name)

    assert image.startswith(f"{shop.name}/nginx:")


def test_a_changed_variable_is_a_release_without_a_build(edited: Project, live: RemoteHost) -> None:
    env(edited, GREETING="good morning")
    done = edited.inv(*DEPLOY)

    assert "~ backend    replace  web     environment.GREETING" in done.stderr
    assert "Build" not in done.stderr
    assert "good morning" not in done.stderr
    assert live.get("/") == (200, "v1 good morning\n")

    edited.inv("prod.rollback", "--host", "sandbox", "--yes")
    assert live.get("/") == (200, "v1 hello\n"), "the environment goes back too"


def test_a_changed_file_behind_a_bind_mount_is_a_release(edited: Project, live: RemoteHost) -> None:
    edited.edit("nginx/default.conf", "location / {", 'location /new { return 200 "new\\n"; }\n    location / {')
    done = edited.inv(*DEPLOY)

    assert "file nginx/default.conf" in done.stderr
    assert live.get("/new") == (200, "new\n")
    edited.inv("prod.rollback", "--host", "sandbox", "--yes")
    assert live.get("/new") == (200, "v1 hello\n"), "and so do files"


def test_requests_in_flight_end_on_the_release_they_began_on(edited: Project, live: RemoteHost) -> None:
    edited.edit("app/web.py", '"v1"', '"v2"')
    answers: list[tuple[int, str]] = []
    slow = threading.Thread(target=lambda: answers.append(live.get("/slow?12")))
    deploy = edited.start(*DEPLOY)
    assert deploy.stderr
    for line in deploy.stderr:
        if "Prepare the edge" in line:
            slow.start()
            break
    deploy.communicate()
    slow.join()

    assert deploy.returncode == 0
    assert answers == [(200, "v1 hello\n")]
    assert live.get("/") == (200, "v2 hello\n")


def test_a_worker_never_runs_twice(shop: Project, edited: Project, live: RemoteHost) -> None:
    edited.edit("app/web.py", '"v1"', '"v3"')
    began = time.time()
    edited.inv(*DEPLOY)
    beats = [(at, who) for at, who in ledger(shop, live) if at > began]

    changes = [after for before, after in itertools.pairwise(beats) if before[1] != after[1]]
    assert len(changes) == 1, "one worker, then another, and never back"
    edited.inv("prod.rollback", "--host", "sandbox", "--yes")


def test_a_worker_that_fails_gives_everything_back(edited: Project, live: RemoteHost) -> None:
    before = live.get("/")
    edited.edit("app/worker.py", "while True:", "sys.exit('no ink')\nwhile True:")
    edited.edit("app/web.py", '"v1"', '"v4"')
    with Load(live.address, 80, (Request("/"), Request("/", str))) as load:
        done = edited.inv(*DEPLOY, expect=1)

    assert "worker (" in done.stderr
    assert "no ink" in done.stderr
    assert load.failed == {}
    assert live.get("/") == before
    assert outcomes(edited)[0] == "failed"
    edited.inv("prod.status", "--host", "sandbox")


def test_two_deploys_at_once_are_one_deploy_and_one_refusal(edited: Project, live: RemoteHost) -> None:
    edited.edit("app/web.py", '"v1"', '"v5"')
    first = edited.start(*DEPLOY)
    assert first.stderr
    for line in first.stderr:
        if "Push" in line:
            break
    second = edited.attempt(*DEPLOY)
    first.communicate()

    assert first.returncode == 0
    assert second.returncode == 1
    assert "another deploy is going on: " in second.stderr
    assert live.get("/") == (200, "v5 hello\n")


@pytest.mark.parametrize(
    ("how", "moment"),
    [
        (signal.SIGINT, "Start the release"),
        (signal.SIGTERM, "Switch"),
        *((signal.SIGKILL, step) for step in ("Push", "Stage the release", "Start the release", "Switch", "Hand over")),
    ],
)
def test_a_deploy_that_is_killed_costs_nothing_and_the_next_one_succeeds(
    edited: Project, live: RemoteHost, how: signal.Signals, moment: str
) -> None:
    edited.edit("app/web.py", '"v1"', f'"{how.name} {moment}"')
    with Load(live.address, 80, (Request("/"), Request("/", str))) as load:
        deploy = edited.start(*DEPLOY)
        assert deploy.stderr
        for line in deploy.stderr:
            if moment in line and line.startswith("✓"):
                break
        deploy.send_signal(how)
        deploy.communicate()
        edited.inv(*DEPLOY)

    assert load.failed == {}
    assert live.get("/") == (200, f"{how.name} {moment} hello\n")
    edited.inv("prod.status", "--host", "sandbox")


def test_a_missing_secret_is_found_before_anything_is_touched(edited: Project, live: RemoteHost) -> None:
    (edited.root / ".env.prod").write_text("GREETING=x\n")
    done = edited.inv(*DEPLOY, expect=2)
    assert ".env.prod: not set: DB_PASSWORD" in done.stderr


def test_a_port_that_somebody_holds_is_found_before_anything_is_built(edited: Project, live: RemoteHost) -> None:
    env(edited, HTTP_PORT="8088")
    edited.edit("app/web.py", '"v1"', '"v6"')
    live.run("docker", "run", "--detach", "--name", "squatter", "--publish", "8088:80", "nginx:alpine")
    try:
        done = edited.inv(*DEPLOY, expect=1)
    finally:
        live.run("docker", "rm", "--force", "squatter")

    assert "port 8088 (for nginx) is held by the container squatter" in done.stderr
    assert "Build" not in done.stderr


def test_another_public_port_is_announced_with_its_gap_and_works(edited: Project, live: RemoteHost) -> None:
    env(edited, HTTP_PORT="8099")
    done = edited.inv(*DEPLOY)

    assert "the edge is replaced because its public ports change" in done.stderr
    assert live.get("/", 8099)[0] == 200
    edited.inv("prod.rollback", "--host", "sandbox", "--yes")
    assert live.get("/", 80)[0] == 200


def test_a_dry_run_changes_nothing(edited: Project, live: RemoteHost) -> None:
    edited.edit("app/web.py", '"v1"', '"v7"')
    before = live.containers(edited.name)

    done = edited.inv("--dry", *DEPLOY)

    assert "~ backend    replace" in done.stderr
    assert live.containers(edited.name) == before


def test_restart_asks_and_restarts_one_service(shop: Project, live: RemoteHost) -> None:
    assert (
        "nobody can be asked" in shop.inv("prod.restart", "--host", "sandbox", "--service", "worker", expect=2).stderr
    )

    name = next(name for name in live.containers(shop.name) if "-worker-" in name)
    started = "{{.State.StartedAt}}"
    before = live.run("docker", "container", "inspect", "--format", started, name)
    shop.inv("prod.restart", "--host", "sandbox", "--service", "worker", "--yes")
    assert live.run("docker", "container", "inspect", "--format", started, name) != before


def test_what_nobody_goes_back_to_is_removed(shop: Project, edited: Project, live: RemoteHost) -> None:
    env(edited, GREETING="good night")
    edited.inv(*DEPLOY)
    prune = ("prod.prune", "--keep", "1", "--host", "sandbox")
    before = live.sh(f"ls /opt/{shop.name}/releases")
    assert "nobody can be asked" in shop.inv(*prune, expect=2).stderr
    shop.inv("--dry", *prune)
    assert live.sh(f"ls /opt/{shop.name}/releases") == before

    assert "keeps 1 release" in shop.inv(*prune, "--yes").stderr

    assert len(live.sh(f"ls /opt/{shop.name}/releases").split()) == 1
    assert live.get("/") == (200, "v1 good night\n")
    assert "no release before" in shop.inv("prod.rollback", "--host", "sandbox", "--yes", expect=2).stderr
    shop.inv("prod.status", "--host", "sandbox")


def test_a_further_host_gets_what_the_first_one_runs(shop: Project, live: RemoteHost) -> None:
    second = raise_host(shop, "b")

    done = shop.inv("prod.deploy", "--host", f"sandbox,{second.spec}", "--yes")

    assert "\nsandbox-b  deployed  " in done.stderr
    assert second.get("/") == (200, "v1 hello\n")


def test_a_full_disk_is_found_before_the_push(shop: Project) -> None:
    """On a host whose engine keeps its data on something too small for the images."""
    third = raise_host(shop, "c")
    third.give_engine_memory("400m")
    eventually(third.engine_answers)

    done = shop.inv("prod.deploy", "--host", third.spec, "--yes", expect=1)

    assert "GB are free," in done.stderr
    assert "Push" not in done.stderr


def test_an_engine_that_does_not_answer_is_said_with_its_remedy(shop: Project, live: RemoteHost) -> None:
    live.stop_engine()
    try:
        done = shop.inv("prod.plan", "--host", "sandbox", expect=1)
        status = shop.inv("prod.status", "--host", "sandbox", expect=1)
    finally:
        live.start_engine()
    assert "no Docker engine answers to user deploy" in done.stderr
    assert "inv host.setup --host sandbox" in done.stderr
    assert "no Docker engine answers" in status.stderr
    eventually(lambda: live.get("/")[0] == 200, 60)


def test_a_lost_host_is_said(shop: Project, live: RemoteHost) -> None:
    subprocess.run(["docker", "pause", live.container], check=True, capture_output=True)
    try:
        done = shop.inv("prod.plan", "--host", "sandbox", expect=1)
    finally:
        subprocess.run(["docker", "unpause", live.container], check=True, capture_output=True)
    assert "sandbox: cannot connect to" in done.stderr
