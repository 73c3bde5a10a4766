"""The lock of a project in a whole cluster: real locks of two hosts, and a store that makes no name twice."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from deploy.model.errors import CommandError, DeployError
from deploy.model.layout import HostLayout
from deploy.model.swarm.found import Cluster, Node
from deploy.model.swarm.node import Membership
from deploy.release.site import Site
from deploy.release.swarm import lock as locking
from deploy.release.swarm import members as reaching
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.shell import LocalShell
from deploy.ui import Console

STORE = """\
#!/bin/sh
# What a lock asks of a cluster's store: `ln` makes no name twice either.
set -eu
cd "$STORE"
what=$1-$2
shift 2
case $what in
    config-create)
        while [ $# -gt 2 ]; do
            case $2 in
                windlass.node=*) node=${2#*=} ;;
                windlass.owner=*) owner=${2#*=} ;;
            esac
            shift 2
        done
        id=id-$$
        printf '%s\\n%s\\n' "$node" "$owner" >"$id"
        ln -s "$id" "$1" 2>/dev/null || { rm "$id"; exit 1; }
        printf '%s\\n' "$id"
        ;;
    config-rm)
        [ -e "$1" ] || exit 1
        for name in *.lock; do if [ "$(readlink "$name")" = "$1" ]; then rm "$name"; fi; done
        rm "$1"
        ;;
    config-inspect)
        if [ "$1" = --format ]; then shift 2; fi
        [ -e "$1" ] || exit 1
        printf 'taken %s %s\\n%s\\n' "$(basename "$(readlink -f "$1")")" "$(sed -n 1p "$1")" "$(sed -n 2p "$1")"
        ;;
    *) exit 1 ;;
esac
"""
NAME = "windlass.shop.lock"


class Hosts:
    """Two managers, each a folder of this machine with a lock of its own, and the cluster's store."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = folder / "store"
        self.state = {"n1": "ready", "n2": "ready"}
        for name in ("bin", "store"):
            (folder / name).mkdir()
        (folder / "bin" / "docker").write_text(STORE)
        (folder / "bin" / "docker").chmod(0o755)
        environ = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "STORE": str(self.store)}
        self.sites = {}
        for name in ("m1", "m2"):
            shell = LocalShell(folder, environ)
            shell.name = name
            self.sites[name] = Site(shell, HostLayout("shop", PurePosixPath(folder / name)), name)
        monkeypatch.setattr(reaching, "membership", lambda site, **_: self.membership(site.address))
        monkeypatch.setattr(locking, "look", lambda _: self.cluster())

    def membership(self, name: str) -> Membership:
        return Membership(
            "active", manager=True, node=f"n{name[1]}", cluster="c", address="", hostname=name, reached=""
        )

    def cluster(self) -> Cluster:
        nodes = [
            Node(one, f"m{one[1]}", state, "active", "manager", "10.0.0.1", {}) for one, state in self.state.items()
        ]
        return Cluster(tuple(nodes), (), ())

    def member(self, name: str) -> Member:
        # as another client has it: a fence of its own
        site = self.sites[name]
        return Member(name, Site(site.shell, site.layout, name), self.membership(name))

    @contextlib.contextmanager
    def change(self, name: str, purpose: str, *known: str) -> Iterator[Member]:
        """A change through a manager, by a client that knows some managers."""
        member = self.member(name)
        with (
            Members(self._connect, known or ("m1", "m2"), ()) as members,
            cluster_locked(member, members, purpose, Console()),
        ):
            yield member

    @contextlib.contextmanager
    def _connect(self, spec: str) -> Iterator[Site]:
        yield self.sites[spec]

    def leave(self, node: str) -> None:
        """The lock that a client has left which was killed as it worked through a node."""
        (self.store / "left").write_text(
            f'{node}\n{{"by": "ada@laptop", "purpose": "deploying r1", "since": "noon"}}\n'
        )
        (self.store / NAME).symlink_to("left")

    @property
    def taken(self) -> bool:
        return (self.store / NAME).is_symlink()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    return Hosts(tmp_path, monkeypatch)


def test_one_change_at_a_time_through_whichever_manager(hosts: Hosts) -> None:
    with hosts.change("m1", "deploying r2"):
        with pytest.raises(DeployError, match=r"m1: another deploy is going on: .*deploying r2"):
            hosts.change("m2", "deploying r3").__enter__()
        assert hosts.taken
    assert not hosts.taken
    with hosts.change("m2", "deploying r3"):
        assert hosts.taken


@pytest.mark.parametrize("through", ["m1", "m2"])
def test_what_a_killed_client_left_is_taken_over(hosts: Hosts, through: str) -> None:
    hosts.leave("n1")
    with hosts.change(through, "deploying r2"):
        assert hosts.taken
        assert not (hosts.store / "left").exists()
    assert not hosts.taken


def test_a_change_is_over_when_its_node_is_lost_and_none_of_its_steps_begins_any_more(hosts: Hosts) -> None:
    with hosts.change("m1", "deploying r2") as lost:
        lost.site.run("current.sh", str(lost.site.layout.root), "r2")
        hosts.state["n1"] = "down"
        with hosts.change("m2", "deploying r3", "m2"):
            with pytest.raises(CommandError) as raised:
                lost.site.run("current.sh", str(lost.site.layout.root), "r9")
            assert raised.value.exit_code == 77
            assert "lost its lock" in raised.value.details
        hosts.state["n1"] = "ready"
    assert Path(hosts.sites["m1"].layout.root / "current").readlink() == Path("releases/r2")


def test_a_lock_through_a_manager_that_nobody_here_knows_is_told_of(hosts: Hosts) -> None:
    hosts.leave("n1")
    with pytest.raises(DeployError, match="through m1: ada@laptop, deploying r1 since noon") as raised:
        hosts.change("m2", "deploying r2", "m2").__enter__()
    assert "name m1 under hosts:" in raised.value.remedy
    assert hosts.taken


def test_a_node_that_the_cluster_does_not_know_of_yet_is_waited_for(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every node is for a moment when a new manager leads."""
    hosts.leave("n1")
    hosts.state["n1"] = "unknown"
    monkeypatch.setattr(locking, "JUDGED_S", 0.1)
    with pytest.raises(DeployError, match="another change is going on through m1"):
        hosts.change("m2", "deploying r2", "m2").__enter__()


def test_records_that_changed_meanwhile_stop_a_change(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    def another(_: Any, **__: Any) -> Membership:
        from dataclasses import replace

        from deploy.model.swarm.records import Stamp

        return replace(hosts.membership("m1"), records={"n2": Stamp(4)})

    monkeypatch.setattr(reaching, "membership", another)
    with pytest.raises(DeployError, match="another change went on in the meantime"):
        hosts.change("m1", "deploying r2").__enter__()
    assert not hosts.taken
