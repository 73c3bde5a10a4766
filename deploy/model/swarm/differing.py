"""What a document of a stack says of its services: which differ from another one's, and which files they have."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.swarm import names


def differing(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> frozenset[str]:
    """Names of services of both whose definitions differ, images and the release's label left out."""
    one, other = _services(before), _services(wanted)
    return frozenset(name for name in one.keys() & other.keys() if one[name] != other[name])


def _services(document: Mapping[str, Any]) -> Mapping[str, Any]:
    services: dict[str, Any] = copy.deepcopy(dict(document.get("services") or {}))
    for one in services.values():
        one.pop("image", None)
        (one.get("deploy") or {}).get("labels", {}).pop(names.RELEASE, None)
    # as JSON has it: one of the two was read from there
    found: dict[str, Any] = json.loads(json.dumps(services))
    return found


def mounted_in(document: Mapping[str, Any], service: str) -> Iterator[tuple[str, str]]:
    """The files that a service has as configs and secrets: each with its path beside the document, and its target.

    Those that were made without us have no file there.
    """
    one = (document.get("services") or {}).get(service) or {}
    for section, usual in (("configs", "/"), ("secrets", "/run/secrets")):
        for entry in one.get(section) or ():
            made = (document.get(section) or {}).get(entry["source"]) or {}
            if file := made.get("file"):
                yield str(PurePosixPath(file)), str(PurePosixPath(usual) / entry["target"])
