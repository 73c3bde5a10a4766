"""Who of a cluster has the newest records, how they get to others, and which manager is worked through."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploy.model.command import script
from deploy.model.errors import DeployError, UnreachableError
from deploy.model.layout import HostLayout
from deploy.model.swarm import names
from deploy.model.swarm.found import Node
from deploy.model.swarm.node import Membership, parse_membership
from deploy.model.swarm.records import Holding, Stamp, lacking, merged, newest, parse_holding, parse_stamp
from deploy.release.site import Site
from deploy.release.swarm import members as reaching
from deploy.release.swarm.members import Members
from deploy.release.swarm.records import give_records, holding_of
from deploy.shell import LocalShell
from deploy.tasks.app import App
from deploy.tasks.swarm.reach import chosen


def test_a_stamp_is_read_as_it_was_written() -> None:
    assert parse_stamp(str(Stamp(18, "r5"))) == Stamp(18, "r5")
    assert parse_stamp(str(Stamp(18, "r5"))).release == "r5"


@pytest.mark.parametrize("text", ["", "yes", "-3 r1", "²"])
def test_a_label_that_somebody_has_written_says_nothing(text: str) -> None:
    assert parse_stamp(text) == Stamp()


def test_the_newest_is_the_one_that_was_changed_most_often() -> None:
    assert newest([Stamp(9, "a"), Stamp(10, "b"), Stamp()]).release == "b"
    assert newest([]) == Stamp()
    assert Stamp(9, "a").next("c") == Stamp(10, "c")


def test_a_manager_tells_which_nodes_have_which_records() -> None:
    told = parse_membership(
        "state=active\nmanager=true\nnode=n2\nrecords=n1 m1 8 r8\nrecords=n2 m2 7 r7\nrecords=n3 w1 \nrecords=n4 w2\n"
    )
    assert (told.stamp, told.newest) == (Stamp(7, "r7"), Stamp(8, "r8"))
    assert told.holders(told.newest) == ("m1",)
    assert not told.headless
    assert parse_membership("manager=true\nheadless=yes\n").headless


def test_what_a_host_lacks_is_told_by_hashes() -> None:
    there = parse_holding("release aa r1\nrelease bb r2\ncurrent r2\nfile 11 journal.jsonl\n")
    wanted = Holding({"r2": "bb", "r3": "cc"}, "r3", {"journal.jsonl": "22"})

    assert (lacking(there, wanted).releases, lacking(there, wanted).gone) == (("r3",), ("r1",))
    assert not lacking(wanted, wanted).needed
    assert lacking(Holding({}, "", {}), wanted).releases == ("r2", "r3")


def test_a_release_that_differs_is_sent_again() -> None:
    assert lacking(Holding({"r1": "cut"}, "", {}), Holding({"r1": "whole"}, "", {})).releases == ("r1",)


def test_two_journals_become_one_in_the_order_of_their_time() -> None:
    one, two, three = (f'{{"at": "2026-11-29T1{hour}:00:00+00:00"}}\n' for hour in range(3))

    assert merged(one + three, one + two) == one + two + three
    assert merged(one + two, one) == one + two
    assert merged(one, "") == one


def test_the_lock_of_a_project_with_a_long_name_has_a_name_that_a_cluster_takes() -> None:
    assert names.lock_object("shop") == "windlass.shop.lock"
    assert len(names.lock_object("a" * 63)) <= 64
    assert names.lock_object("a" * 63) != names.lock_object("a" * 62 + "b")


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Site, Site]:
    """Two folders of this machine as two hosts: the first has a release, the second is new."""
    first, second = (
        Site(LocalShell(), HostLayout("shop", PurePosixPath(tmp_path / name)), name) for name in ("first", "second")
    )
    first.shell.run(first.bare("root.sh", str(first.layout.root)))
    release(first, "r1", "secret")
    write(first, "journal.jsonl", '{"at": "1"}\n')
    write(first, "data/state.json", "{}")
    return first, second


def write(site: Site, name: str, text: str) -> None:
    path = Path(site.layout.root) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)


def release(site: Site, name: str, text: str) -> None:
    write(site, f"releases/{name}/swarm/app/stack.json", text)
    folder = Path(site.layout.root) / "releases" / name
    sums = script("find . -type f ! -name manifest.sha256 -print0 | xargs -0 sha256sum", "sums")
    digests = LocalShell(folder).run(sums).stdout
    (folder / "manifest.sha256").write_text(digests)
    current = Path(site.layout.root) / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(f"releases/{name}")


def read(site: Site, name: str) -> str:
    return (Path(site.layout.root) / name).read_text()


def test_a_new_host_gets_all_records_with_their_modes(hosts: tuple[Site, Site]) -> None:
    first, second = hosts
    give_records(first, second, holding_of(first))

    assert holding_of(second) == holding_of(first)
    stack = Path(second.layout.root) / "releases/r1/swarm/app/stack.json"
    assert (stack.read_text(), stack.stat().st_mode & 0o777) == ("secret", 0o600)
    assert (Path(second.layout.root) / "current").resolve().name == "r1"
    assert not (Path(second.layout.root) / ".records").exists()


def test_only_what_lacks_is_sent_and_what_is_gone_goes(hosts: tuple[Site, Site]) -> None:
    first, second = hosts
    give_records(first, second, holding_of(first))
    kept = Path(second.layout.root) / "releases/r1"
    inode = kept.stat().st_ino
    release(first, "r2", "another")
    write(first, "frozen.json", "{}")
    give_records(first, second, holding_of(first))

    assert kept.stat().st_ino == inode
    assert read(second, "releases/r2/swarm/app/stack.json") == "another"
    assert read(second, "frozen.json") == "{}"

    (Path(first.layout.root) / "frozen.json").unlink()
    shutil.rmtree(Path(first.layout.root) / "releases/r1")
    give_records(first, second, holding_of(first))
    assert not kept.exists()
    assert not (Path(second.layout.root) / "frozen.json").exists()


def test_a_release_that_arrives_damaged_is_not_put_in_its_place(hosts: tuple[Site, Site]) -> None:
    first, second = hosts
    wanted = holding_of(first)
    write(first, "releases/r1/swarm/app/stack.json", "changed by hand")

    with pytest.raises(DeployError, match="did not arrive"):
        give_records(first, second, wanted)
    assert holding_of(second).empty


NODES: Mapping[str, str] = {"m1": "n1", "m2": "n2", "m3": "n3", "w1": "n4"}


class Cluster:
    """Hosts that say how they stand to a cluster, or do not answer, without SSH."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **stamps: int) -> None:
        self.stamps = stamps
        self.away: set[str] = set()
        self.silent: dict[str, threading.Event] = {}
        self.left: list[str] = []
        monkeypatch.setattr(reaching, "membership", self._membership)
        monkeypatch.setattr(reaching, "SILENT_S", 0.05)

    def members(self) -> Members:
        return Members(self._connect, ("m1", "m2", "m3"), ("w1",))

    @contextlib.contextmanager
    def _connect(self, spec: str) -> Iterator[Site]:
        if spec in self.away:
            raise UnreachableError(f"{spec}: cannot connect")
        if spec in self.silent:
            self.silent[spec].wait()
        yield cast("Site", SimpleNamespace(layout=HostLayout("shop", PurePosixPath("/opt/shop")), name=spec))
        self.left.append(spec)

    def _membership(self, site: Any, *, label: str) -> Membership:
        assert label == "windlass.records.shop"
        records = {NODES[name]: Stamp(number, f"r{number}") for name, number in self.stamps.items()}
        return Membership(
            *("active", site.name != "w1", NODES[site.name], "c", "10.0.0.1", site.name, "10.0.0.1"),
            records=records,
            hostnames={node: name for name, node in NODES.items()},
        )


class Talk:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warn = self.note = self.said.append


def choose(cluster: Cluster, *specs: str) -> tuple[str, str]:
    """The manager that is worked through, and what is said about it."""
    talk = Talk()
    with cluster.members() as members:
        app = cast("App", SimpleNamespace(console=talk))
        return chosen(app, members, specs or ("m1", "m2", "m3")).spec, "\n".join(talk.said)


def test_the_first_manager_is_worked_through_and_no_other_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, m1=3, m2=3, m3=3)
    assert choose(cluster) == ("m1", "")
    assert cluster.left == ["m1"]


def test_a_cluster_without_records_is_worked_through_its_first_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(Cluster(monkeypatch)) == ("m1", "")


def test_a_manager_that_cannot_be_reached_is_told_and_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, m1=3, m2=3, m3=3)
    cluster.away = {"m1"}
    assert choose(cluster) == ("m2", "m1: cannot connect; working through m2")


def test_a_manager_that_is_silent_is_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, m1=3, m2=3)
    cluster.silent = {"m1": threading.Event()}
    try:
        assert choose(cluster) == ("m2", "m1 does not answer; working through m2")
    finally:
        cluster.silent["m1"].set()


def test_a_manager_with_older_records_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, said = choose(Cluster(monkeypatch, m1=2, m2=3, m3=3))
    assert spec == "m2"
    assert "the records of m1 are older" in said


def test_one_that_was_named_but_has_older_records_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(Cluster(monkeypatch, m1=3, m3=2), "m3")[0] == "m1"


def test_where_the_newest_cannot_be_reached_the_newest_that_can_is_taken_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, m1=5, m2=3, m3=4)
    cluster.away = {"m1"}
    spec, said = choose(cluster)

    assert spec == "m3"
    assert "the newest records are on m1, which cannot be reached" in said
    assert "lacks the last change of them, of r5" in said


def test_no_manager_at_all_is_an_error_that_says_why_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)
    cluster.away = {"m1"}
    with pytest.raises(DeployError, match="no manager of a cluster") as raised:
        choose(cluster, "m1", "w1")
    assert "m1: cannot connect" in raised.value.details
    assert "w1 does not manage a cluster" in raised.value.details


def test_a_node_of_the_cluster_is_found_by_its_id_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch)

    def node(node_id: str, hostname: str) -> Node:
        return Node(node_id, hostname, "ready", "active", "worker", "10.0.0.9", {})

    with cluster.members() as members:
        likely = members.node(node("n4", "w1"))
        assert likely
        assert likely.spec == "w1"
    assert cluster.left == ["w1"]
    with cluster.members() as members:
        found = members.node(node("n3", "another-name"))
        assert found
        assert found.spec == "m3"
        assert members.node(node("n9", "w1")) is None
