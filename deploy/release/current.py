"""Which release is the one that serves, where no edge says so."""

from __future__ import annotations

from deploy.release.change import Change
from deploy.release.records import record_current
from deploy.release.steps import Action
from deploy.ui import Step


class MakeCurrent(Action):
    """Makes the release the current one: of a project without public ports, or on a cluster."""

    title = "Make the release current"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        step.result = self._change.record.id
        record_current(self._change.site, self._change.record.id)

    def undo(self) -> None:
        previous = self._change.previous
        record_current(self._change.site, previous.id if previous else "")
