"""What `invoke.yaml` says under `deploy:`, checked and typed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from deploy.model.errors import UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
LOCAL = "dev"
"""The environment that the `dev.*` tasks work on: this machine's own."""
TAKEN = ("db", "host", "sandbox", "test")
"""Names of tasks, which no environment can have."""

KEYS = {
    "": ("project", "stack", "environments", "backups"),
    "environments.*": ("project", "compose", "env_file", "hosts", "domains", "path", "keep", "drain_s"),
}


@dataclass(frozen=True)
class Environment:
    """A named target: compose files, env file and hosts."""

    name: str
    project: str
    """Compose project name of this environment; its data project is `<project>-data`, a release `<project>-<id>`."""
    compose: tuple[str, ...]
    """Compose files relative to the project's folder, later ones laid over earlier ones. Empty: by convention."""
    env_file: str
    hosts: tuple[str, ...]
    domains: Mapping[str, str]
    """Service to public host name."""
    path: PurePosixPath
    """The project's folder on a host."""
    keep: int
    """How many releases stay on a host to roll back to, the live one included."""
    drain_s: float
    """How long requests in flight may take to end on a release that is being replaced, in seconds."""

    @property
    def local(self) -> bool:
        return self.name == LOCAL


@dataclass(frozen=True)
class Settings:
    """The whole of `deploy:`."""

    project: str
    backups: str
    """Folder of local backups, relative to the project's folder."""
    environments: Mapping[str, Environment]

    def environment(self, name: str) -> Environment:
        """Raises UsageError for a name that is not configured."""
        if name in self.environments:
            return self.environments[name]
        raise UsageError(
            f"there is no environment '{name}'",
            f"known: {', '.join(self.environments)}; add it under deploy.environments in invoke.yaml",
        )


def parse_settings(raw: Mapping[str, Any], *, folder: str, source: str = "invoke.yaml") -> Settings:
    """Settings from the mapping under `deploy:`.

    `folder` is the project folder's name, the default for the project's own name. Raises UsageError naming `source`,
    the path of the key and the nearest valid key.
    """
    _check_keys(raw, "", "", source)
    stack = _text(raw, "stack", "", source)
    project = _name(_text(raw, "project", stack or _slug(folder), source), "project", source)
    declared = raw.get("environments") or {}
    if not isinstance(declared, Mapping):
        raise UsageError(f"{source}: deploy.environments is not a mapping of names to settings", _shape_of(declared))
    environments = {
        name: _environment(name, declared.get(name) or {}, project, stack, source)
        for name in dict.fromkeys((LOCAL, "prod", *declared))
    }
    return Settings(project, _text(raw, "backups", "backups", source), environments)


def environment_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the remote environments, for building task namespaces before the settings are checked."""
    declared = raw.get("environments")
    names = declared if isinstance(declared, Mapping) else {}
    return tuple(name for name in dict.fromkeys(("prod", *names)) if name != LOCAL and name not in TAKEN)


def _environment(name: str, raw: Any, project: str, stack: str, source: str) -> Environment:
    where = f"environments.{name}"
    if not isinstance(name, str):
        raise UsageError(f"{source}: deploy.environments: {name!r} is not a name", f'write it as a text: "{name}"')
    _name(name, where, source)
    if name in TAKEN:
        raise UsageError(f"{source}: deploy.{where}: '{name}' is the name of other tasks", "call it something else")
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping", _shape_of(raw))
    _check_keys(raw, "environments.*", where, source)
    overlay = "dev" if name == LOCAL else "prod"
    conventional = [f"compose/{stack}/compose.yaml", f"compose/{stack}/{overlay}.yaml"] if stack else []
    own = _name(
        _text(raw, "project", project if name == "prod" else f"{project}-{name}", source, where),
        f"{where}.project",
        source,
    )
    domains = raw.get("domains") or {}
    if not isinstance(domains, Mapping):
        raise UsageError(
            f"{source}: deploy.{where}.domains is not a mapping of services to host names", _shape_of(domains)
        )
    return Environment(
        name=name,
        project=own,
        compose=_texts(raw, "compose", source, where) or tuple(conventional),
        env_file=_text(raw, "env_file", ".env" if name == LOCAL else f".env.{name}", source, where),
        hosts=_texts(raw, "hosts", source, where),
        domains={str(service): str(domain) for service, domain in domains.items()},
        path=_absolute(_text(raw, "path", f"/opt/{own}", source, where), where, source),
        keep=int(_number(raw, "keep", 5, source, where, least=2)),
        drain_s=_number(raw, "drain_s", 30, source, where, least=0),
    )


def nearest(word: str, known: Sequence[str]) -> str:
    """A sentence that helps a mistyped word on its way."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def _check_keys(raw: Mapping[str, Any], level: str, path: str, source: str) -> None:
    for key in raw:
        if key not in KEYS[level]:
            raise UsageError(f"{source}: deploy.{_join(path, str(key))}: unknown key", nearest(str(key), KEYS[level]))


def _text(raw: Mapping[str, Any], key: str, default: str, source: str, path: str = "") -> str:
    value = raw.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, str | int):
        return str(value)
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not a text", _shape_of(value))


def _texts(raw: Mapping[str, Any], key: str, source: str, path: str) -> tuple[str, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not a list of texts", _shape_of(value))


def _number(raw: Mapping[str, Any], key: str, default: float, source: str, path: str, *, least: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
        raise UsageError(f"{source}: deploy.{_join(path, key)} is not a number of at least {least:g}", _shape_of(value))
    return value


def _name(value: str, path: str, source: str) -> str:
    if NAME.fullmatch(value):
        return value
    raise UsageError(
        f"{source}: deploy.{path}: '{value}' cannot name a compose project",
        "use lower-case letters, digits, '-' and '_', starting with a letter or digit",
    )


def _absolute(value: str, path: str, source: str) -> PurePosixPath:
    where = PurePosixPath(value)
    if not where.is_absolute() or len(where.parts) < 3:  # noqa: PLR2004  # never the root or a folder right below it
        raise UsageError(f"{source}: deploy.{path}.path: '{value}' is not an absolute folder", "for example /opt/myapp")
    return where


def _slug(folder: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_") or "app"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shape_of(value: object) -> str:
    return f"it is {value!r}"
