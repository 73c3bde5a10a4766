"""The definitions that a plan compares: the one that runs, read from the host into memory, and the wanted one."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from deploy.model.facts import Facts
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.places import Places
from deploy.model.plan import Action, Definitions, FileText, Masking, Plan, with_details
from deploy.model.release import ReleaseRecord
from deploy.model.render import FILES_LABEL, render_data, render_release
from deploy.model.settings import Engine
from deploy.model.swarm.render import render_once
from deploy.release.prepare import Prepared
from deploy.release.site import Site

LONGEST_BYTES = 65536
"""Files longer than this are not compared line by line."""


def explained(plan: Plan, prepared: Prepared, site: Site, facts: Facts) -> Plan:
    """The plan with what exactly differs, where something does and the host still has what it differs from."""
    live = facts.live
    changing = [one for one in (*plan.data, *plan.services) if one.action not in {Action.KEEP, Action.REMOVE}]
    if live is None or not changing:
        return plan
    rough = Masking.of(prepared.variables, ())
    paths = {
        reason.removeprefix("file "): one.kind for one in changing for reason in one.reasons if reason[:5] == "file "
    }
    shown = {path: kind for path, kind in paths.items() if not rough.hides_file(path)}
    before, after = _on_host(site, live, shown), _here(prepared, site.layout, shown, live.engine)
    environments = [
        service.get("environment") or {}
        for side in (before, after)
        for document in (side.release, side.data)
        for service in document.get("services", {}).values()
    ]
    told = with_details(plan, before, after, Masking.of(prepared.variables, environments))
    more = f"inv {prepared.environment.name}.drift says more"
    by_hand = tuple(f"{path} was changed on the host: {more}" for path in before.changed)
    return dataclasses.replace(told, warnings=told.warnings + by_hand)


def _on_host(site: Site, live: ReleaseRecord, paths: Mapping[str, Kind]) -> Definitions:
    words = [word for path, kind in paths.items() for word in ("data" if kind == Kind.DATA else "release", path)]
    script = site.bare("definitions.sh", str(site.layout.root), live.id, LONGEST_BYTES, *words)
    documents: dict[str, str] = {"release": "", "data": ""}
    files: dict[str, FileText] = {}
    changed = []
    for line in site.shell.run(script).stdout.splitlines():
        what, _, rest = line.partition(" ")
        if what in documents:
            documents[what] = base64.b64decode(rest).decode(errors="replace")
        elif what == "changed":
            changed.append(rest)
        elif what == "file":
            content, _, path = rest.partition(" ")
            files[path] = _text(base64.b64decode(content) if content != "-" else None)
    return Definitions(
        release=_document(documents["release"], live.id, site.layout),
        data=_document(documents["data"], live.id, site.layout),
        images={name: service.source for name, service in live.services.items()},
        ports=_ports(live),
        files=files,
        changed=tuple(changed),
    )


def _here(prepared: Prepared, layout: HostLayout, paths: Iterable[str], engine: Engine) -> Definitions:
    """As the engine of the live release would have it."""
    record, places = prepared.record, prepared.places
    images = {name: service.image for name, service in record.services.items()}
    render = render_once if engine == Engine.SWARM else render_release
    app = render(prepared.stack, images, layout, record.id, places)
    data = render_data(prepared.stack, images, layout, places)
    return Definitions(
        release=_document(json.dumps(app.document), record.id, layout),
        data=_document(json.dumps(data.document), record.id, layout),
        images={name: service.source for name, service in record.services.items()},
        ports=_ports(record),
        files=dict(_files(places, paths)),
    )


def _document(text: str, release_id: str, layout: HostLayout) -> Mapping[str, Any]:
    """A compose document without what every release has of its own. A text that cannot be read is an empty one."""
    try:
        document: dict[str, Any] = json.loads(text.replace(str(layout.release(release_id)), "."))
    except ValueError:  # none is there, or somebody has rewritten it by hand
        return {}
    for service in document.get("services", {}).values():
        labels = service.get("labels") or {}
        labels.pop(FILES_LABEL, None)
        if not labels:
            service.pop("labels", None)
    return document


def _ports(record: ReleaseRecord) -> tuple[str, ...]:
    return tuple(
        f"{one.service}: {one.port}:{one.port.target}" for one in sorted(record.public, key=lambda one: one.port)
    )


def _files(places: Places, paths: Iterable[str]) -> Iterator[tuple[str, FileText]]:
    members = {places.relative(source): one.members for source, one in places.found.items() if places.inside(source)}
    for path in paths:
        source = places.root / path
        for file in [source / name for name in members.get(path) or ()] or [source]:
            if file.is_file():
                long = file.stat().st_size > LONGEST_BYTES
                yield str(file.relative_to(places.root)), _text(None if long else file.read_bytes())


def _text(content: bytes | None) -> FileText:
    if content is None or b"\0" in content:
        return FileText(None)
    try:
        return FileText(content.decode())
    except UnicodeDecodeError:
        return FileText(None)
