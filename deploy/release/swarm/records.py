"""The records of a project on a cluster: on one manager they change, all managers and the node with the data have them.

Hosts cannot reach each other by SSH, so they pass through here, in memory: what a host lacks and nothing else.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from deploy.model.errors import CommandError, DeployError
from deploy.model.swarm import names
from deploy.model.swarm.found import Node
from deploy.model.swarm.records import Holding, lacking, merged, parse_holding
from deploy.release.parallel import Parallel
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.release.swarm.members import Member, Members
from deploy.shell.base import CHUNK_BYTES, Process
from deploy.ui import Console, Step

AT_ONCE = 8
PATIENCE_S = 60.0
"""How long one host may take to get what it lacks: one that has come to rest meanwhile keeps nobody waiting longer."""


class Records:
    """The records as one change goes on."""

    def __init__(self, lead: Member, members: Members, data: Node | None = None) -> None:
        """`data` is the node with the data: it gets them, too, where it is among the hosts and nodes that are known."""
        self._lead = lead
        self._members = members
        self._data = data
        self._label = names.records_label(lead.site.layout.project)
        self.stamp = lead.membership.newest
        self._before = self.stamp
        """What hosts have that lack nothing but what was changed here."""
        self.left_out: dict[str, str] = {}
        """Those that did not get them, and why."""

    @property
    def alone(self) -> bool:
        """Whether nobody but the manager that we work through is to have them."""
        away = self._data is not None and self._data.id != self._lead.node
        return not away and self._members.managers == (self._lead.spec,)

    def begin(self, release: str) -> None:
        """Note in the cluster that from now on only the manager we work through has the newest."""
        self.stamp = self.stamp.next(release)
        self._note([self._lead])

    def share(self, step: Step) -> None:
        """Give them to everybody who is to have them; who did not get them is in `left_out`."""
        every = self._members.all_of(self._members.managers)
        others = [one for one in every if one.membership.manager and one.node != self._lead.node]
        if self._data and self._data.id not in {self._lead.node, *(one.node for one in others)}:
            others += [one for one in [self._members.node(self._data)] if one]
        self.left_out = {
            spec: why
            for spec in self._members.managers
            if spec != self._lead.spec and (why := self._members.why_not(spec))
        }
        self.give(others, step)
        step.result = (
            ", ".join(one.spec for one in others if one.spec not in self.left_out) or "no other can be reached"
        )

    def give(self, others: Sequence[Member], step: Step) -> None:
        """Give them to some hosts."""
        for one in others:
            if one.membership.stamp < self._before:
                step.show(one.spec)
                self._merge(one)
        wanted = holding_of(self._lead.site)
        giving = Parallel[Member, None](lambda one: give_records(self._lead.site, one.site, wanted), at_once=AT_ONCE)
        giving.run([*others], lambda: step.show(f"{len(giving.done)} of {len(others)} have them"))
        for member, error in giving.failed.items():
            if not isinstance(error, DeployError):
                raise error
            self.left_out[member.spec] = error.message
        if giving.done:
            self._note([*giving.done])

    def _merge(self, other: Member) -> None:
        """Keep what the journal of a host that was cut off tells alone."""
        site = self._lead.site
        with contextlib.suppress(CommandError):
            own, foreign = (
                one.shell.run(one.bare("records-journal.sh", str(one.layout.root))).stdout for one in (site, other.site)
            )
            both = merged(own, foreign)
            if both != own:
                site.run("records-journal.sh", str(site.layout.root), "put", stdin=both.encode())

    def _note(self, members: Sequence[Member]) -> None:
        self._lead.site.run("swarm-label.sh", self._label, str(self.stamp), *(one.node for one in members))


@contextlib.contextmanager
def records_kept(records: Records, release: str, notes: list[str], console: Console) -> Iterator[None]:
    """Let the records of what the block does follow to all that are to have them, however it ends."""
    records.begin(release)
    try:
        yield
    finally:
        with contextlib.suppress(DeployError):  # the link may be what broke: the next change gives them
            records.begin(release)
            if not records.alone:
                with console.step("Give the records to the other managers") as step:
                    records.share(step)
            notes += [
                f"{spec} does not have the records of this, and gets them with the next change: {why}"
                for spec, why in records.left_out.items()
            ]


def holding_of(site: Site) -> Holding:
    """What a host has of the records."""
    listing = site.bare("records-list.sh", str(site.layout.root))
    return parse_holding(site.shell.run(listing, timeout_s=PATIENCE_S).stdout)


def give_records(source: Site, target: Site, wanted: Holding) -> None:
    """Make the records of one host those of another. Raises DeployError; the host then has what it had, or more."""
    lacks = lacking(holding_of(target), wanted)
    if not lacks.needed:
        return
    root = str(source.layout.root)
    target.shell.run(target.bare("root.sh", str(target.layout.root)), timeout_s=PATIENCE_S)
    take = target.bare("records-take.sh", str(target.layout.root), *lacks.gone)
    with (
        source.shell.start(source.bare("records-pack.sh", root, *lacks.releases)) as giver,
        target.shell.start(take) as taker,
    ):
        timer = threading.Timer(PATIENCE_S, lambda: (giver.kill(), taker.kill()))
        timer.daemon = True
        timer.start()
        try:
            status = _pour(giver, taker)
        finally:
            timer.cancel()
        if status:
            said = taker.read_stderr(1 << 12).decode(errors="replace")
            raise DeployError(f"{target.shell.name}: the records did not arrive", "is its disk full?", details=said)


def _pour(giver: Process, taker: Process) -> int:
    """What one command prints into another; 0 where both ended well. What is not whole is not taken for a whole."""
    with contextlib.suppress(BrokenPipeError):  # it could not go on: its status tells
        while chunk := giver.read(CHUNK_BYTES):
            taker.write(chunk)
        if status := giver.wait():
            taker.kill()
            return status
        taker.close_stdin()
    return taker.wait()


class ShareRelease(Action):
    """Lets the other managers, and the node with the data, know the release before anybody gets it.

    A manager that is lost half-way leaves others that know what it was at.
    """

    title = "Give the release to the other managers"

    def __init__(self, change: SwarmChange, records: Records) -> None:
        self._change = change
        self._records = records

    def run(self, step: Step) -> None:
        self._records.share(step)
        keeper = self._change.keeper
        if keeper and (why := self._records.left_out.get(keeper.site.shell.name)):
            raise DeployError(
                f"{keeper.site.shell.name} keeps the data, and did not get the release: {why}", "try again"
            )
