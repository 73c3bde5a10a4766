"""Reading single settings: what each may be, with an error that names the key for everything else."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from deploy.model.errors import UsageError, nearest
from deploy.model.retention import Retention

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""At most as long as a host name's part may be: containers' names and their host names begin with it."""
MOST = 1_000_000_000
"""No number of anything here is larger: infinity is none, nor is what is none (`.nan`)."""
KEYS = {
    "": ("project", "stack", "environments", "backups"),
    "environments.*": (
        "project",
        "compose",
        "env_file",
        "hosts",
        "domains",
        "acme",
        "maintenance_page",
        "path",
        "keep",
        "drain_s",
        "keep_free",
        "keep_warm_s",
        "backup_max_age_h",
        "proof_max_age_h",
        "deploy_needs_proof_h",
        "schedule",
        "notify",
        "backup_keep",
        "encryption",
        "offsite",
        "rehearse",
        "mask",
        "data_from",
        "engine",
        "nodes",
        "waves",
        "parallel",
        "builder",
        "allow",
        "secrets",
        "env_identity",
        "sudo",
        "scan",
    ),
    "environments.*.acme": ("email", "server", "ca"),
    "environments.*.encryption": ("recipients", "identity"),
    "environments.*.schedule": ("at", "drill", "limit_h"),
    "environments.*.notify": ("command", "webhook", "recovery"),
    "environments.*.backup_keep": tuple(one.name for one in dataclasses.fields(Retention)),
    "environments.*.scan": ("fail_on", "sbom"),
    "environments.*.offsite": ("repository", "env_file", "keep", "timeout_s"),
}


def check_keys(raw: Mapping[str, Any], level: str, path: str, source: str) -> None:
    for key in raw:
        if key not in KEYS[level]:
            raise UsageError(f"{source}: deploy.{joined(path, str(key))}: unknown key", nearest(str(key), KEYS[level]))


def text_of(raw: Mapping[str, Any], key: str, default: str, source: str, path: str = "") -> str:
    value = raw.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, str | int):
        return str(value)
    raise UsageError(f"{source}: deploy.{joined(path, key)} is not a text", shape_of(value))


def texts_of(raw: Mapping[str, Any], key: str, source: str, path: str) -> tuple[str, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f"{source}: deploy.{joined(path, key)} is not a list of texts", shape_of(value))


def full_texts_of(raw: Mapping[str, Any], key: str, source: str, path: str) -> tuple[str, ...]:
    values = texts_of(raw, key, source, path)
    if all(value.strip() for value in values):
        return values
    raise UsageError(f"{source}: deploy.{joined(path, key)} has an empty text", f"leave it out; {shape_of([*values])}")


def number_of(raw: Mapping[str, Any], key: str, default: float, source: str, path: str, *, least: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MOST:
        raise UsageError(f"{source}: deploy.{joined(path, key)} is not a number of at least {least:g}", shape_of(value))
    return value


def count_of(raw: Mapping[str, Any], key: str, default: int, source: str, path: str, *, least: int) -> int:
    value = number_of(raw, key, default, source, path, least=least)
    if isinstance(value, int):
        return value
    raise UsageError(f"{source}: deploy.{joined(path, key)} is not a whole number", shape_of(value))


def boolean_of(raw: Mapping[str, Any], key: str, source: str, path: str) -> bool:
    value = raw.get(key, False)
    if isinstance(value, bool):
        return value
    raise UsageError(f"{source}: deploy.{joined(path, key)} is not true or false", shape_of(value))


def name_of(value: str, path: str, source: str) -> str:
    if NAME.fullmatch(value):
        return value
    raise UsageError(
        f"{source}: deploy.{path}: '{value}' cannot name a compose project",
        "use lower-case letters, digits, '-' and '_', starting with a letter or digit",
    )


def mapping_of(raw: Any, path: str, source: str, what: str = "") -> Mapping[str, Any]:
    """Nothing is an empty one; `what` says of what it is one."""
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        return raw
    raise UsageError(f"{source}: deploy.{path} is not a mapping{what and ' ' + what}", shape_of(raw))


def joined(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def shape_of(value: object) -> str:
    return f"it is {reprlib.repr(value)}"
