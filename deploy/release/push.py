"""Bringing a release's images to the host, and pinning those that are not built here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from deploy.engine.images import missing
from deploy.model.facts import Facts
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.push.packing import Packing
from deploy.push.send import Receiver, push_images
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.shell import LocalShell
from deploy.ui import Step
from deploy.ui.units import count, size


class Push(Action):
    """Brings the images that the host lacks, and pins every foreign one under a name of the project's own."""

    def __init__(
        self, change: Change, images: Sequence[str], local: LocalShell, packing: Packing | None = None
    ) -> None:
        """`packing` is shared with pushes of the same to other hosts."""
        self.title = f"Push {count(len(images), 'image')}"
        self._change = change
        self._images = images
        self._local = local
        self._packing = packing

    def run(self, step: Step) -> None:
        change = self._change
        absent = self._absent()
        to = receiver(change.site, change.facts)
        sent = push_images(self._local, to, absent, step, earlier=earlier_builds(change), packing=self._packing)
        change.bytes_sent = sent.sent_bytes
        change.notes += sent.notes
        change.pushed = tuple(absent)
        change.record = pin(change)
        step.result = f"{size(change.bytes_sent)} sent" if absent else "the host has them all"

    def _absent(self) -> Sequence[str]:
        """The images that the host lacks. Ours it lists by their names; others have several, and are asked for."""
        own = [one for one in self._images if one.startswith(f"{self._change.site.layout.project}/")]
        others = [one for one in self._images if one not in own]
        return (
            *(one for one in own if one not in self._change.facts.images),
            *(missing(self._change.site.shell, others) if others else ()),
        )


def pin(change: Change) -> ReleaseRecord:
    """The record with every foreign image of an app service under a tag that will not move.

    Tags like `redis:7` come to mean other images; a release must find its own again when somebody rolls back to it.
    """
    site, record = change.site, change.record
    foreign = {
        name: service.image
        for name, service in record.services.items()
        if service.kind != Kind.DATA and not service.source.startswith("build:")
    }
    if not foreign:
        return record
    words = (word for pair in foreign.items() for word in pair)
    told = site.shell.run(site.bare("pin.sh", site.layout.project, *words)).stdout
    pinned = dict(zip(foreign, told.split(), strict=True))
    services = {
        name: dataclasses.replace(service, image=pinned.get(name, service.image))
        for name, service in record.services.items()
    }
    return dataclasses.replace(record, services=services)


def receiver(site: Site, facts: Facts) -> Receiver:
    """The host as the place that images go to."""
    return Receiver(
        shell=site.shell,
        folder=str(site.layout.incoming),
        layers={reference: facts.layers[image_id] for reference, image_id in facts.images.items()},
        zstd=facts.zstd,
        memory_bytes=facts.memory_bytes,
        containerd=facts.containerd,
        guard=site.guarded,
    )


def earlier_builds(change: Change) -> Mapping[str, Sequence[str]]:
    """For each image of the release, those that the same service had in the host's releases, the live one's first."""
    live = [change.facts.live] if change.facts.live else []
    releases = [*live, *reversed([*change.facts.releases.values()])]
    return {
        service.image: tuple(
            dict.fromkeys(release.services[name].image for release in releases if name in release.services)
        )
        for name, service in change.record.services.items()
    }
