"""Watching a server while its tables change, and the network that a rehearsal has to itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.data.postgres import Postgres
from deploy.data.watch import relations, rewritten, watched
from deploy.model.errors import CommandError
from deploy.model.locks import Blocked, Held, blocked
from deploy.shell import LocalShell
from deploy.shell.packaged import packaged
from tests.conftest import ROOT
from tests.project import docker, unique


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A scratch server on a network of its own, with a table of some rows."""
    shell, name = LocalShell(ROOT), unique("watch")
    try:
        shell.run(packaged("data", "scratch.sh", "network", name, f"{name}-net"))
        shell.run(packaged("data", "scratch.sh", "postgres", name, name, "postgres:17", f"{name}-net", "db", "sql"))
        made = Postgres(shell, name)
        made.query("CREATE DATABASE shop", "postgres")
        made.query("CREATE TABLE orders AS SELECT n, n % 7 AS kind FROM generate_series(1, 1000) n", "shop")
        made.query("CREATE TABLE items (n int); CREATE TABLE notes (n int)", "shop")
        yield made
    finally:
        shell.run(packaged("data", "scratch.sh", "sweep", name))
        for kind in ("ps --all", "network ls", "volume ls"):
            assert docker(*kind.split(), "--quiet", "--filter", f"label=windlass.scratch={name}") == "", kind


def changed(server: Postgres, sql: str) -> tuple[tuple[Blocked, ...], tuple[str, ...], tuple[Held, ...]]:
    """What some statements did to the tables that were there before."""
    before = relations(server, {"shop": ""})
    with watched(server) as watch:
        server.query(sql, "shop")
    server.query("DROP DATABASE windlass_watch", "postgres")
    held = watch.held(before)
    return blocked(held), rewritten(before, relations(server, {"shop": ""})), held


def test_locks_that_keep_others_out_are_seen_and_those_that_do_not_are_left_out(server: Postgres) -> None:
    found, anew, _ = changed(
        server,
        """
        BEGIN; ALTER TABLE orders ALTER n TYPE bigint; SELECT pg_sleep(0.4); COMMIT;
        BEGIN; CREATE INDEX ON items (n); SELECT pg_sleep(0.4); COMMIT;
        BEGIN; INSERT INTO notes VALUES (1); CREATE TABLE fresh (n int); SELECT pg_sleep(0.4); COMMIT;
        """,
    )

    assert {one.table: one.reads_s is not None for one in found} == {"orders": True, "items": False}
    assert all(one.writes_s > 0 for one in found)
    assert anew == ("orders",)


def test_an_index_that_is_made_concurrently_waits_for_nobody_and_keeps_nobody_out(server: Postgres) -> None:
    """A session of the watch's in the same database would be waited for."""
    found, anew, _ = changed(server, "SET statement_timeout = '20s'; CREATE INDEX CONCURRENTLY ON orders (kind)")

    assert (found, anew) == ((), ())


def test_what_fails_while_it_is_watched_fails_as_it_is(server: Postgres) -> None:
    with pytest.raises(CommandError, match="status"), watched(server):
        server.query("SELECT no_such_column FROM orders", "shop")
    server.query("DROP DATABASE windlass_watch WITH (FORCE)", "postgres")


def test_on_its_network_it_is_found_by_every_name_and_nothing_else_is_not_even_the_host(server: Postgres) -> None:
    network = f"{server.container}-net"
    script = """
        for name in db sql "$0"; do psql --host $name --username postgres --dbname shop -Atqc "SELECT 'found'"; done
        own=$(hostname -i)
        said=$(timeout 5 bash -c "</dev/tcp/${own%.*}.1/22" 2>&1) && echo 'the host answers'
        case $said in *refused*) echo 'the host is there' ;; esac
        awk '$2 == "00000000" { print "a way out" }' /proc/net/route
    """
    words = ("run", "--rm", "--network", network, "--entrypoint", "bash", "postgres:17", "-c", script, server.container)
    assert docker(*words, check=False).splitlines() == ["found", "found", "found"]
