"""ProcGenie on a host: the story of every stack, then its replicas, its queue, its logs."""

from __future__ import annotations

import itertools
import json
import subprocess
import urllib.request
from collections import Counter
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.conftest import RemoteHost
from tests.lab.stack_story import TO_SANDBOX, StackStory
from tests.load import Load, Request
from tests.project import Project, eventually
from tests.reference import Reference
from tests.stack.browser import complaints, shown

API = "/api/v1"
NUMBERS = itertools.count()
# sh -c '…' _ WORD...: redis-cli with the password that the container knows
CLI = 'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli "$@"'


def new_request(number: int) -> str:
    return json.dumps({"title": f"desk {number}-{next(NUMBERS)}", "department": "Office", "amountCents": 49900})


def redis(project: Project, host: RemoteHost, *words: str) -> str:
    return host.run("docker", "exec", f"{project.name}-data-redis-1", "sh", "-c", CLI, "_", *words)


def of_service(project: Project, host: RemoteHost, service: str) -> list[str]:
    """Names of the live release's containers of a service."""
    return sorted(name for name in host.containers(f"{project.name}-2") if name.rsplit("-", 2)[1] == service)


def log_lines(project: Project, service: str) -> list[dict[str, Any]]:
    text = project.inv("prod.logs", *TO_SANDBOX, "--service", service, "--tail", "2000").stdout
    return [json.loads(line[line.index("{") :]) for line in text.splitlines() if line.endswith("}")]


class TestProcgenie(StackStory):
    reference = Reference(
        name="procgenie",
        page="/",
        shows="ProcGenie",
        port=80,
        dev_ports=("WEB_PORT", "API_PORT", "API_DEBUG_PORT", "DB_PORT_HOST", "REDIS_PORT_HOST"),
        requests=(Request("/"), Request(f"{API}/requests"), Request(f"{API}/requests", new_request)),
        change=("apps/procgenie/api/src/version.ts", '"1.0.0"', '"1.1.0"'),
        changed=(f"{API}/version", "1.1.0"),
        count="SELECT count(*) FROM purchase_request",
        destroy="TRUNCATE purchase_request",
        database="postgres",
    )
    stores = frozenset({"postgres/procgenie", "redis"})

    def put_in(self, project: Project, host: RemoteHost) -> None:
        redis(project, host, "set", "kept", "by a backup")

    def lose(self, project: Project, host: RemoteHost) -> None:
        redis(project, host, "flushall")

    def has(self, project: Project, host: RemoteHost) -> bool:
        return redis(project, host, "get", "kept") == "by a backup"

    def test_every_request_that_users_made_is_decided_once_restored(
        self, project: Project, released: RemoteHost
    ) -> None:
        left = "SELECT count(*) FROM purchase_request WHERE status = 'submitted'"
        eventually(lambda: self.rows(project, released, left) == "0", 60)
        assert self.rows(project, released, "SELECT DISTINCT status FROM purchase_request") == "approved"

    def test_a_request_made_in_the_page_is_decided_before_the_eyes(
        self, released: RemoteHost, browser: WebDriver
    ) -> None:
        complaints(browser)  # what other pages gave rise to
        browser.get(f"http://{released.address}/")
        eventually(lambda: browser.find_elements(By.NAME, "title"))
        for name, value in {"title": "Standing desk", "department": "Office", "amount": "4,990.00"}.items():
            browser.find_element(By.NAME, name).send_keys(value)
        browser.find_element(By.CSS_SELECTOR, "form button").click()

        eventually(lambda: "Standing desk Office 4,990.00 in review" in shown(browser))
        assert complaints(browser) == []

    @pytest.mark.usefixtures("released")
    def test_the_schema_was_made_by_a_named_migration(self, project: Project) -> None:
        first = json.loads(project.inv("prod.releases", *TO_SANDBOX, "--json").stdout)[-1]
        assert [one["names"] for one in first["migrations"]] == [["PurchaseRequests1764028800000"]]

    def test_both_replicas_of_both_services_answer_through_the_proxy(
        self, project: Project, released: RemoteHost
    ) -> None:
        for _ in range(20):
            assert released.get("/")[0] == 200
            assert released.get(f"{API}/version")[0] == 200
        upstreams = {line["upstream"] for line in log_lines(project, "nginx")[-40:]}
        ports = Counter(upstream.rsplit(":", 1)[1] for upstream in upstreams if "," not in upstream)
        assert ports == {"3000": 2, "4000": 2}

    def test_health_is_said_in_the_documented_shape(self, released: RemoteHost) -> None:
        status, body = released.get(f"{API}/health")
        health = json.loads(body)
        assert status == 200
        assert health["status"] == "ok"
        up = {"status": "up"}
        assert health["details"] == {"database": up, "redis": up, "memory": up}
        assert health["info"]["memory"]["rss"].endswith(" MB")

    def test_a_request_can_be_followed_from_the_proxy_to_the_decision(
        self, project: Project, released: RemoteHost
    ) -> None:
        sought = f"sought-{next(NUMBERS)}"
        request = urllib.request.Request(
            f"http://{released.address}{API}/requests",
            new_request(0).encode(),
            {"Content-Type": "application/json", "X-Request-Id": sought, "X-Tenant-Id": "acme", "X-User-Id": "jane"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
            assert answer.headers["X-Request-Id"] == sought

        def found() -> list[dict[str, Any]]:
            lines = [line for line in log_lines(project, "api") if line.get("requestId") == sought]
            return lines if len(lines) == 3 else []

        lines = eventually(found)
        assert {line["message"] for line in lines} == {"Request completed", "Request created", "Request decided"}
        assert {(line["tenantId"], line["userId"], line["level"]) for line in lines} == {("acme", "jane", "info")}
        assert [line["path"] for line in log_lines(project, "nginx") if line["requestId"] == sought] == [
            f"{API}/requests"
        ]

    def test_production_is_hardened(self, project: Project, released: RemoteHost) -> None:
        published = released.run("docker", "ps", "--format", "{{.Names}} {{.Ports}}")
        assert [line.split()[0] for line in published.splitlines() if "->" in line] == [f"{project.name}-edge-edge-1"]
        release, data = released.containers(f"{project.name}-2"), released.containers(f"{project.name}-data")
        assert len(release) == 5
        for name in (*release, *data):
            details = json.loads(released.run("docker", "container", "inspect", name))[0]["HostConfig"]
            assert details["ReadonlyRootfs"], name
            assert details["CapDrop"] == ["ALL"], name
            assert details["SecurityOpt"] == ["no-new-privileges:true"], name
            assert details["Memory"], name
            assert details["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}, name
        for name in (*release, f"{project.name}-data-redis-1"):
            assert released.run("docker", "exec", name, "id", "-u") != "0", name

    def test_no_secret_is_in_a_process_list(self, project: Project, released: RemoteHost) -> None:
        lines = (project.root / ".env.prod").read_text().splitlines()
        secrets = dict(line.split("=", 1) for line in lines if "_PASSWORD=" in line and not line.startswith("#"))
        assert set(secrets) == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
        processes = released.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        assert "redis-server" in processes
        for secret in secrets.values():
            assert len(secret) == 32
            assert secret not in processes

    def test_redis_asks_for_the_password_and_keeps_what_it_took(self, project: Project, released: RemoteHost) -> None:
        container = f"{project.name}-data-redis-1"
        assert "NOAUTH" in released.run("docker", "exec", container, "redis-cli", "ping")
        assert redis(project, released, "config", "get", "appendonly").split() == ["appendonly", "yes"]
        assert redis(project, released, "config", "get", "maxmemory-policy").split()[1] == "noeviction"

        redis(project, released, "set", "marker", "kept")
        # until it is on the disk
        redis(project, released, "waitaof", "1", "0", "5000")
        released.sh(f"kill -9 $(docker container inspect --format '{{{{.State.Pid}}}}' {container})")

        eventually(lambda: _or_none(lambda: redis(project, released, "get", "marker")) == "kept")
        eventually(lambda: released.get(f"{API}/health")[0] == 200)
        assert released.containers(f"{project.name}-data").keys() >= {container}

    def test_what_redis_lost_is_decided_all_the_same(self, project: Project, released: RemoteHost) -> None:
        statement = (
            "INSERT INTO purchase_request VALUES"
            " (gen_random_uuid(), 'public', 'lost', 'A', 200000000, 'submitted', now() - interval '1 minute')"
        )
        self.rows(project, released, statement)
        status = "SELECT status FROM purchase_request WHERE title = 'lost'"
        eventually(lambda: self.rows(project, released, status) == "in_review", 40)

    def test_postgres_is_tuned(self, project: Project, released: RemoteHost) -> None:
        settings = "SELECT current_setting('shared_buffers'), current_setting('wal_compression')"
        assert self.rows(project, released, settings) == "256MB|zstd"

    def test_a_replica_that_is_killed_takes_no_read_with_it(self, project: Project, released: RemoteHost) -> None:
        victim = of_service(project, released, "api")[0]
        pid = released.run("docker", "container", "inspect", "--format", "{{.State.Pid}}", victim)
        with Load(released.address, 80, (Request(f"{API}/requests"),)) as load:
            eventually(lambda: load.sent > 50)
            released.sh(f"kill -9 {pid}")
            seen = load.sent
            eventually(lambda: load.sent > seen + 200)
        assert load.failed == {}
        eventually(lambda: _healthy(released, victim))

    @pytest.mark.usefixtures("released")
    def test_logs_and_exec_reach_the_live_release(self, project: Project) -> None:
        assert "Ready to accept connections" in project.inv("prod.logs", *TO_SANDBOX, "--service", "redis").stdout
        shown = project.inv("prod.exec", "api", "node dist/migrate.js pending", *TO_SANDBOX)
        assert shown.stdout.strip() == ""
        assert project.inv("prod.exec", "api", "sh -c 'exit 9'", *TO_SANDBOX, expect=9).returncode == 9
        eventually(lambda: project.attempt("prod.status", *TO_SANDBOX).returncode == 0)


def _or_none(ask: Any) -> Any:
    """What it says, or nothing while the container is away."""
    try:
        return ask()
    except (AssertionError, subprocess.CalledProcessError):
        return None


def _healthy(host: RemoteHost, container: str) -> bool:
    return host.run("docker", "container", "inspect", "--format", "{{.State.Health.Status}}", container) == "healthy"
