"""How a machine stands to a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.model.errors import UsageError


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

    @property
    def inside(self) -> bool:
        return self.state not in {"inactive", ""}


def parse_membership(text: str) -> Membership:
    """From lines of a name and a value."""
    told = dict(line.partition("=")[::2] for line in text.splitlines())
    return Membership(
        state=told.get("state", ""),
        manager=told.get("manager") == "true",
        node=told.get("node", ""),
        cluster=told.get("cluster", ""),
        address=told.get("address", ""),
        hostname=told.get("hostname", ""),
        reached=told.get("reached", ""),
    )


def parse_labels(words: Iterable[str], hosts: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """`HOST=KEY=VALUE` words as labels by host. Raises UsageError for others, and for hosts that are not named."""
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
