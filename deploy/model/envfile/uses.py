"""Where the variables of an env file go: which of them compose files read, and what containers get of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.model.envfile.template import Lookup, Reference, TemplateError, names_in, parts

OURS = frozenset({"DEPLOY_UID", "DEPLOY_GID", "DEPLOY_ADDRESS"})
"""Variables that are exported to compose whatever an env file says."""
_COMPOSES = re.compile(r"(COMPOSE|DOCKER|BUILDX|BUILDKIT)_\w+")
_INITIAL = ("POSTGRES_PASSWORD",)
_NAMED = re.compile(r"(?<!\$)(?:\$\$)*\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Uses:
    """What compose files do with variables."""

    names: frozenset[str] = frozenset()
    """Variables that they refer to anywhere."""
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service to the variables of its containers, each with the text that it is made of."""
    whole: frozenset[str] = frozenset()
    """Services that get every variable of the env file (`env_file:`)."""

    def reads(self, name: str) -> bool:
        """Whether anything reads a variable."""
        return bool(self.whole) or name in self.names or bool(_COMPOSES.fullmatch(name))


@dataclass(frozen=True)
class Recovered:
    """The value of a variable, as a running release was made with it."""

    value: str = field(repr=False)
    services: tuple[str, ...]
    """Whose containers have it."""
    default: bool = False
    """Whether it is what stands in the compose files for a variable that is not set."""


def uses_of(document: Mapping[str, Any], env_file: str, texts: Iterable[str] = ()) -> Uses:
    """Of a compose document in which no variable was put in.

    `env_file` is the path of the env file as the document has it; `texts` are compose files that are searched besides,
    for where a document cannot be had, or not all of it.
    """
    environments: dict[str, dict[str, str]] = {}
    whole = set()
    for name, service in (document.get("services") or {}).items():
        environments[name] = dict(_templates(service.get("environment") or {}))
        files = [one.get("path", "") if isinstance(one, Mapping) else one for one in service.get("env_file") or ()]
        if any(posixpath.normpath(str(one)) == posixpath.normpath(env_file) for one in files):
            whole.add(name)
    found = {name for text in _strings(document) for name in names_in(text)}
    found |= {name for text in texts for line in text.splitlines() for name in _NAMED.findall(_without_comment(line))}
    bare = {key for own in environments.values() for key, text in own.items() if text == _reference(key)}
    return Uses(frozenset(found | bare), environments, frozenset(whole))


def recovered(
    uses: Uses, live: Mapping[str, Mapping[str, str]], names: Iterable[str] = (), lookup: Lookup = lambda _: None
) -> Mapping[str, Recovered]:
    """Variables whose value can be told from the environments of a release's services.

    `live` is service to variables and values. `lookup` tells variables that defaults are made of. `names` are looked
    for under their own name as well, in services that get a whole env file and where nothing else tells.
    """
    candidates: dict[str, list[tuple[bool, int, str, str, bool]]] = {}
    for service, templates in uses.environments.items():
        for key, template in templates.items():
            value = (live.get(service) or {}).get(key)
            for name, found, default in _solved(template, value, lookup) if value is not None else ():
                # what a server is told when its volume is new may be older than what others have
                rank = 100 * (key in _INITIAL) + len(_parts(template))
                candidates.setdefault(name, []).append((default, rank, service, found, default))
    result = {name: _best(found) for name, found in candidates.items()}
    for name in names:
        if name in result and not result[name].default:
            continue
        having = [one for one in sorted(live) if name in live[one] and name not in uses.environments.get(one, {})]
        if having:
            result[name] = Recovered(live[having[0]][name], tuple(having))
    return result


def _best(found: Sequence[tuple[bool, int, str, str, bool]]) -> Recovered:
    """What is no default counts before what may be one, and a text that is the variable alone before one around it."""
    best = min(found, key=lambda one: one[:2])
    services = tuple(dict.fromkeys(one[2] for one in found if one[3] == best[3]))
    return Recovered(best[3], services, best[4])


def _solved(template: str, value: str, lookup: Lookup) -> Iterator[tuple[str, str, bool]]:
    """Variables of a template with what they must have been for it to give this value; none where that is not certain.

    Each with whether that is its default.
    """
    pieces = _parts(template)
    references = [part for part in pieces if isinstance(part, Reference)]
    if not references or any(one.operator.endswith("+") for one in references):
        return
    solutions = []
    for wild in ("(.*)", "(.*?)"):
        seen: dict[str, int] = {}
        pattern = ""
        for part in pieces:
            if isinstance(part, str):
                pattern += re.escape(part)
            elif part.name in seen:
                pattern += rf"\{seen[part.name]}"
            else:
                seen[part.name] = len(seen) + 1
                pattern += wild
        match = re.fullmatch(pattern, value, re.DOTALL)
        if match is None:
            return
        solutions.append({name: match[number] for name, number in seen.items()})
    if solutions[0] != solutions[1]:
        return
    for one in references:
        found = solutions[0][one.name]
        yield one.name, found, found == _default(one, lookup)


def _parts(template: str) -> list[str | Reference]:
    try:
        return [part for part in parts(template) if part]
    except TemplateError:
        return []


def _default(reference: Reference, lookup: Lookup) -> str | None:
    """What stands there for a variable that is not set; None where compose would refuse that."""
    try:
        return reference.default(lookup)
    except TemplateError:
        return None


def _templates(environment: Mapping[str, Any] | Sequence[Any]) -> Iterator[tuple[str, str]]:
    """A service's environment in either of its forms; a name alone is a reference to the variable of that name."""
    if isinstance(environment, Mapping):
        for key, value in environment.items():
            yield key, _reference(key) if value is None else str(value)
        return
    for word in environment:
        key, equals, value = str(word).partition("=")
        yield key, value if equals else _reference(key)


def _reference(name: str) -> str:
    return "${" + name + "}"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value


def _without_comment(line: str) -> str:
    return "" if line.lstrip().startswith("#") else line.partition(" #")[0]
