"""What a service runs: the command of its compose file, else of the Dockerfile that its image is built by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.model.rules.subject import Subject, at
from deploy.model.stack import Service, unescaped


@dataclass(frozen=True)
class Started:
    """A command, and where it is written."""

    words: tuple[str, ...]
    path: tuple[str, ...]
    place: str = ""

    @property
    def text(self) -> str:
        return " ".join(self.words)


def started(service: Service, subject: Subject) -> Started:
    """Entrypoint and command together; no words for an image from elsewhere that is left to itself."""
    entrypoint, command = (_words(service.definition.get(key)) for key in ("entrypoint", "command"))
    if entrypoint or command:
        recipe = () if entrypoint else subject.recipe(service).entrypoint
        return Started((*recipe, *entrypoint, *command), at(service, "command" if command else "entrypoint"))
    made = subject.recipe(service)
    file = subject.dockerfiles.get(service.name)
    place = _place(made.command or made.entrypoint, "CMD" if made.command else "ENTRYPOINT", subject, service)
    return Started((*made.entrypoint, *made.command) if file else (), at(service, "build"), place)


def _place(words: Sequence[str], instruction: str, subject: Subject, service: Service) -> str:
    file = subject.dockerfiles.get(service.name)
    return file.last(instruction, words[-1]) if file and words else ""


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (unescaped(value),)
    return tuple(unescaped(str(word)) for word in value) if isinstance(value, list | tuple) else ()
