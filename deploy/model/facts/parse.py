"""Reading what `facts.sh` printed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from deploy.model.edge import EdgeState, parse_certificates
from deploy.model.errors import DeployError
from deploy.model.facts.found import ARCHITECTURES, Container, Facts, Mounted, OnCluster
from deploy.model.facts.machine import parse_machine
from deploy.model.journal import parse_journal
from deploy.model.layers import Layers
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine

_KB = 1024


def parse_facts(text: str, host: str) -> Facts:
    """Facts from what `facts.sh` printed. Raises DeployError when the text is not whole."""
    sections = sections_of(text)
    if "end" not in sections:
        raise DeployError(f"{host}: its facts could not be read", "run the command again", details=text[-2000:])
    about = _pairs(sections["host"]) | _pairs(sections["engine"])
    machine = _pairs(sections.get("machine", ""))
    releases, unreadable = _releases(sections, host)
    return Facts(
        host=host,
        user=about["user"],
        architecture=ARCHITECTURES.get(about["arch"], about["arch"]),
        distribution=about.get("distribution", ""),
        now=datetime.fromtimestamp(int(about["now"]), UTC),
        root_writable="root_writable" in about,
        sudo="sudo" in about,
        engine_version=about.get("version", ""),
        engine_error="" if about.get("version") else _trouble(sections["engine"]),
        compose_version=about.get("compose", ""),
        data_free_bytes=int(about.get("data_free_kb", about.get("root_free_kb", 0))) * _KB,
        images=dict(_images(sections["images"])),
        layers=dict(_layers(sections["layers"])),
        zstd="zstd" in about,
        containerd="containerd" in about,
        memory_bytes=int(machine.get("memory_kb", 0)) * _KB,
        containers=tuple(_containers(sections["containers"])),
        listening=frozenset(_ports(sections["listening"])),
        current=sections.get("current", "").strip(),
        releases=releases,
        unreadable=unreadable,
        edge=EdgeState.from_json(sections["edge"]) if "edge" in sections else None,
        edge_serves=_live_slot(sections.get("edge-live", "")),
        edge_runs=_edge_runs(sections.get("edge-runs", "")),
        certificates=tuple(parse_certificates(sections.get("edge-live", ""), sections.get("certificate-failures", ""))),
        maintenance=json.loads(sections.get("maintenance") or "{}"),
        data=json.loads(sections.get("data") or "{}"),
        lock=json.loads(sections.get("lock") or "{}"),
        frozen=json.loads(sections.get("frozen") or "{}"),
        schedule=json.loads(sections.get("schedule") or "{}"),
        journal=parse_journal(sections.get("journal", "")),
        warm={
            name: datetime.fromtimestamp(int(until), UTC)
            for name, until in _pairs(sections.get("warm", "")).items()
            if until.isdigit()
        },
        data_bytes=int(about.get("data_kb", 0)) * _KB,
        mounted=parse_mounted(sections.get("by-hand", "")),
        cluster=parse_on_cluster(sections.get("cluster", "")),
        closed_by=about.get("closed_by", ""),
        machine=parse_machine(machine, sections.get("memory", "")),
    )


def sections_of(text: str) -> dict[str, str]:
    """What our scripts print: sections by name, each begun by a line of "@@name"."""
    return dict(_sections(text))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    name = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("@@"):
            yield name, "\n".join(lines)
            name, lines = line[2:], []
        else:
            lines.append(line)
    yield name, "\n".join(lines)


def _pairs(text: str) -> dict[str, str]:
    return {
        key: value for key, equals, value in (line.partition("=") for line in text.splitlines()) if equals and value
    }


def _trouble(text: str) -> str:
    """What the engine's client said, without what our script tells of other things in the same section."""
    told = ("version=", "compose=", "data_free_kb=", "data_kb=", "containerd=")
    return "\n".join(line for line in text.splitlines() if not line.startswith(told)).strip()


def _releases(sections: Mapping[str, str], host: str) -> tuple[dict[str, ReleaseRecord], tuple[str, ...]]:
    releases, unreadable = {}, []
    for name, text in sections.items():
        if not name.startswith("release "):
            continue
        release_id = name.removeprefix("release ")
        try:
            record = ReleaseRecord.from_json(text, where=f"{host}: release {release_id}")
        except DeployError as error:
            unreadable.append(error.message)
            continue
        # one of before it was written down
        of_cluster = release_id in sections.get("of-cluster", "").split()
        releases[release_id] = dataclasses.replace(record, engine=Engine.SWARM) if of_cluster else record
    return dict(sorted(releases.items())), tuple(unreadable)


def _images(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        image_id, _, reference = line.partition(" ")
        if not reference.endswith(":<none>"):
            yield reference, image_id


def _layers(text: str) -> Iterator[tuple[str, Layers]]:
    for line in text.splitlines():
        image_id, *layers = line.split()
        yield image_id, tuple(layers)


def _containers(text: str) -> Iterator[Container]:
    fields = 8
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == fields:
            yield Container(*parts)


def parse_mounted(text: str) -> dict[str, tuple[Mounted, ...]]:
    """Lines of a key, type, source and target, with tabs: mounts by key."""
    found: dict[str, tuple[Mounted, ...]] = {}
    fields = 4
    for line in text.splitlines():
        parts = line.split("\t")
        if len(parts) == fields:
            found[parts[0]] = (*found.get(parts[0], ()), Mounted(*parts[1:]))
    return found


def parse_on_cluster(text: str) -> OnCluster:
    """Lines of "service NAME", and "data NODE [here]"."""
    rows = [line.split() for line in text.splitlines()]
    node = next((row for row in rows if row[:1] == ["data"]), [])
    return OnCluster(
        frozenset(row[1] for row in rows if row[:1] == ["service"]), "".join(node[1:2]), node[2:] == ["here"]
    )


def _ports(text: str) -> Iterator[int]:
    for line in text.splitlines():
        port = line.rpartition(":")[2]
        if port.isdigit():
            yield int(port)


def _edge_runs(text: str) -> tuple[str, str]:
    image, _, definition = text.strip().partition(" ")
    return image, definition


def _live_slot(text: str) -> str:
    """`show map` prints an address, the key and its value."""
    for line in text.splitlines():
        words = line.split()
        if words[-2:-1] == ["live"]:
            return words[-1]
    return ""
