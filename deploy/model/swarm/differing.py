"""Which services two documents of a stack have differently, apart from what every release changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
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
