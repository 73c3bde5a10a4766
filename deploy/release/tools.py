"""Bringing programs that backups need to a host, as images come there: nothing is installed."""

from __future__ import annotations

from deploy.data.encryption import IMAGE as AGE
from deploy.engine.images import missing
from deploy.push.send import push_images
from deploy.release.change import Change
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.shell import LocalShell
from deploy.ui import Step
from deploy.ui.units import size


def bring(site: Site, image: str, local: LocalShell, step: Step) -> None:
    """See that a host has an image that this machine has."""
    if not missing(site.shell, [image]):
        step.result = "it is there"
        return
    sent = push_images(local, receiver(site, site.first_look), [image], step, earlier={})
    step.result = f"{size(sent.sent_bytes)} sent"


class BringAge(Action):
    """Brings what backups are encrypted with to the host, before one is taken there."""

    title = "Bring age"

    def __init__(self, change: Change, local: LocalShell) -> None:
        self._change = change
        self._local = local

    def run(self, step: Step) -> None:
        bring(self._change.site, AGE, self._local, step)
