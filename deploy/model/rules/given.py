"""What services are given as their environment, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from deploy.model.rules.subject import Subject, Tagged, at, references_in, whole_reference
from deploy.model.stack import Service, unescaped

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


class Origin(StrEnum):
    """Who says a value."""

    WRITTEN = "written"
    """The compose file itself."""
    DEFAULT = "default"
    """The compose file, for a variable that nothing sets: `${NAME:-value}`."""
    ENV_FILE = "env file"
    """The environment's env file, or nobody."""
    ELSEWHERE = "elsewhere"
    """This process's own environment, or another file that a service names."""
    PARTS = "parts"
    """Several of these together."""
    STOOD_IN = "stood in"
    """Nobody yet: what is here stands in for what the environment will have."""


@dataclass(frozen=True)
class Given:
    """One variable that a service is given."""

    service: Service
    name: str
    value: str = field(repr=False)
    written: str | None = field(repr=False)
    """As the compose files have it; None where it is not from there."""
    path: tuple[str, ...]
    file: str = ""
    """The compose file that says it; empty where none does."""

    @property
    def true(self) -> bool:
        """Whether it switches something on."""
        return self.value.strip().lower() in _TRUE


@dataclass(frozen=True)
class Source:
    """Where a text that may be a variable comes from."""

    origin: Origin
    variable: str = ""
    """The variable that it is; empty for none."""


def given(subject: Subject) -> Iterator[Given]:
    """Every variable of every service. Those that a Dockerfile sets are not among them."""
    for service in subject.stack.services.values():
        texts = _written(subject, service.name)
        for name, value in service.environment.items():
            path = at(service, "environment", name) if name in texts else subject.said(service, "env_file")
            text, file = texts.get(name, (None, ""))
            yield Given(service, name, unescaped(str("" if value is None else value)), text, path, file)


def source_of(one: Given, subject: Subject) -> Source:
    """Where the whole value comes from."""
    if one.written is not None:
        return source_of_text(one.written, subject)
    known = subject.env.get(one.name) if subject.env else None
    if known and known.value == one.value:
        return Source(Origin.ENV_FILE, one.name)
    return Source(Origin.STOOD_IN if one.name in subject.stood_in else Origin.ELSEWHERE)


def source_of_text(text: str, subject: Subject) -> Source:
    """Where a text of a compose file gets its value."""
    found = whole_reference(text)
    if found is None:
        names = [name for name, _, _ in references_in(text)]
        return Source(Origin.PARTS if names else Origin.WRITTEN)
    name, how, word = found
    if name in subject.stood_in:
        return Source(Origin.STOOD_IN, name)
    if name in subject.set_elsewhere:
        return Source(Origin.ELSEWHERE, name)
    known = subject.env.get(name) if subject.env else None
    if how.endswith("-") and (known is None or (how == ":-" and not known.value)):
        other = source_of_text(word, subject)
        return Source(Origin.DEFAULT, name) if other.origin == Origin.WRITTEN else other
    return Source(Origin.ENV_FILE, name)


def place_of(one: Given, subject: Subject) -> str:
    """`.env.prod:4`, where the env file says the value; empty where it stands in a compose file."""
    source = source_of(one, subject)
    return place_of_variable(source.variable, subject) if source.origin == Origin.ENV_FILE else ""


def place_of_variable(name: str, subject: Subject) -> str:
    """`.env.prod:4`, where the env file sets a variable; empty when it does not."""
    return subject.env.place(name) if subject.env and subject.env.get(name) else ""


def _written(subject: Subject, name: str, deepest: int = 5) -> dict[str, tuple[str, str]]:
    """The environment of a service before variables are put in: what it extends, then each file's own.

    Each text comes with the file that it is from.
    """
    found: dict[str, tuple[str, str]] = {}
    for file in subject.files:
        service = file.service(name)
        extended = service.get("extends")
        other = extended.get("service") if isinstance(extended, Mapping) else extended
        if isinstance(other, str) and other != name and deepest:
            found |= _written(subject, other, deepest - 1)
        environment = service.get("environment")
        if isinstance(environment, Tagged):
            found = {}
            environment = environment.value if environment.tag == "!override" else None
        found |= {key: (text, file.path) for key, text in _texts(environment).items()}
    return found


def _texts(environment: Any) -> dict[str, str]:
    """An environment in either of its two forms. A name alone stands for the variable of that name."""
    if isinstance(environment, Mapping):
        pairs = [(str(name), value) for name, value in environment.items() if not isinstance(value, Tagged)]
    else:
        words = [str(word).partition("=") for word in environment or ()]
        pairs = [(name, value if equals else None) for name, equals, value in words]
    return {name: f"${{{name}}}" if value is None else str(value) for name, value in pairs}
