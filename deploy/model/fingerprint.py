"""Digests of a service's parts: equal parts mean nothing to do, different ones are the reason in the plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Parts whose digest the release record holds under a name of its own, or which never reach a container.
_APART = frozenset({"environment", "image", "build", "x-deploy", "depends_on"})


def digest(value: object) -> str:
    """Sixteen hexadecimal digits over the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def service_parts(
    definition: Mapping[str, Any], model: Mapping[str, Any], source: str, files: Mapping[str, str]
) -> dict[str, str]:
    """Part name to digest.

    `source` is what the image is made from, `files` the digest of each shipped file by its path. Environment variables
    count one by one, so that a plan can name the keys that changed without showing a value.
    """
    parts = {"image": digest(source)}
    parts |= {f"environment.{key}": digest(value) for key, value in (definition.get("environment") or {}).items()}
    parts |= {key: digest(value) for key, value in definition.items() if key not in _APART and value}
    parts |= {f"file {path}": digest(content) for path, content in files.items()}
    for section in ("networks", "volumes"):
        for name in _named(definition.get(section)):
            if name in (model.get(section) or {}):
                parts[f"{section}.{name}"] = digest(model[section][name])
    for section in ("configs", "secrets"):
        for name in _named(definition.get(section)):
            source_of = model.get(section, {}).get(name) or {}
            parts[f"{section}.{name}"] = digest({key: source_of.get(key) for key in ("content", "environment")})
    return parts


def changed_parts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the parts that differ, sorted."""
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def _named(entries: Any) -> tuple[str, ...]:
    """The top-level names that a service's networks, volumes, configs or secrets refer to."""
    if isinstance(entries, Mapping):
        return tuple(entries)
    return tuple(
        str(entry["source"])
        for entry in entries or ()
        if entry.get("type", "volume") == "volume" and entry.get("source")
    )
