"""What was changed on a cluster by hand: its services as they are, compared with the stacks that they came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.drift import Drift, What
from deploy.model.errors import DeployError
from deploy.model.facts import Facts, sections_of
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster, SwarmService
from deploy.model.swarm.service_spec import as_in_cluster, as_in_document

PARTS = ("app", "data", "edge")


def find_swarm_drift(
    facts: Facts, live: ReleaseRecord, cluster: Cluster, layout: HostLayout, text: str, verbs: str
) -> tuple[Drift, ...]:
    """Everything that differs. `text` is what `swarm-drift.sh` printed, `verbs` how tasks of the environment are typed.

    Raises DeployError when the text is not whole.
    """
    sections = sections_of(text)
    if "end" not in sections:
        raise DeployError(f"{facts.host}: what stands there could not be read", "run the command again")
    look = _Look(live, cluster, layout, sections, verbs)
    return (*look.files(), *look.services(), *look.networks(), *look.strangers(), *look.nodes())


class _Look:
    def __init__(
        self,
        live: ReleaseRecord,
        cluster: Cluster,
        layout: HostLayout,
        sections: Mapping[str, str],
        verbs: str,
    ) -> None:
        self._live = live
        self._cluster = cluster
        self._layout = layout
        self._sections = sections
        self._verbs = verbs
        self._documents = {part: _document(sections.get(part, "")) for part in PARTS}
        self._stacks = dict(zip(PARTS, names.stacks(layout.project), strict=True))
        self._known = dict(line.split(" ", 1) for line in sections.get("networks", "").splitlines() if " " in line)
        """Networks of the cluster: id to name."""

    def files(self) -> Iterator[Drift]:
        """Files of the live release and of the data services that are not as they were written."""
        again = f"{self._verbs}.deploy --rebuild makes a release anew"
        for part, folder in (("release", self._layout.release(self._live.id)), ("data", self._layout.data)):
            for path in self._sections.get(f"changed {part}", "").splitlines():
                yield Drift(What.FILE, str(folder / path), "is not as it was written there", again)
        for path in self._sections.get("added", "").splitlines():
            name = str(self._layout.release(self._live.id) / path)
            yield Drift(What.FILE, name, "was added", f"remove it, or {again}")

    def services(self) -> Iterator[Drift]:
        """Services that are missing, too many, or have become another than their stack says."""
        for part, document in self._documents.items():
            stack, wanted = self._stacks[part], document.get("services") or {}
            for name in wanted:
                if self._cluster.service(stack, name) is None:
                    called = names.service_name(stack, name)
                    yield Drift(What.SERVICE, called, "is not in the cluster", f"{self._verbs}.deploy brings it back")
            for service in self._cluster.of(stack):
                called = names.service_name(stack, service.name)
                if service.name in wanted:
                    yield from self._changed(part, called, service, document)
                else:
                    remedy = f"docker service rm {called}"
                    yield Drift(What.SERVICE, called, f"is of the stack {stack}, which has no such service", remedy)

    def _changed(self, part: str, called: str, service: SwarmService, document: Mapping[str, Any]) -> Iterator[Drift]:
        wanted, found = as_in_document(document, service.stack, service.name), as_in_cluster(service, self._known)
        replicas = wanted.pop("replicas"), found.pop("replicas")
        if part == "edge" and replicas[0] == 0:
            replicas = 1, replicas[1]  # the ACME client, which is started when every edge lets challenges through
        if replicas[0] != replicas[1]:
            text = f"is to run {_times(replicas[1])}, its stack says {_times(replicas[0])}"
            yield Drift(What.SERVICE, called, text, f"docker service scale {called}={replicas[0]}")
        if differing := [*_differing(wanted, found)]:
            yield Drift(What.SERVICE, called, f"was updated: {'; '.join(differing)}", self._again(part))

    def _again(self, part: str) -> str:
        folders = {"data": self._layout.data, "edge": self._layout.edge / "stack"}
        folder = folders.get(part, self._layout.release(self._live.id) / "swarm" / part)
        stack = self._stacks[part]
        again = f"cd {folder} && docker stack deploy --resolve-image never --compose-file stack.json {stack}"
        client = part == "edge" and "acme" in (self._documents[part].get("services") or {})
        return again + (f" && docker service scale {names.service_name(stack, 'acme')}=1" if client else "")

    def networks(self) -> Iterator[Drift]:
        """Networks of the stacks that are gone."""
        there = {*self._known.values()}
        wanted = {
            str(one["name"])
            for document in self._documents.values()
            for one in (document.get("networks") or {}).values()
            if one.get("external")
        }
        for name in sorted(wanted - there):
            yield Drift(What.NETWORK, name, "is not in the cluster", f"{self._verbs}.deploy --rebuild makes it")

    def strangers(self) -> Iterator[Drift]:
        """Services of nobody's stack that reach the project's."""
        own = {key for key, name in self._known.items() if name.startswith(f"{self._layout.project}_")}
        for line in self._sections.get("others", "").splitlines():
            called, _, ids = line.partition(" ")
            if reached := sorted(self._known[one] for one in own & {*ids.split(",")}):
                text = f"is in the network {', '.join(reached)}, and no release has brought it"
                yield Drift(What.SERVICE, called, text, f"docker service rm {called}")

    def nodes(self) -> Iterator[Drift]:
        """The label of the node that keeps the data, on none or on several."""
        label = names.data_label(self._layout.project)
        labelled = [one.hostname for one in self._cluster.nodes if one.labels.get(label) == "yes"]
        if self._documents["data"].get("services") and not labelled:
            remedy = f"docker node update --label-add {label}=yes NODE, the one that has its volumes"
            yield Drift(What.NODE, f"the label {label}", "is on no node: its data services can start nowhere", remedy)
        for hostname in labelled[1:]:
            text = f"is on {labelled[0]} and on {hostname}: data services may start beside no data"
            remedy = f"docker node update --label-rm {label} NODE, the one that does not have its volumes"
            yield Drift(What.NODE, f"the label {label}", text, remedy)


def _times(replicas: object) -> str:
    return "once on every node" if replicas is None else "once" if replicas == 1 else f"{replicas} times"


def _differing(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """What is different, without any value of an environment, which may be a secret."""
    for key, value in wanted.items():
        other = found[key]
        if value == other:
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield f"{key} {', '.join(sorted(_keys(value, other)))}"
        elif isinstance(value, frozenset) and isinstance(other, frozenset):
            told = [f"+{one}" for one in sorted(other - value)] + [f"-{one}" for one in sorted(value - other)]
            yield f"{key} {', '.join(told)}"
        elif key == "image":
            yield f"image {_short(value)} → {_short(other)}"
        else:
            yield key


def _keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for key in {*one, *other}:
        if one.get(key) != other.get(key):
            yield str(key)


def _short(image: object) -> str:
    """Without the registry, and with the digest's first digits only."""
    name, _, digest = str(image).partition("@sha256:")
    return PurePosixPath(name).name + (f"@{digest[:12]}" if digest else "")


def _document(text: str) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(text) if text.strip() else {}
    except ValueError:  # rewritten by hand: its digest tells
        return {}
    return document
