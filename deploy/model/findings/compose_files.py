"""Which compose files make an environment, by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
FOLDERS = ("docker", "deploy", "deployment", "compose", "infra", "ops", ".docker")
"""Where a project may keep them instead of at its top."""
DEV = ("override", "dev", "development", "local")
PROD = ("prod", "production")
Documents = Callable[[str], Mapping[str, Any] | None]
"""A compose file's content by its path; None for one that compose alone can make sense of (`!reset`, `!override`)."""


@dataclass(frozen=True)
class ComposeFiles:
    """The files of an environment, later ones laid over earlier ones."""

    paths: tuple[str, ...]
    """Relative to the project's folder."""
    reason: str


def candidates(names: Collection[str]) -> tuple[str, ...]:
    """Those of a project's files that may be compose files."""
    pattern = re.compile(r"(?:[^/]+/)?(?:(?:docker-)?compose[^/]*|[a-z]+)\.ya?ml")
    return tuple(sorted(name for name in names if pattern.fullmatch(name)))


def choose_compose_files(
    names: Collection[str], environment: str, *, local: bool, document: Documents
) -> ComposeFiles | None:
    """The compose files of an environment among a project's files (paths relative to its folder).

    The base and the environment's own file over it; that file alone where it is whole by itself. None when there are
    none.
    """
    words = DEV if local else tuple(dict.fromkeys((environment, *PROD)))
    for folder in ("", *FOLDERS):
        prefix = f"{folder}/" if folder else ""
        base = next((f"{prefix}{name}" for name in BASES if f"{prefix}{name}" in names), "")
        own = next((name for name in _own(prefix, words) if name in names and _is_compose(name, base, document)), "")
        if own and base:
            return _together(base, own, document)
        if own or base:
            return ComposeFiles((own or base,), f"the only file of its kind for {environment}")
    return None


def _own(prefix: str, words: Sequence[str]) -> Iterator[str]:
    """Names of an environment's own file, the likeliest first."""
    for word in words:
        for separator in (".", "-", "_"):
            for stem in ("compose", "docker-compose"):
                yield from (f"{prefix}{stem}{separator}{word}.{suffix}" for suffix in ("yaml", "yml"))
        yield from (f"{prefix}{word}.{suffix}" for suffix in ("yaml", "yml"))


def _is_compose(name: str, base: str, document: Documents) -> bool:
    """A file whose name alone does not say it must look like one."""
    if "compose" in name.rsplit("/", 1)[-1]:
        return True
    content = document(name)
    return bool(content and isinstance(content.get("services"), Mapping)) or (content is None and bool(base))


def _together(base: str, own: str, document: Documents) -> ComposeFiles:
    if why := _whole(document(base), document(own), base):
        return ComposeFiles((own,), why)
    return ComposeFiles((base, own), f"{own} is laid over {base}")


def _whole(base: Mapping[str, Any] | None, own: Mapping[str, Any] | None, base_name: str) -> str:
    """Why a file is a stack by itself rather than an overlay of the base; empty when it is an overlay.

    It is when every service in it is complete and it also either has all services of the base or repeats an image or
    build of it word for word, which no overlay has reason to.
    """
    ours, theirs = _services(own), _services(base)
    if not ours or not all("image" in one or "build" in one or "extends" in one for one in ours.values()):
        return ""
    named = {str(other) for one in ours.values() for other in (*_names(one.get("depends_on")), *_links(one))}
    if not named <= ours.keys():
        return ""
    if theirs.keys() <= ours.keys():
        return f"it is whole by itself and has every service of {base_name}"
    for name in ours.keys() & theirs.keys():
        for key in ("image", "build"):
            if key in ours[name] and ours[name][key] == theirs[name].get(key):
                return f"it is whole by itself: it gives the {key} of {name} again, as {base_name} does"
    return ""


def _services(document: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, Any]]:
    found = (document or {}).get("services")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): one for name, one in found.items() if isinstance(one, Mapping)}


def _names(value: Any) -> Sequence[str]:
    return tuple(value) if isinstance(value, Mapping | list | tuple) else ()


def _links(service: Mapping[str, Any]) -> Iterator[str]:
    return (str(link).split(":", 1)[0] for link in service.get("links") or ())
