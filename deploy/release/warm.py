"""A release that is no longer live and runs on for a while, so that going back to it starts nothing."""

from __future__ import annotations

from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.data_services import lasting_pairs
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step


def keep_warm(site: Site, record: ReleaseRecord, seconds: int) -> None:
    """Leave a release running, and a process on the host that stops it when its time is over.

    That process asks nobody here. One that is killed, by a reboot for example, leaves the release to the next deploy.
    """
    site.run("keep-warm.sh", str(site.layout.root), record.id, seconds, *lasting_pairs(site, record))


class ClaimWarm(Action):
    """Keeps a warm release from being stopped while it is made the live one again."""

    title = "Claim the warm release"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site, record = self._change.site, self._change.record
        site.run("claim-warm.sh", str(site.layout.root), record.id)
        step.result = record.id
