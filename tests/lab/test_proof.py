"""What a plan says, what a deploy then does, and what is found later of changes made by hand: all from the outside."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.conftest import RemoteHost, new_shop, raise_host
from tests.load import Load, Request
from tests.project import Project, eventually

ON = ("--host", "sandbox")
LEDGER = """\
  ledger:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}
    volumes: ["books:/var/lib/postgresql/data", "./ledger.conf:/etc/ledger.conf:ro"]
    restart: unless-stopped
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A shop of its own, edited from one test to the next."""
    with new_shop(tmp_path_factory.mktemp("proof"), "proof") as project:
        (project.root / ".env.prod").write_text("DB_PASSWORD=hush-hush-9\nGREETING=hello\n")
        yield project


@pytest.fixture(scope="module")
def host(project: Project) -> RemoteHost:
    return raise_host(project)


def plan_of(project: Project) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(project.inv("prod.plan", *ON, "--json").stdout)[0]
    return plan


def last_change(project: Project) -> dict[str, Any]:
    change: dict[str, Any] = json.loads(project.inv("prod.releases", *ON, "--json").stdout)[0]
    return change


def planned_and_done(project: Project) -> tuple[dict[str, Any], str]:
    """A plan that a deploy was seen to carry out to the letter, and what that deploy printed."""
    plan = plan_of(project)
    done = project.inv("prod.deploy", *ON, "--yes")
    change = last_change(project)
    if plan["noop"]:
        assert change["release"] == plan["previous"]
        return plan, done.stderr

    seen = {(one["part"], one["name"]): one for one in change["services"]}
    edge = seen.pop(("edge", "edge"))
    assert {key: one["action"] for key, one in seen.items()} == {
        (part, one["name"]): one["action"]
        for part, ones in (("release", plan["services"]), ("data", plan["data"]))
        for one in ones
    }
    expected = {"start": "create", "switch": "keep", "reload": "keep", "recreate": "replace"}
    assert edge["action"] == expected[plan["edge"]]
    assert sorted(change["pushed"]) == sorted(plan["push"])
    assert change["previous"] == plan["previous"]
    assert "was to be" not in done.stderr
    assert "not planned" not in done.stderr
    assert "hush-hush-9" not in json.dumps([plan, change]) + done.stderr
    return plan, done.stderr


def actions(plan: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["action"] for one in (*plan["data"], *plan["services"])}


def changes(plan: dict[str, Any], service: str) -> dict[str, tuple[str, str]]:
    (found,) = (one for one in (*plan["data"], *plan["services"]) if one["name"] == service)
    return {one["path"]: (one["before"], one["after"]) for one in found["changes"]}


def test_a_first_deploy_does_what_its_plan_says(project: Project, host: RemoteHost) -> None:
    plan, _ = planned_and_done(project)

    assert set(actions(plan).values()) == {"create"}
    assert plan["ports_before"] == []


def test_nothing_to_do_is_nothing_done(project: Project, host: RemoteHost) -> None:
    before = host.containers(project.name)
    plan, _ = planned_and_done(project)

    assert plan["noop"]
    assert set(actions(plan).values()) == {"keep"}
    assert host.containers(project.name) == before


def test_changed_configuration_is_told_value_by_value_with_secrets_masked(project: Project, host: RemoteHost) -> None:
    (project.root / ".env.prod").write_text("DB_PASSWORD=hush-hush-9\nGREETING=good morning\nHTTP_PORT=8081\n")
    project.edit("compose.yaml", "check.py], interval: 10s", "check.py], interval: 9s")
    project.edit("compose.yaml", "worker.py]", 'worker.py, "--password=${DB_PASSWORD}"]')
    project.edit("nginx/default.conf", "location / {", "# hello\n    location / {")
    plan, shown = planned_and_done(project)

    assert changes(plan, "backend") == {"environment.GREETING": ("•••", "•••"), "healthcheck.interval": ("10s", "9s")}
    assert changes(plan, "worker") == {"command": ("•••", "•••")}
    assert changes(plan, "nginx")["ports"] == ("80:80, 7000:7000", "7000:7000, 8081:80")
    (nginx,) = (one for one in plan["services"] if one["name"] == "nginx")
    assert nginx["files"][0]["path"] == "nginx/default.conf"
    assert "+    # hello" in nginx["files"][0]["lines"]
    assert "healthcheck.interval: 10s → 9s" in shown
    assert "port 80 no longer answers, port 8081 answers" in shown
    assert plan["edge"] == "recreate"
    assert plan["build"] == []


def test_one_changed_line_of_code_and_a_new_data_service(project: Project, host: RemoteHost) -> None:
    project.edit("app/web.py", '"v1"', '"v2"')
    (project.root / "ledger.conf").write_text("pages = 1\n")
    project.edit("compose.yaml", "\nvolumes:\n", f"\n{LEDGER}\nvolumes:\n  books:\n")
    plan, _ = planned_and_done(project)

    assert plan["build"] == ["backend", "worker"]
    moved = dict.fromkeys(("backend", "worker", "nginx"), "replace")
    assert actions(plan) == {"db": "keep", "ledger": "create"} | moved
    assert last_change(project)["steps"]["Switch"] > 0


def test_a_data_service_with_another_file_is_replaced(project: Project, host: RemoteHost) -> None:
    """A server does not look at a changed file again by itself, and compose sees no change in it."""
    (project.root / "ledger.conf").write_text("pages = 2\n")
    plan, _ = planned_and_done(project)

    assert actions(plan)["ledger"] == "replace"
    assert plan["data"][1]["files"] == [{"path": "ledger.conf", "lines": ["@@ -1 +1 @@", "-pages = 1", "+pages = 2"]}]
    assert plan["data"][1]["gap_s"] is None
    (project.root / "ledger.conf").write_text("pages = 3\n")
    assert plan_of(project)["data"][1]["gap_s"] > 0, "measured when it was replaced before"
    (project.root / "ledger.conf").write_text("pages = 2\n")


def drift(project: Project, expect: int = 1) -> dict[str, str]:
    document = json.loads(project.inv("prod.drift", *ON, "--json", expect=expect).stdout)[0]
    return {one["name"]: one["text"] for one in document["drift"]}


def test_a_host_as_deploys_left_it_has_not_drifted(project: Project, host: RemoteHost) -> None:
    assert drift(project, expect=0) == {}


def test_what_was_changed_by_hand_is_found(project: Project, host: RemoteHost) -> None:
    root = f"/opt/{project.name}"
    live = last_change(project)["release"]
    nginx, edge = f"{project.name}-{live}-nginx-1", f"{project.name}-edge-edge-1"
    conf = f"{root}/releases/{live}/files/nginx/default.conf"
    host.sh(f"cp -p {conf} /tmp/kept && echo '# mine' >>{conf} && cp {root}/edge/etc/haproxy.cfg /tmp/cfg")
    host.sh(f"echo '# mine' >>{root}/edge/etc/haproxy.cfg")
    host.run("docker", "network", "connect", "bridge", nginx)
    image = host.run("docker", "container", "inspect", "--format", "{{.Config.Image}}", nginx)
    kept = host.run("docker", "image", "inspect", "--format", "{{.Id}}", image)
    host.run("docker", "tag", "postgres:17", image)
    found = drift(project)
    shown = project.inv("prod.drift", *ON, expect=1)

    assert found == {
        conf: "is not as it was staged: changed by hand, or by the service that it is mounted into",
        nginx: "was put into the network bridge",
        image: f"of {nginx} names another image now: it would not come back as it is",
        f"{root}/edge/etc/haproxy.cfg": "is not as this version writes it for the edge's state",
    }
    assert f"docker network disconnect bridge {nginx}" in shown.stderr
    assert "4 changes by hand found" in shown.stderr
    project.edit("app/web.py", '"v2"', '"v2 "')
    assert f"{conf} was changed on the host: inv prod.drift says more" in plan_of(project)["warnings"]
    project.edit("app/web.py", '"v2 "', '"v2"')

    host.sh(f"cp -p /tmp/kept {conf} && cat /tmp/cfg >{root}/edge/etc/haproxy.cfg")
    host.run("docker", "network", "disconnect", "bridge", nginx)
    host.run("docker", "tag", kept, image)
    assert drift(project, expect=0) == {}
    worker = f"{project.name}-{live}-worker-1"
    compose = f"{root}/releases/{live}/compose.yaml"
    up = f"docker compose --file {compose} up --detach --no-deps worker 2>/dev/null"
    host.sh(f"cp -p {compose} /tmp/kept && sed -i s/hush-hush-9/mine/ {compose} && {up} && cp -p /tmp/kept {compose}")
    assert drift(project) == {worker: "was made from another definition than its compose file has"}
    host.sh(up)
    assert drift(project, expect=0) == {}
    admin = "exec 3<>/dev/tcp/127.0.0.1/9999; echo 'set map /usr/local/etc/haproxy/live.map live none' >&3; cat <&3"
    slot = json.loads(host.sh(f"cat {root}/edge/state.json"))["live"]
    host.run("docker", "exec", edge, "bash", "-c", admin)
    assert drift(project)["the edge"] == f"serves the slot none, its state on disk says {slot}"
    host.run("docker", "exec", edge, "bash", "-c", admin.replace("none", slot))


def test_a_warm_release_is_gone_back_to_without_starting_anything(project: Project, host: RemoteHost) -> None:
    (project.root / "invoke.yaml").write_text("deploy: {environments: {prod: {keep_warm_s: 300}}}\n")
    before = host.containers(f"{project.name}-2")
    project.edit("app/web.py", '"v2"', '"v3"')
    project.inv("prod.deploy", *ON, "--yes")

    running = host.containers(f"{project.name}-2")
    warm = {name: one for name, one in before.items() if "-worker-" not in name}
    assert warm.items() <= running.items(), "the release before runs on, without its worker"
    assert len(running) == len(before) + len(warm)
    assert plan_of(project)["noop"], "it is no leftover"
    assert drift(project, expect=0) == {}
    assert "is kept warm for" in project.inv("prod.status", *ON).stdout

    with Load(host.address, 8081, (Request("/"), Request("/", str))) as load:
        project.inv("prod.rollback", *ON, "--yes")
    assert load.failed == {}
    assert host.get("/", 8081)[1].startswith("v2")
    assert warm.items() <= host.containers(f"{project.name}-2").items()
    change = last_change(project)
    assert {one["name"]: one["action"] for one in change["services"]}["backend"] == "replace"
    took = {title: seconds for title, seconds in change["steps"].items() if not title.startswith("Drain")}
    print(f"warm rollback: {sum(took.values()):.1f} s up to the switch and beside the drain: {took}")  # noqa: T201


def test_a_warm_release_is_stopped_when_its_time_is_over(project: Project, host: RemoteHost) -> None:
    (project.root / "invoke.yaml").write_text("deploy: {environments: {prod: {keep_warm_s: 8}}}\n")
    before = host.containers(f"{project.name}-2")
    project.edit("app/web.py", '"v3"', '"v4"')
    project.inv("prod.deploy", *ON, "--yes")
    serving = host.containers(f"{project.name}-2").keys() - before.keys()

    eventually(lambda: host.containers(f"{project.name}-2").keys() == serving, 60)
    assert drift(project, expect=0) == {}
    assert host.get("/", 8081)[1].startswith("v4")
    began = time.monotonic()
    project.inv("prod.rollback", *ON, "--yes")
    print(f"cold rollback: {time.monotonic() - began:.1f} s")  # noqa: T201
    assert host.get("/", 8081)[1].startswith("v2")


def test_a_locked_project_is_neither_pruned_nor_restarted(project: Project, host: RemoteHost) -> None:
    project.inv("prod.lock", "--message", "payment run", *ON)
    try:
        for words in (("prod.prune", "--keep", "1"), ("prod.restart",), ("prod.rollback",)):
            assert "payment run" in project.inv(*words, *ON, "--yes", expect=1).stderr, words
    finally:
        project.inv("prod.unlock", *ON)


def test_old_releases_go_when_the_disk_is_short(project: Project, host: RemoteHost) -> None:
    """With a disk that is always short: the live release and the one before stay even then."""
    (project.root / "invoke.yaml").write_text("deploy: {environments: {prod: {keep: 9, keep_free: 900TB}}}\n")
    assert len(host.sh(f"ls /opt/{project.name}/releases").split()) > 2
    project.inv("prod.prune", *ON, "--yes")

    kept = host.sh(f"ls /opt/{project.name}/releases").split()
    assert len(kept) == 2
    project.inv("prod.rollback", *ON, "--yes")
    assert last_change(project)["release"] in kept


def test_services_that_are_gone_are_removed_even_the_last_data_service(project: Project, host: RemoteHost) -> None:
    text = (project.root / "compose.yaml").read_text().replace(LEDGER, "")
    head, _, rest = text.partition("  db:\n")
    _, _, app = rest.partition("  backend:\n")
    backend, _, more = app.partition("  worker:\n")
    _, _, nginx = more.partition("  nginx:\n")
    backend = backend.replace("    depends_on:\n      db: {condition: service_healthy}\n", "")
    (project.root / "compose.yaml").write_text(f"{head}  backend:\n{backend}  nginx:\n{nginx}")
    plan, _ = planned_and_done(project)

    gone = dict.fromkeys(("db", "ledger", "worker"), "remove")
    assert actions(plan) == gone | {"backend": "replace", "nginx": "replace"}
    assert plan_of(project)["noop"]
    assert drift(project, expect=0) == {}
