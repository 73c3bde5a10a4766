"""What was changed on a host by hand: what stands there, compared with what was put there."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.model.edge import EdgeState, edge_networks, render_config, render_map, servers_of
from deploy.model.errors import DeployError
from deploy.model.facts import Facts, sections_of
from deploy.model.journal import Deed
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord

_SHORT = 12
_COLUMNS = 19
"""Columns of "show servers state" that are read: 2 backend, 4 server, 7 administrative state, 18 name, 19 port."""
_FORCED = 0x01 | 0x08
"""Bits of HAProxy's srv_admin_state: somebody has set maintenance or drain (HAProxy management guide)."""


class What(StrEnum):
    """What differs."""

    FILE = "file"
    CONTAINER = "container"
    IMAGE = "image"
    NETWORK = "network"
    EDGE = "edge"
    LINK = "link"
    SERVICE = "service"
    """Of a cluster."""
    NODE = "node"


@dataclass(frozen=True)
class Drift:
    """One difference."""

    what: What
    name: str
    text: str
    """A sentence without its subject, which is `name`."""
    remedy: str
    """What to type, or what to do, to have it as it was."""

    def __str__(self) -> str:
        return f"{self.name} {self.text}"

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Found:
    """A container as it stands."""

    name: str
    project: str
    service: str
    config_hash: str
    one_off: bool
    running: bool
    image_id: str
    image: str
    networks: frozenset[str]


def find_drift(facts: Facts, live: ReleaseRecord, layout: HostLayout, text: str, verbs: str) -> tuple[Drift, ...]:
    """Everything that differs. `text` is what `drift.sh` printed, `verbs` how tasks of the environment are typed.

    Raises DeployError when the text is not whole.
    """
    sections = sections_of(text)
    if "end" not in sections:
        raise DeployError(f"{facts.host}: what stands there could not be read", "run the command again")
    look = _Look(facts, live, layout, sections, verbs)
    return (*look.files(), *look.containers(), *look.images(), *look.edge(), *look.link())


class _Look:
    def __init__(
        self, facts: Facts, live: ReleaseRecord, layout: HostLayout, sections: Mapping[str, str], verbs: str
    ) -> None:
        self._facts = facts
        self._live = live
        self._layout = layout
        self._sections = sections
        self._found = tuple(_containers(sections.get("containers", "")))
        self._verbs = verbs
        self._afresh = f"{verbs}.deploy --rebuild makes a release anew"
        self._projects = {
            "release": layout.release_project(live.id),
            "data": layout.data_project,
            "edge": layout.edge_project,
        }

    def files(self) -> Iterator[Drift]:
        """Files of the live release and of the data services that are not as they were staged."""
        for part, folder in (("release", self._layout.release(self._live.id)), ("data", self._layout.data)):
            for path in self._sections.get(f"changed {part}", "").splitlines():
                text = "is not as it was staged: changed by hand, or by the service that it is mounted into"
                yield Drift(What.FILE, str(folder / path), text, self._afresh)
        for path in self._sections.get("added", "").splitlines():
            name = str(self._layout.release(self._live.id) / path)
            yield Drift(What.FILE, name, "was added", f"remove it, or {self._afresh}")

    def containers(self) -> Iterator[Drift]:
        """Containers that are missing, too many, or made from something else than their compose file says."""
        for part, project in self._projects.items():
            hashes = dict(line.split()[:2] for line in self._sections.get(f"hashes {part}", "").splitlines() if line)
            own = [one for one in self._found if one.project == project and not one.one_off]
            for service, wanted in hashes.items():
                mine = [one for one in own if one.service == service]
                if not mine and self._expected(service):
                    yield Drift(What.CONTAINER, f"{part} {service}", "has no container", f"{self._verbs}.deploy")
                for one in mine:
                    if one.config_hash != wanted:
                        yield Drift(
                            What.CONTAINER,
                            one.name,
                            "was made from another definition than its compose file has",
                            self._afresh,
                        )
            document = _document(self._sections.get(f"document {part}", ""))
            for one in own:
                if one.service not in hashes and hashes:
                    yield Drift(What.CONTAINER, one.name, "is of no service there", f"docker rm --force {one.name}")
                    continue
                yield from self._networks(one, part, document)
        yield from self._strangers()

    def _expected(self, service: str) -> bool:
        record = self._live.services.get(service)
        return record is None or record.replicas > 0

    def _strangers(self) -> Iterator[Drift]:
        """What runs of releases that are neither live nor kept warm."""
        ours = {*self._projects.values()}
        warm = {self._layout.release_project(name) for name in self._facts.warm if self._facts.is_warm(name)}
        for one in self._found:
            if one.running and one.one_off and one.project in ours:
                yield Drift(What.CONTAINER, one.name, "was started by `compose run` and still runs", "end it")
            elif one.running and one.project not in ours | warm and self._is_release(one.project):
                yield Drift(What.CONTAINER, one.name, "runs although its release is not live", f"{self._verbs}.deploy")

    def _is_release(self, project: str) -> bool:
        return any(project == self._layout.release_project(name) for name in self._facts.releases)

    def _networks(self, one: Found, part: str, document: Mapping[str, Any]) -> Iterator[Drift]:
        """Networks that somebody has put a container into, or taken it out of."""
        expected = _networks_of(one.service, document)
        if expected is None or not one.running:
            return
        own = {
            self._layout.release_network(name, network)
            for name, record in self._facts.releases.items()
            for network in record.networks
        }
        edge = set(edge_networks(self._layout, self._facts.releases.values())) if part == "edge" else set[str]()
        allowed = expected | edge | (own if part != "release" else set())
        for network in sorted(one.networks - allowed):
            remedy = f"docker network disconnect {network} {one.name}"
            yield Drift(What.NETWORK, one.name, f"was put into the network {network}", remedy)
        for network in sorted(expected - one.networks):
            yield Drift(What.NETWORK, one.name, f"was taken out of the network {network}", self._afresh)

    def images(self) -> Iterator[Drift]:
        """Containers that run another image than was seen when they were made, and names that now mean another."""
        recorded = {(one.part, one.name): one.image for one in _last_deeds(self._facts) if one.image}
        for part, project in self._projects.items():
            for one in self._found:
                if one.project != project or one.one_off:
                    continue
                known = recorded.get((part, one.service))
                runs = one.image_id.removeprefix("sha256:")[:_SHORT]
                if known and known != runs:
                    yield Drift(What.IMAGE, one.name, f"runs the image {runs} instead of {known}", self._afresh)
                named = self._facts.images.get(one.image)
                if named != one.image_id:
                    state = "names another image now" if named else "is gone from the host"
                    text = f"of {one.name} {state}: it would not come back as it is"
                    yield Drift(What.IMAGE, one.image, text, f"docker tag {one.image_id[:19]} {one.image}")

    def edge(self) -> Iterator[Drift]:
        """The edge's files and what HAProxy has in memory."""
        state = self._facts.edge
        if state is None:
            return
        remedy = f"{self._verbs}.deploy --rebuild writes it anew"
        for name, wanted in (("haproxy.cfg", render_config(state, self._layout)), ("live.map", render_map(state))):
            found = self._sections.get(f"edge {name}")
            if found is None or base64.b64decode(found).decode(errors="replace") != wanted:
                text = "is not as this version writes it for the edge's state"
                yield Drift(What.EDGE, str(self._layout.edge / "etc" / name), text, remedy)
        if self._facts.edge_serves and self._facts.edge_serves != state.live:
            text = f"serves the slot {self._facts.edge_serves}, its state on disk says {state.live}"
            yield Drift(What.EDGE, "the edge", text, remedy)
        if "servers" in self._sections:
            yield from self._servers(state, remedy)

    def _servers(self, state: EdgeState, remedy: str) -> Iterator[Drift]:
        target = state.slots.get(state.live)
        lines = (line.split() for line in self._sections["servers"].splitlines())
        rows = {f"{row[1]}/{row[3]}": row for row in lines if len(row) >= _COLUMNS}
        for wanted in servers_of(state.live, target) if target else ():
            place, _, address = wanted.partition("=")
            row = rows.get(place)
            name = f"the edge's server {place}"
            if row is None:
                yield Drift(What.EDGE, name, "is not in its memory", remedy)
            elif f"{row[17]}:{row[18]}" != address:
                yield Drift(What.EDGE, name, f"sends to {row[17]}:{row[18]} instead of {address}", remedy)
            elif row[6].isdigit() and int(row[6]) & _FORCED:
                yield Drift(What.EDGE, name, "was taken out of service", remedy)

    def link(self) -> Iterator[Drift]:
        if self._facts.current != self._live.id:
            text = f"names {self._facts.current or 'nothing'}, {self._live.id} serves"
            target = f"ln -sfn releases/{self._live.id} {self._layout.root}/current"
            yield Drift(What.LINK, f"{self._layout.root}/current", text, target)


def _last_deeds(facts: Facts) -> tuple[Deed, ...]:
    """What was seen at the end of the last change that was seen."""
    return next((entry.deeds for entry in reversed(facts.journal) if entry.deeds), ())


def _containers(text: str) -> Iterable[Found]:
    for line in text.splitlines():
        name, project, service, config_hash, one_off, running, image_id, image, networks = line.split("\t")
        yield Found(
            name.removeprefix("/"),
            project,
            service,
            config_hash,
            one_off == "True",
            running == "true",
            image_id,
            image,
            frozenset(one for one in networks.split(",") if one),
        )


def _document(text: str) -> Mapping[str, Any]:
    try:
        document: Mapping[str, Any] = json.loads(base64.b64decode(text))
    except ValueError:  # rewritten by hand as YAML: its digest tells
        return {}
    return document


def _networks_of(service: str, document: Mapping[str, Any]) -> frozenset[str] | None:
    """Names on the host of the networks that a compose document puts a service into; None when it does not say."""
    definition = document.get("services", {}).get(service)
    if definition is None or definition.get("network_mode"):
        return None
    return frozenset(
        str((document.get("networks", {}).get(name) or {}).get("name") or f"{document['name']}_{name}")
        for name in definition.get("networks") or ("default",)
    )
