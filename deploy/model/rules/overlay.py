"""What mends problems, as one compose file to lay over the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deploy.model.checks.problem import Problem


def overlay_of(problems: Iterable[Problem]) -> dict[str, Any]:
    """The document that mends every problem that can be mended so; empty when none can."""
    found: dict[str, Any] = {}
    for one in problems:
        if not one.allowed:
            found = _together(found, one.overlay)
    return found


def _together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for key, value in other.items():
        known = found.get(key, value)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        found[key] = _together(known, value) if both else known
    return found
