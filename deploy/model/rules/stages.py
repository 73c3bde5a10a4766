"""What a service's image is built by: the lines of its Dockerfile that its build comes by."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from deploy.model.dockerfile import Stage, reachable, stages
from deploy.model.rules.subject import Subject, at
from deploy.model.stack import Service

_FROM_OTHER = re.compile(r"--from=\S+")


@dataclass(frozen=True)
class Line:
    """An instruction of a stage that is built."""

    word: str
    rest: str
    base: str
    """What its stage starts from: an image, or another stage."""
    own: bool
    """Whether the image has what it makes: its stage is the last one, or below that one."""
    path: tuple[str, ...]
    place: str

    @property
    def taken(self) -> tuple[str, ...]:
        """What it copies of the build's own context, as its author names it."""
        if self.word not in {"COPY", "ADD"} or _FROM_OTHER.search(self.rest):
            return ()
        words = [one.strip("[],\"'") for one in self.rest.split() if not one.startswith("--")]
        return tuple(words[:-1])

    @property
    def takes_all(self) -> bool:
        """Whether it copies the whole build context."""
        return any(posixpath.normpath(one) in {".", "/"} for one in self.taken)

    def takes(self, file: str) -> bool:
        """Whether it copies a file of the context, by its name or with a folder."""
        above = [file, *(str(one) for one in PurePosixPath(file).parents if one.name)]
        wanted = [posixpath.normpath(one).lstrip("/") for one in self.taken]
        return self.takes_all or any(fnmatch.fnmatchcase(path, one) for path in above for one in wanted)


def built_lines(service: Service, subject: Subject) -> Iterator[Line]:
    """The instructions of the stages that a service's image needs, in the file's order. None for a foreign image."""
    dockerfile = subject.dockerfiles.get(service.name)
    if not dockerfile or not service.build:
        return
    every = stages(dockerfile.text, service.build.definition.get("args") or {})
    needed, own = {*reachable(every, dockerfile.target)}, _own(every, dockerfile.target)
    path = at(service, "build", "dockerfile" if service.build.inline is None else "dockerfile_inline")
    number = -1
    for line, word, rest in dockerfile.instructions():
        number += word == "FROM"
        if 0 <= number < len(every) and every[number] in needed:
            stage = every[number]
            yield Line(word, rest, stage.base, number in own, path, dockerfile.place(line))


def _own(every: Sequence[Stage], target: str) -> set[int]:
    """Numbers of the stages that an image is made of: the wanted one, and those that it stands on."""
    names = {one.name: number for number, one in enumerate(every)}
    number: int | None = names.get(target.lower(), len(every) - 1)
    found: set[int] = set()
    while number is not None and number >= 0 and number not in found:
        found.add(number)
        number = names.get(every[number].base.lower())
    return found
