"""How a machine stands to a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from deploy.model.errors import DeployError, UsageError
from deploy.model.swarm.found import Node
from deploy.model.swarm.records import Stamp, newest, parse_stamp


@dataclass(frozen=True)
class Membership:
    """What `swarm-node.sh` tells of one machine."""

    state: str
    """active, inactive, pending, error, locked"""
    manager: bool
    node: str
    """Its id in the cluster."""
    cluster: str
    """The cluster's own id; told by managers only."""
    address: str
    """Its address in the cluster; empty outside of one."""
    hostname: str
    reached: str
    """The address of its own at which we reached it; empty where that cannot be told."""

    headless: bool = False
    """Whether it manages a cluster that has lost the majority of its managers, and with it the power to decide."""
    records: Mapping[str, Stamp] = field(default_factory=dict)
    """Id of each node that keeps the project's records to the state in which it has them; told by managers only."""
    hostnames: Mapping[str, str] = field(default_factory=dict)
    """Of these nodes."""

    @property
    def inside(self) -> bool:
        return self.state not in {"inactive", ""}

    @property
    def unfinished(self) -> bool:
        """Whether it began to join, and never did."""
        return self.state in {"pending", "error"}

    @property
    def stamp(self) -> Stamp:
        """The state of its own records."""
        return self.records.get(self.node, Stamp())

    @property
    def newest(self) -> Stamp:
        """The newest records that any node has."""
        return newest(self.records.values())

    def holders(self, stamp: Stamp) -> tuple[str, ...]:
        """Hostnames of those that have records of a state."""
        return tuple(self.hostnames[node] for node, one in self.records.items() if one == stamp)


def parse_membership(text: str) -> Membership:
    """From lines of a name and a value."""
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    keeping = [*_keeping(text)]
    return Membership(
        state=told.get("state", ""),
        manager=told.get("manager") == "true",
        node=told.get("node", ""),
        cluster=told.get("cluster", ""),
        address=told.get("address", ""),
        hostname=told.get("hostname", ""),
        reached=told.get("reached", ""),
        headless="headless" in told,
        records={node: stamp for node, _, stamp in keeping},
        hostnames={node: hostname for node, hostname, _ in keeping},
    )


def _keeping(text: str) -> Iterator[tuple[str, str, Stamp]]:
    """The id and the hostname of each node that has records, and which."""
    for line in text.splitlines():
        what, _, rest = line.partition("=")
        if what == "records":
            node, hostname, stamp = [*rest.split(" ", 2), "", ""][:3]
            if (parsed := parse_stamp(stamp)) != Stamp():
                yield node, hostname, parsed


def require_joinable(found: Mapping[str, Membership], known: Collection[str]) -> None:
    """Raises DeployError, before anything is done, for a machine that cannot join the first one's cluster.

    `known` are the ids of that cluster's nodes; none where it is still to be made.
    """
    first = next(iter(found))
    for spec, one in found.items():
        if one.state == "locked":
            raise DeployError(
                f"{spec}: its part of the cluster is locked", f"unlock it: docker swarm unlock, on {spec}"
            )
    if found[first].inside and not found[first].manager:
        raise DeployError(
            f"{first} is in a cluster and does not manage it",
            f"name a manager first, or let it leave: docker swarm leave, on {first}",
        )
    for spec, one in found.items():
        if spec == first or not one.inside or one.unfinished or one.node in known:
            continue
        if not found[first].inside:
            raise DeployError(
                f"{spec} is in a cluster already, and {first}, which is named first and would make one, is in none",
                f"name a manager of that cluster first, or let {spec} leave: docker swarm leave --force, there",
            )
        raise DeployError(
            f"{spec} is in another cluster than {first}, or was removed from this one",
            f"let it leave that one first: docker swarm leave --force, on {spec}",
        )


def former(nodes: Iterable[Node], new: Node) -> Node | None:
    """What a machine was in the cluster before it left it and came back."""
    for one in nodes:
        if one.id != new.id and one.state == "down" and (one.hostname, one.address) == (new.hostname, new.address):
            return one
    return None


def parse_labels(words: Iterable[str], hosts: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """`HOST=KEY=VALUE` words as labels by host; an empty value is for a label that is to go.

    Raises UsageError for others, and for hosts that are not named.
    """
    known = tuple(hosts)
    labels: dict[str, dict[str, str]] = {}
    for word in words:
        host, _, label = word.partition("=")
        key, equals, value = label.partition("=")
        if not (host and key and equals):
            raise UsageError(f"--label {word}: that is no host with a label", "write it as --label HOST=KEY=VALUE")
        if host not in known:
            raise UsageError(f"--label {word}: {host} is none of the hosts", f"there are {', '.join(known)}")
        labels.setdefault(host, {})[key] = value
    return labels
