"""The lock of a project in a whole cluster, beside the one on the manager that is worked through.

It is an object in the cluster's own store, which makes none of a name twice, whichever manager is asked. The lock of a
host ends with its client; this one is left behind by a client that was killed. Whoever finds it takes the lock of the
host that it was taken through, for a moment: it is free when that client is gone.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.model.errors import DeployError
from deploy.model.swarm import names
from deploy.model.swarm.found import Node
from deploy.release.lock import Hold, locked
from deploy.release.prepare import whoami
from deploy.release.swarm.change import look
from deploy.release.swarm.members import Member, Members
from deploy.ui import Console

LOST, UNSURE = "down", frozenset({"unknown", "disconnected"})
"""States of a node: that of one that is lost, and those before the cluster is sure."""
JUDGED_S = 90.0
TRIES = 5
"""Others may take what we have found free; each try ends with somebody having it."""


@dataclass(frozen=True)
class _Other:
    """A lock that is there: its own id, the id of the node it was taken through, and who took it."""

    id: str
    node: str
    owner: str

    @property
    def who(self) -> str:
        try:
            raw = json.loads(self.owner)
            return f"{raw['by']}, {raw['purpose']} since {raw['since']}"
        except (ValueError, KeyError, TypeError):
            return "somebody"


@contextlib.contextmanager
def cluster_locked(lead: Member, members: Members, purpose: str, console: Console) -> Iterator[Hold]:
    """Hold the project's lock in the cluster, and on the host that is worked through, while the block runs.

    Raises DeployError naming who has it, and where the records have changed since they were looked at.
    """
    now = datetime.now(UTC)
    site = lead.site
    with locked(site, purpose, now, console) as hold:
        site.fence.cluster = _taken(lead, members, purpose, now, console)
        try:
            if members.again(lead, site.layout.project).membership.records != lead.membership.records:
                raise DeployError(
                    f"{site.shell.name}: another change went on in the meantime, through another manager",
                    "run the command again",
                )
            yield hold
        finally:
            lock, site.fence.cluster = site.fence.cluster, ""
            with contextlib.suppress(
                DeployError
            ):  # what is left when the link is lost is taken over by the next change
                site.shell.run(site.bare("swarm-unlock.sh", lock))


def _taken(lead: Member, members: Members, purpose: str, now: datetime, console: Console) -> str:
    """The id of the lock, once it is ours."""
    before = ""
    found: str | _Other = ""
    for _ in range(TRIES):
        found = _try(lead, purpose, now, before)
        if isinstance(found, str):
            return found
        if found.node == lead.node:
            before = found.id  # its client is gone: the lock of this host was free
            continue
        node = look(lead.site).node(found.node)
        holder = members.node(node) if node else None
        if holder is None:
            node = _judged(lead, found.node, console)
            name = node.hostname if node else "its node"
            if node is not None and node.state != LOST:
                raise DeployError(
                    f"another change is going on through {name}: {found.who}",
                    f"wait for it to end. Is its client gone, name {name} under hosts: so that this can be seen",
                )
            console.note(f"{found.who}, was cut off with {name}: its lock is taken over")
            before = found.id
            continue
        with locked(holder.site, purpose, now, console):
            found = _try(lead, purpose, now, found.id)
        if isinstance(found, str):
            return found
        before = ""
    who = found.who if isinstance(found, _Other) else "somebody"
    raise DeployError(f"{lead.spec}: another change is going on: {who}", "wait for it to end")


def _judged(lead: Member, node_id: str, console: Console) -> Node | None:
    """A node that we cannot reach, once the cluster knows what became of it: a new leader has to hear of all first."""
    node = look(lead.site).node(node_id)
    until = time.monotonic() + JUDGED_S
    if node is None or node.state not in UNSURE:
        return node
    with console.step(f"Wait until the cluster knows what became of {node.hostname}") as step:
        while node and node.state in UNSURE and time.monotonic() < until:
            time.sleep(1)
            node = look(lead.site).node(node_id)
        step.result = node.state if node else "gone"
    return node


def _try(lead: Member, purpose: str, now: datetime, before: str) -> str | _Other:
    """The id of the lock that was made, in the place of one whose holder is gone; or the one that is there."""
    site = lead.site
    owner = json.dumps({"by": whoami(), "since": now.isoformat(), "purpose": purpose})
    words = (names.lock_object(site.layout.project), lead.node, owner, before)
    first, _, rest = site.shell.run(site.bare("swarm-lock.sh", *words)).stdout.partition("\n")
    what, _, told = first.partition(" ")
    if what == "ours":
        return told.strip()
    lock, _, node = told.partition(" ")
    return _Other(lock, node.strip(), rest.strip())
