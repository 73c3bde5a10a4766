"""What becomes of a release that is no longer live."""

from __future__ import annotations

from deploy.model.edge import SLOTS
from deploy.release.change import Change
from deploy.release.data_services import leave_networks
from deploy.release.edge import empty_slot
from deploy.release.start import stop
from deploy.release.steps import Action
from deploy.ui import Step


class Retire(Action):
    """Lets the old release finish what it has begun, then stops it. It stays on the host to go back to.

    Has no undo: from here on the new release stands, and a failure is something to report, not to take back.
    """

    title = "Drain and stop the release before"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        left = 0
        for slot in SLOTS:
            target = change.edge.slots.get(slot)
            if target is None or slot == change.edge.live:
                continue
            listeners = [name for name in target.servers if any(one.name == name for one in change.edge.listeners)]
            limit_s = int(change.environment.drain_s)
            step.show(f"waiting for requests in flight, at most {limit_s} s")
            done = change.site.run("drain.sh", change.site.layout.edge_container, slot, limit_s, *listeners)
            left += int(done.stdout.strip() or 0)
            change.edge = empty_slot(change.site, change.edge, slot)
        for record in change.others:
            stop(change.site, record, ())
            leave_networks(change.site, record)
        if left:
            change.notes.append(
                f"{left} requests were still running after {change.environment.drain_s:g} s and were cut"
            )
        step.result = ", ".join(record.id for record in change.others) or "there was none"
