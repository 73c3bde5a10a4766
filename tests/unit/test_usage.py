"""What a host's status says of backups and disk, and which releases go when it is short."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from deploy.model.journal import Entry, Outcome
from deploy.model.settings import KeepFree, parse_settings
from deploy.model.usage import Usage, backup_problems, newest_backups, parse_usage
from deploy.release.change import Change
from deploy.release.prune import releases_to_remove, spare_releases
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui.reports import backup_lines, disk_line, status_problems, warm_lines
from tests.unit.examples import LAYOUT, NOW, facts, record, running, service
from tests.unit.test_records import MANIFEST

LIVE = record("20261121-110000-0000000")


def test_what_a_project_takes_is_read() -> None:
    text = "releases=12\nbackups=2000\nshared=\nimage=100\nimage=50\n"
    assert parse_usage(text) == Usage(12 << 10, 2000 << 10, 0, 2, 150)


def test_the_disk_is_one_line() -> None:
    assert disk_line(facts(LIVE, data_free_bytes=5 * 10**9, data_bytes=10**10), Usage(1000, 2000, 0, 2, 150)) == (
        "disk: 5.0 GB of 10.0 GB free; releases 1.0 kB, backups 2.0 kB, shared 0 B; 2 images, at most 150 B"
    )


def test_the_newest_backup_of_each_database_counts() -> None:
    older = dataclasses.replace(MANIFEST, id="older", started_at=NOW - timedelta(hours=30))
    newer = dataclasses.replace(MANIFEST, id="newer", started_at=NOW - timedelta(hours=3))
    stranger = dataclasses.replace(MANIFEST, parts=())
    newest = newest_backups((newer, older, stranger), ("db", "audit"))

    assert newest == {"db": newer, "audit": None}
    assert list(backup_lines(newest, {"db": older, "audit": None}, NOW)) == [
        "backup of db: 3 h ago, 100 B, newer, not proved by a drill",
        "backup of audit: none yet",
    ]
    assert next(backup_lines(newest, newest, NOW)).endswith("newer, proved")
    assert backup_problems(newest, NOW, timedelta()) == ()
    assert backup_problems(newest, NOW, timedelta(hours=24)) == ("audit has no backup",)
    assert backup_problems({"db": None}, NOW, timedelta(hours=24), "proved backup") == ("db has no proved backup",)
    assert backup_problems({"db": older}, NOW, timedelta(hours=24)) == ("the newest backup of db is 30 h old",)


def test_fewer_containers_than_there_should_be_are_a_problem() -> None:
    services = dict(LIVE.services) | {"backend": service(replicas=2)}
    live = dataclasses.replace(LIVE, services=services)
    assert status_problems(facts(live), LAYOUT) == ("backend has 1 of 2 containers",)


def test_what_is_kept_warm_is_said_until_it_is_not() -> None:
    warm = {"r1": NOW + timedelta(minutes=3), "r2": NOW - timedelta(minutes=3)}
    assert list(warm_lines(facts(LIVE, warm=warm))) == [
        "r1 is kept warm for 3 min 00 s more: a rollback to it starts nothing"
    ]


def change(*ids: str, keep: int) -> Change:
    """A change to the last of some releases, all of which have served."""
    records = {name: record(name) for name in ids}
    journal = tuple(Entry(NOW, Outcome.DEPLOYED, name, "ada@laptop") for name in ids)
    found = facts(records[ids[-1]], releases=records, journal=journal, containers=running(records[ids[-1]]))
    prod = parse_settings({}, folder="shop").environment("prod")
    environment = dataclasses.replace(prod, keep=keep, keep_free=KeepFree(share=0.2))
    return Change(Site(LocalShell(), LAYOUT, "shop.example.com"), environment, found, record("r9"))


def test_releases_beyond_the_number_to_keep_go() -> None:
    assert releases_to_remove(change("r1", "r2", "r3", "r4", keep=3)) == ("r2", "r1")


def test_when_the_disk_is_short_the_oldest_go_first_and_the_live_one_and_the_one_before_stay() -> None:
    coming = change("r1", "r2", "r3", "r4", keep=9)
    assert [one.id for one in spare_releases(coming, coming.facts.releases.values())] == ["r1", "r2", "r3"]

    at_rest = dataclasses.replace(coming, record=coming.facts.releases["r4"])
    assert [one.id for one in spare_releases(at_rest, at_rest.facts.releases.values())] == ["r1", "r2"]


def test_a_deploy_keeps_the_release_before_warm_and_ends_the_others() -> None:
    coming = change("r1", "r2", "r3", keep=9)
    containers = tuple(one for name in ("r1", "r3") for one in running(record(name)))
    found = dataclasses.replace(coming.facts, containers=containers, warm={"r1": NOW + timedelta(minutes=3)})
    warm = dataclasses.replace(coming.environment, keep_warm_s=60)

    deploy = dataclasses.replace(coming, facts=found, environment=warm)
    assert deploy.warming == found.releases["r3"]
    assert deploy.ending == (found.releases["r1"],)
    cold = dataclasses.replace(coming, facts=found)
    assert cold.warming is None
    assert [one.id for one in cold.ending] == ["r1", "r3"]
    finish = dataclasses.replace(deploy, record=found.releases["r3"])
    assert finish.warming is None
    assert finish.ending == (), "where nothing is replaced, what is kept warm stays so"
