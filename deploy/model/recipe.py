"""What a Dockerfile puts into an image, read before a build: its base, its folders, and the command it starts.

Source: Dockerfile reference, "COPY", "WORKDIR", "ENTRYPOINT". What `RUN` does to files is not followed.
"""

from __future__ import annotations

import fnmatch
import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deploy.model.dockerfile import expand, instructions

_STAGE = re.compile(r"^(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?$", re.IGNORECASE)
_FROM = re.compile(r"^--from=(\S+)$")


@dataclass(frozen=True)
class Copy:
    """One COPY or ADD. `source` is the stage or named context it takes from; empty for the build's own context."""

    paths: tuple[str, ...]
    target: str
    """Absolute; with a trailing slash when it can only be a folder."""
    source: str = ""


@dataclass(frozen=True)
class Recipe:
    """One image: a stage with everything below it."""

    base: str = ""
    """The image it starts from in the end: `python:3.13-slim`."""
    folder: str = "/"
    """Where its command runs."""
    user: str = ""
    """Who runs it, as USER says; empty when it is left to the base."""
    copies: tuple[Copy, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    others: Mapping[str, Recipe] = field(default_factory=dict, repr=False)
    """The stages that it copies from, by name and by number."""

    def place(self, file: str) -> str:
        """Where a file of the build's context ends up, absolute; empty when no COPY brings it."""
        found = ""
        for copy in self.copies:
            origin = self.others.get(copy.source, Recipe()).place(file) if copy.source else file
            for path in copy.paths if origin else ():
                found = _placed(origin, path, copy, absolute=bool(copy.source)) or found
        return found


def read_recipe(text: str, target: str = "", arguments: Mapping[str, str | None] | None = None) -> Recipe:
    """The image that a Dockerfile's stage describes, its last one by default; an empty recipe for an empty text."""
    stages: dict[str, Recipe] = {}
    given = {name: value for name, value in (arguments or {}).items() if value}
    values: dict[str, str] = {}
    current = Recipe()
    name = ""
    number = -1
    for word, rest in instructions(text):
        if word == "ARG":
            key, _, default = rest.partition("=")
            values[key] = given.get(key) or default.strip("\"'") or values.get(key, "")
        elif word == "ENV":
            given_here = _variables(expand(rest, values))
            values |= given_here
            current = replace(current, environment={**current.environment, **given_here})
        elif word == "FROM" and (match := _STAGE.match(rest)):
            if name and name == target.lower():
                break
            image = expand(match["image"], values)
            below = stages.get(image.lower())
            current = below or Recipe(base=image)
            number += 1
            name = (match["stage"] or str(number)).lower()
        else:
            current = _with(current, word, expand(rest, values) if word != "CMD" else rest, stages)
        if number >= 0:
            stages[str(number)] = stages[name] = current
    return current


def _with(recipe: Recipe, word: str, rest: str, stages: Mapping[str, Recipe]) -> Recipe:
    """A recipe after one more instruction."""
    match word:
        case "WORKDIR":
            return replace(recipe, folder=posixpath.normpath(posixpath.join(recipe.folder, rest.strip("\"'"))))
        case "USER":
            return replace(recipe, user=rest.strip("\"'"))
        case "CMD":
            return replace(recipe, command=_words(rest))
        case "ENTRYPOINT":
            return replace(recipe, entrypoint=_words(rest), command=())
        case "COPY" | "ADD":
            copy = _copy(rest, recipe.folder)
            others = {copy.source: stages[copy.source]} if copy and copy.source in stages else {}
            if copy:
                return replace(recipe, copies=(*recipe.copies, copy), others={**recipe.others, **others})
    return recipe


def _copy(rest: str, folder: str) -> Copy | None:
    words = list(_words(rest))
    source = next((found[1].lower() for word in words if (found := _FROM.match(word))), "")
    paths = [word for word in words if not word.startswith("--")]
    if len(paths) < 2:  # noqa: PLR2004  # at least one path and the target
        return None
    *origins, target = paths
    folderish = target.endswith("/") or len(origins) > 1 or target in {".", ".."}
    whole = posixpath.normpath(posixpath.join(folder, target))
    return Copy(tuple(origins), f"{whole.rstrip('/')}/" if folderish else whole, source)


def _placed(file: str, path: str, copy: Copy, *, absolute: bool) -> str:
    """Where one path of a COPY puts a file; empty when it does not bring it."""
    wanted = posixpath.normpath(path if absolute else path.lstrip("/") or ".")
    into = copy.target.rstrip("/") or "/"
    if wanted in {".", "/"}:
        return posixpath.join(into, file.lstrip("/"))
    if file.startswith(f"{wanted}/"):  # a folder: its content is copied, not itself
        return posixpath.join(into, file.removeprefix(f"{wanted}/"))
    if fnmatch.fnmatchcase(file, wanted):
        several = copy.target.endswith("/") or wanted != file
        return posixpath.join(into, posixpath.basename(file)) if several else into
    return ""


def _variables(rest: str) -> dict[str, str]:
    """`ENV A=1 B="2"`, and the older `ENV A 1`."""
    words = _words(rest)
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    return dict(word.split("=", 1) for word in words if "=" in word)


def _words(rest: str) -> tuple[str, ...]:
    """The exec form's words; the shell form's as a shell would part them."""
    if rest.lstrip().startswith("["):
        try:
            found = json.loads(rest)
        except ValueError:
            return ()
        return tuple(str(word) for word in found)
    try:
        return tuple(shlex.split(rest))
    except ValueError:
        return tuple(rest.split())
