"""Facts: what facts.sh prints, and the checks of a host."""

from __future__ import annotations

import dataclasses
import subprocess
from datetime import timedelta
from importlib import resources
from typing import Any

import pytest

from deploy.model.checks import check_carried, check_host, require_none
from deploy.model.command import Command
from deploy.model.edge import Tls
from deploy.model.errors import DeployError
from deploy.model.facts import Container, Facts, Machine, parse_facts
from deploy.release.site import Site
from deploy.shell import Completed, LocalShell
from tests.unit.examples import LAYOUT, NOW, broken, facts, model, record, stack

RECORD = record()
TEXT = f"""\
@@host
user=deploy
arch=x86_64
now=1795262400
timezone=+0000
distribution=Debian GNU/Linux 13 (trixie)
root_writable=yes
root_free_kb=1000
zstd=yes
@@engine
version=26.1.5
compose=2.26.1
data_free_kb=2000
@@machine
memory_kb=4000
memory_total_kb=8000
swap_kb=0
/var/lib/apt/lists=1795262400
/var/lib/apt/lists/partial=1795262000
/var/lib/dpkg/status=1795262300
reboot=linux-image-amd64 linux-base .
addresses=203.0.113.7 2001:db8::7
firewall_ufw=yes
guarded=80 443
@@memory
c0ffee 2000
@@images
sha256:aa postgres:17
sha256:bb <none>:<none>
@@layers
sha256:aa sha256:1 sha256:2
sha256:bb
@@containers
shop-data-db-1\trunning\tUp 2 minutes (healthy)\tshop-data\tdb\tpostgres:17\t5432/tcp\tc0ffee
shop-x-web-1\trunning\tUp 3 seconds (health: starting)\tshop-x\tweb\tshop/web:1\t\tbeef
@@listening
0.0.0.0:22
[::]:80
@@current
{RECORD.id}
@@release {RECORD.id}
{RECORD.to_json()}
@@release broken
{{
@@warm
{RECORD.id}=1795262460
@@data
{{"db": {{"image": "1"}}}}
@@end
"""


def test_facts_are_read() -> None:
    found = parse_facts(TEXT, "app1")

    assert (found.user, found.architecture, found.engine_version, found.compose_version) == (
        "deploy",
        "amd64",
        "26.1.5",
        "2.26.1",
    )
    assert found.images == {"postgres:17": "sha256:aa"}
    assert found.layers == {"sha256:aa": ("sha256:1", "sha256:2"), "sha256:bb": ()}
    assert (found.zstd, found.memory_bytes) == (True, 4000 << 10)
    assert [container.health for container in found.containers] == ["healthy", "starting"]
    assert found.listening == {22, 80}
    assert found.releases == {RECORD.id: RECORD}
    assert found.live == RECORD
    assert found.unreadable[0].startswith("app1: release broken: cannot be read")
    assert found.root_writable
    assert not found.sudo
    assert found.data == {"db": {"image": "1"}}
    assert [container.id for container in found.containers] == ["c0ffee", "beef"]
    assert found.warm == {RECORD.id: found.now + timedelta(minutes=1)}
    assert found.machine == Machine(
        memory_bytes=8000 << 10,
        swap_bytes=0,
        lists_at=found.now,
        packages_at=found.now - timedelta(seconds=100),
        reboot="linux-image-amd64, linux-base",
        firewalls=("ufw",),
        guarded=frozenset({80, 443}),
        addresses=("203.0.113.7", "2001:db8::7"),
        memory_of={"c0ffee": 2000},
    )


def test_half_a_text_is_not_taken_for_facts() -> None:
    with pytest.raises(DeployError, match="app1: its facts could not be read"):
        parse_facts(TEXT.removesuffix("@@end\n"), "app1")


def test_an_engine_that_does_not_answer_is_told_of_in_its_clients_words() -> None:
    text = TEXT.replace("version=26.1.5\n", "permission denied while connecting\nversion=\n")

    found = parse_facts(text, "app1")

    assert (found.engine_version, found.engine_error) == ("", "permission denied while connecting")
    assert found.compose_version == "2.26.1"


def test_a_folder_of_somebody_else_is_not_taken_for_an_empty_host() -> None:
    class Told(LocalShell):
        def run(self, command: Command, **_: Any) -> Completed:
            return Completed(command, 0, TEXT.replace("root_writable=yes", "closed_by=ship"), "")

    with pytest.raises(DeployError, match="/opt/shop is of user ship, and user deploy cannot look into it"):
        Site(Told(), LAYOUT, "app1").facts()


def test_the_script_prints_what_is_read(tmp_path: Any) -> None:
    """Here without an engine to ask or a project to find: on a real host the lab tests run it."""
    script = resources.files("deploy.remote.scripts").joinpath("facts.sh").read_text()
    done = subprocess.run(
        ["sh", "-eu", "-c", script, "facts", str(tmp_path / "none"), "shop"], capture_output=True, text=True, check=True
    )

    found = parse_facts(done.stdout, "here")

    assert found.live is None
    assert found.releases == {}
    assert found.root_writable
    assert found.machine.memory_bytes > found.memory_bytes > 0
    assert found.machine.addresses


def check(found: Facts, **changes: Any) -> list[str]:
    values: dict[str, Any] = {"architecture": "amd64", "incoming_bytes": 0, "now": NOW} | changes
    return [str(problem) for problem in check_host(found, RECORD, LAYOUT, **values)]


def test_a_good_host_has_no_problems() -> None:
    assert check(facts()) == []
    assert check(facts(RECORD)) == []


@pytest.mark.parametrize(
    ("found", "changes", "problem"),
    [
        (
            {"engine_version": "", "engine_error": "permission denied"},
            {},
            "no Docker engine answers to user deploy: permission denied → inv host.setup --host app1",
        ),
        (
            {"engine_version": "", "engine_error": "permission denied", "sudo": True},
            {},
            "inv host.setup --host app1; or `sudo: true` for the environment, where deploy shall not be in the group",
        ),
        (
            {"frozen": {"by": "ada@laptop", "since": "2026-11-21T12:00:00+00:00", "message": "payment run"}},
            {},
            "locked by ada@laptop since 2026-11-21T12:00:00+00:00: payment run",
        ),
        ({"engine_version": "19.03.1"}, {}, "Docker Engine 19.03.1 is older than 20.10"),
        (
            {"engine_version": "20.10.24", "zstd": False},
            {},
            "Docker Engine 20.10.24 cannot read zstd, and there is no zstd to do it",
        ),
        ({"compose_version": ""}, {}, "docker compose v2 is not installed → inv host.setup --host app1"),
        ({"compose_version": "2.2.0"}, {}, "docker compose 2.2.0 is older than 2.17"),
        ({"architecture": "arm64"}, {}, "the host is arm64, images would be built for amd64"),
        (
            {"listening": frozenset({22, 443})},
            {"tls": Tls({"shop.example.com": "nginx"}, "ops@example.com", "https://ca.example.com/dir")},
            "port 443 (for certificates) is held by a process outside Docker → stop it, or set `acme: false`",
        ),
        ({"root_writable": False}, {}, "user deploy can neither write to /opt/shop nor use sudo"),
        ({"data_free_bytes": 2 << 30}, {"incoming_bytes": 1 << 30}, "2.1 GB are free, 3.4 GB are needed"),
        ({"listening": frozenset({80})}, {}, "port 80 (for nginx) is held by a process outside Docker"),
        ({}, {"now": NOW + timedelta(hours=1)}, "the host's clock is off by 1:00:00"),
        ({"unreadable": ("app1: release x",)}, {}, "app1: release x"),
    ],
)
def test_problems_of_a_host_are_named_with_their_remedy(
    found: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    assert any(problem in text for text in check(facts(**found), **changes))


def test_the_container_that_holds_a_port_is_named() -> None:
    holder = Container("old_nginx_1", "running", "Up", "old", "nginx", "nginx", "0.0.0.0:80->80/tcp")

    assert check(facts(listening=frozenset({80}), containers=(holder,))) == [
        "port 80 (for nginx) is held by the container old_nginx_1 → stop it, or publish another port"
    ]


def test_the_edge_of_the_project_may_hold_its_port() -> None:
    assert check(facts(RECORD, listening=frozenset({80}))) == []


def test_every_problem_is_reported_at_once() -> None:
    problems = check_host(
        facts(compose_version="", architecture="arm64"), RECORD, LAYOUT, architecture="amd64", incoming_bytes=0, now=NOW
    )

    with pytest.raises(DeployError) as caught:
        require_none(problems, "app1")

    assert caught.value.message == "app1: 2 problems found before anything was touched"
    assert len(caught.value.details.splitlines()) == 2


def local(document: dict[str, Any]) -> list[tuple[str, bool]]:
    return [(problem.message, problem.fatal) for problem in broken(document)]


def test_blank_secrets_are_found_before_anything_is_built() -> None:
    document = model()
    document["services"]["db"]["environment"] = {"POSTGRES_PASSWORD": "", "POSTGRES_PASSWORD_FILE": ""}
    document["services"]["backend"]["environment"] = {"SENTRY_TOKEN": ""}

    blank = [found for found in local(document) if found[0].endswith("is blank")]
    assert blank == [("db: POSTGRES_PASSWORD is blank", True), ("backend: SENTRY_TOKEN is blank", False)]


def test_what_will_not_survive_a_reboot_is_noted() -> None:
    document = model()
    del document["services"]["backend"]["restart"]

    assert ("backend has no restart policy: it stays down after a reboot of the host", False) in local(document)


def test_a_database_without_a_health_check_is_noted() -> None:
    document = model()
    del document["services"]["db"]["healthcheck"]

    assert any("db has no health check" in message for message, _ in local(document))


def test_an_app_service_cannot_share_the_network_of_a_data_service() -> None:
    document = model()
    document["services"]["backend"]["network_mode"] = "service:db"

    assert any("shares the network of db" in one.message and one.fatal for one in check_carried(stack(document)))


def test_containers_of_a_release_are_told_from_others() -> None:
    found = facts(RECORD)

    assert {one.service for one in found.release_containers(LAYOUT, RECORD.id)} == {"backend", "worker", "nginx"}
    assert dataclasses.replace(found, edge_serves="").live == RECORD


def test_a_name_that_no_resolver_asks_for_is_an_error() -> None:
    layout = dataclasses.replace(LAYOUT, project="customer-portal-production")
    release = dataclasses.replace(RECORD, id="20261125-091353-8f25ddf-dirty")

    (problem,) = check_host(facts(), release, layout, architecture="amd64", incoming_bytes=0, now=NOW)

    assert "customer-portal-production-20261125-091353-8f25ddf-dirty-nginx-1: 64 characters" in problem.message
    assert "at most 25 characters" in problem.remedy
    shorter = dataclasses.replace(LAYOUT, project="customer-portal-productio")
    assert not list(check_host(facts(), release, shorter, architecture="amd64", incoming_bytes=0, now=NOW))
