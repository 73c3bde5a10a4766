"""What the rules look at: a project's files as they are written, beside what compose makes of them."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from deploy.model.dockerfile import instructions
from deploy.model.envfile.template import Reference as Asked
from deploy.model.envfile.template import TemplateError, parts
from deploy.model.kinds import Kind
from deploy.model.places import Places
from deploy.model.recipe import Recipe, read_recipe
from deploy.model.stack import Service, Stack


@dataclass(frozen=True)
class Reference:
    """A variable that a compose file asks for."""

    name: str
    file: str
    line: int
    required: bool
    """`${NAME:?…}`."""
    default: str | None
    """Of `${NAME:-default}`; None where there is none."""


@dataclass(frozen=True)
class ComposeFile:
    """A compose file as it is written: before variables are put in and before others are laid over it."""

    path: str
    """Relative to the project's folder."""
    document: Mapping[str, Any] = field(repr=False)
    """Texts stay as they are written, numbers too. `!reset` and `!override` are Tagged."""
    references: tuple[Reference, ...] = ()

    def service(self, name: str) -> Mapping[str, Any]:
        """What it says about a service; empty when nothing."""
        services = self.document.get("services")
        found = services.get(name) if isinstance(services, Mapping) else None
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Tagged:
    """A value under a tag of compose's own: `!reset` takes a key away, `!override` replaces instead of adding."""

    tag: str
    value: Any


@dataclass(frozen=True)
class Variable:
    """One line of an env file."""

    name: str
    value: str = field(repr=False)
    line: int


@dataclass(frozen=True)
class EnvFile:
    """An env file that is there."""

    path: str
    """Relative to the project's folder."""
    variables: tuple[Variable, ...] = ()

    def get(self, name: str) -> Variable | None:
        """The one that counts: the last of that name."""
        return next((one for one in reversed(self.variables) if one.name == name), None)

    def place(self, name: str) -> str:
        """`.env.prod:4`."""
        found = self.get(name)
        return f"{self.path}:{found.line}" if found else self.path


@dataclass(frozen=True)
class Dockerfile:
    """What a service's image is built by."""

    path: str
    """Relative to the project's folder; empty where it stands in the compose file."""
    text: str
    target: str
    """The stage that is built; empty for the last."""

    def instructions(self) -> Iterator[tuple[int, str, str]]:
        """Line (from 1), instruction, and what follows it."""
        yield from instructions_with_lines(self.text)

    def place(self, line: int) -> str:
        return f"{self.path}:{line}" if self.path else ""

    def last(self, word: str, holds: str = "") -> str:
        """`Dockerfile:7`, where it says an instruction with a text for the last time up to the end of its target."""
        found, inside = 0, False
        for line, name, rest in self.instructions():
            if name == "FROM":
                if inside:
                    break
                inside = bool(self.target) and rest.lower().endswith(f" as {self.target.lower()}")
            elif name == word and holds in rest:
                found = line
        return self.place(found) if found else ""


@dataclass(frozen=True)
class Context:
    """The folder that a service's image is built from."""

    folder: str
    """Relative to the project's folder."""
    has_ignore_file: bool
    secrets: tuple[str, ...]
    """Files the build sees that hold secrets, by what they are called and what is in them, relative to the folder."""
    bulk: tuple[str, ...] = ()
    """Folders at its top that the build sees and that are large and of no use to it: `.git`, `node_modules`."""


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file of a program that a service runs."""

    path: str
    """Relative to the project's folder."""
    text: str


@dataclass(frozen=True)
class Subject:
    """A project in one of its environments. Holds the values of secrets."""

    environment: str
    stack: Stack
    places: Places
    files: tuple[ComposeFile, ...] = ()
    """In the order in which they are laid over each other; what they include and extend comes before them."""
    env: EnvFile | None = None
    example: EnvFile | None = None
    """What the env file is made from; None where there is no example."""
    set_elsewhere: frozenset[str] = frozenset()
    """Names of variables that the process itself has."""
    stood_in: frozenset[str] = frozenset()
    """Names of variables whose value here is not the environment's own: its env file is not there."""
    tracked: frozenset[str] | None = None
    """The compose files and env files, among those above, that git tracks; None where there is no git."""
    dockerfiles: Mapping[str, Dockerfile] = field(default_factory=dict)
    """By service."""
    contexts: Mapping[str, Context] = field(default_factory=dict)
    """By service."""
    nginx: Mapping[str, tuple[ConfigFile, ...]] = field(default_factory=dict)
    """By service: what is mounted or built in below nginx's folder of settings."""
    today: dt.date = dt.date.min
    warnings: tuple[str, ...] = ()
    """Compose's own."""
    cluster: bool = False
    """Whether the environment's engine is one."""

    @property
    def running(self) -> tuple[Service, ...]:
        """Services that are to run on: all but jobs and what may end."""
        return tuple(one for one in self.stack.services.values() if one.kind != "job" and not one.may_end)

    @cached_property
    def recipes(self) -> Mapping[str, Recipe]:
        """What the Dockerfiles make, by service, as far as they can be read."""
        services = self.stack.services
        builds = {name: services[name].build for name in self.dockerfiles if name in services}
        return {
            name: read_recipe(file.text, file.target, (build.definition.get("args") if build else None) or {})
            for name, build in builds.items()
            for file in [self.dockerfiles[name]]
        }

    def recipe(self, service: Service) -> Recipe:
        """What a service's Dockerfile makes; an empty recipe for an image from elsewhere."""
        return self.recipes.get(service.name, Recipe())

    def said(self, service: Service, key: str) -> tuple[str, ...]:
        """The path of a key of a service; of the service itself where no file has that key."""
        return at(service, *(word for word in (key,) if any(key in file.service(service.name) for file in self.files)))

    def written_as(self, service: Service, key: str, *words: str) -> str:
        """The first of some words that an entry of a service's list has as it is written; the last when none does.

        A path of keys leads to the entry by it, also where a part of the entry comes from a variable.
        """
        texts = [text for file in self.files for text in texts_in(file.service(service.name).get(key))]
        return next((word for word in words if word and any(word in text for text in texts)), words[-1])

    @property
    def lasting(self) -> tuple[Service, ...]:
        """Services that nobody can take to run once: all but jobs, and what may end and nobody counts on."""
        awaited = {
            other
            for one in self.stack.services.values()
            for other, how in (one.definition.get("depends_on") or {}).items()
            if (how or {}).get("condition") != "service_completed_successfully"
        }
        return tuple(
            one
            for one in self.stack.services.values()
            if one.kind != Kind.JOB and (one.kind != Kind.WEB or not one.may_end or one.name in awaited)
        )


def instructions_with_lines(text: str) -> Iterator[tuple[int, str, str]]:
    """A Dockerfile's instructions, each with the line (from 1) that it begins in."""
    lines, number = text.splitlines(), 0
    for word, rest in instructions(text):
        begin = re.compile(rf"\s*{word}\s", re.IGNORECASE)
        while number < len(lines) and not begin.match(f"{lines[number]} "):
            number += 1
        yield number + 1, word, rest
        number += 1


def references_in(text: str) -> Iterator[tuple[str, bool, str | None]]:
    """The variables that a text asks for, those in defaults too: name, whether it is required, its default.

    None of a text that compose refuses: it says so itself.
    """
    with contextlib.suppress(TemplateError):
        for part in parts(text):
            if isinstance(part, Asked):
                yield (
                    part.name,
                    part.operator.endswith("?"),
                    part.argument if part.operator[-1:] in {"-", "+"} else None,
                )
                yield from references_in(part.argument)


def whole_reference(text: str) -> tuple[str, str, str] | None:
    """Name, operator (`:-`) and word of a text that is one variable and nothing else; None for any other."""
    try:
        found = [part for part in parts(text) if part]
    except TemplateError:
        return None
    match found:
        case [Asked(name, operator, argument)]:
            return name, operator, argument
    return None


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a part of a document."""
    if isinstance(value, Tagged):
        yield from texts_in(value.value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    elif value is not None:
        yield str(value)


def at(service: Service, *keys: str) -> tuple[str, ...]:
    """The path of something a service says."""
    return ("services", service.name, *keys)
