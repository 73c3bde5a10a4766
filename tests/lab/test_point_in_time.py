"""Point in time on a host: turned on, a mistake taken back, and deploys that leave the data services alone."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.conftest import RemoteHost
from tests.project import Project, eventually

ON = ("image: postgres:17\n", "image: postgres:17\n    x-deploy: {point_in_time: true}\n")
HOST = ("--host", "sandbox")
PROD = ("--env", "prod", *HOST)
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US\"Z\"')"


@pytest.fixture(scope="module")
def live(shop: Project, host: RemoteHost) -> RemoteHost:
    """The host with a release that keeps no WAL."""
    shop.inv("prod.deploy", *HOST, "--yes")
    rows(shop, host, "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS id")
    return host


def rows(shop: Project, host: RemoteHost, statement: str) -> str:
    return host.run("docker", "exec", f"{shop.name}-data-db-1", "psql", "-U", "postgres", "-tAc", statement).strip()


def data(shop: Project, host: RemoteHost) -> dict[str, str]:
    return host.containers(f"{shop.name}-data")


def test_turning_it_on_is_planned_and_nothing_else_is_touched_by_it(shop: Project, live: RemoteHost) -> None:
    none = shop.inv("db.restore", "--at", "2026-01-01 10:00", *PROD, expect=2)
    assert "no database on sandbox keeps its WAL" in none.stderr
    shop.edit("compose.yaml", *ON)
    before = data(shop, live)

    plan = shop.inv("prod.plan", *HOST).stdout
    done = shop.inv("prod.deploy", *HOST, "--yes")

    assert "db-wal" in plan
    assert "not planned" not in done.stderr
    assert "was to be" not in done.stderr
    assert sorted(data(shop, live)) == sorted([*before, f"{shop.name}-data-db-wal-1"])
    assert rows(shop, live, "SELECT count(*) FROM orders") == "1000"
    assert "no base backup yet" in eventually(lambda: shop.inv("prod.status", *HOST).stdout)
    early = shop.inv("db.restore", "--at", "2026-01-01 10:00", *PROD, expect=2)
    assert "nothing of it can be had" in early.stderr


def test_a_mistake_is_taken_back_to_the_second(shop: Project, live: RemoteHost) -> None:
    made = shop.inv("db.backup", *PROD)
    parts = json.loads(shop.inv("db.backups", *PROD, "--json").stdout)[-1]["parts"]
    assert [one["name"] for one in parts if one["kind"] == "base"] == ["db/base"]
    rows(shop, live, "INSERT INTO orders VALUES (1001)")
    moment = rows(shop, live, NOW)
    rows(shop, live, "DELETE FROM orders WHERE id > 10")
    rows(shop, live, "INSERT INTO orders VALUES (2000)")

    done = shop.inv("db.restore", "--at", moment, *PROD, "--yes")

    assert f"from the base in {made.stdout.strip().rpartition('/')[2]}" in done.stderr
    assert "db/postgres public.orders: 11 now, 1001 after" in done.stderr
    assert rows(shop, live, "SELECT count(*), max(id) FROM orders") == "1001|1001"
    labels = [one["label"] for one in json.loads(shop.inv("db.backups", *PROD, "--json").stdout)]
    assert labels[-2:] == ["point-in-time", "pre-restore"]
    assert live.sh("docker ps --all --quiet --filter label=windlass.scratch") == ""


def test_another_database_of_a_moment_is_looked_at_beside_the_live_one(shop: Project, live: RemoteHost) -> None:
    """The database itself was swapped by the restore: its WAL goes on, and so do the moments that can be had."""
    moment = rows(shop, live, NOW)
    rows(shop, live, "DROP TABLE orders CASCADE")

    shop.inv("db.restore", "--at", moment, "--only", "db/postgres", "--into", "before", *PROD)

    count = ("psql", "-U", "postgres", "-d", "before", "-tAc", "SELECT count(*) FROM orders")
    assert live.run("docker", "exec", f"{shop.name}-data-db-1", *count) == "1001"
    assert rows(shop, live, "SELECT to_regclass('orders')") == ""


def test_a_moment_that_cannot_be_had_is_refused_and_told_which_can(shop: Project, live: RemoteHost) -> None:
    done = shop.inv("db.restore", "--at", "2026-01-01 10:00Z", *PROD, "--yes", expect=2)

    assert re.search(r"it can be had from 20\S+ \S+ \S+ to 20\S+ \S+ \S+", done.stderr)


def test_a_drill_proves_the_base_and_wal_from_before_it_is_removed(shop: Project, live: RemoteHost) -> None:
    shop.inv("db.backup", *PROD)
    shop.inv("db.drill", *PROD)
    newest = json.loads(shop.inv("db.backups", *PROD, "--json").stdout)[-1]
    assert newest["proved"]
    assert "db/base" in [one["name"] for one in newest["parts"]]
    (shop.root / "invoke.yaml").write_text(
        "deploy: {environments: {prod: {backup_keep: {last: 1, daily: 1, weekly: 1, monthly: 1, automatic: 1}}}}\n"
    )
    archive = f"find /opt/{shop.name}/backups/.wal -type f | wc -l"
    before = int(live.sh(archive))

    done = shop.inv("db.prune", *PROD, "--yes")

    assert "of WAL from before every base that is kept" in done.stdout
    assert int(live.sh(archive)) < before
    moment = rows(shop, live, NOW)
    shop.inv("db.restore", "--at", moment, "--only", "db/before", "--into", "still", *PROD)
    assert "every moment since " in shop.inv("prod.status", *HOST).stdout


def test_it_comes_back_with_the_engine(shop: Project, live: RemoteHost) -> None:
    live.stop_engine()
    live.start_engine()

    eventually(lambda: shop.inv("prod.status", *HOST), 120)


def test_deploys_leave_it_alone(shop: Project, live: RemoteHost) -> None:
    before = data(shop, live)
    shop.edit("app/web.py", '"v1"', '"v2"')

    shop.inv("prod.deploy", *HOST, "--yes")

    assert data(shop, live) == before


def test_a_receiver_that_is_stopped_is_told_and_another_image_is_one_for_both(shop: Project, live: RemoteHost) -> None:
    before = data(shop, live)
    live.run("docker", "stop", f"{shop.name}-data-db-wal-1")
    status = shop.inv("prod.status", *HOST, expect=1)
    assert "db: its WAL is not received, " in status.stderr
    assert "db-wal does not run" in status.stderr
    taken = shop.inv("db.backup", *PROD, expect=1)
    assert "has nothing for point in time to go on from" in taken.stderr
    shop.edit("compose.yaml", "image: postgres:17\n", "image: postgres:17-alpine\n")

    shop.inv("prod.deploy", *HOST, "--yes")

    after = data(shop, live)
    assert sorted(after) == sorted(before)
    assert not {*after.values()} & {*before.values()}
    eventually(lambda: shop.inv("prod.status", *HOST))
