"""Which images a Dockerfile starts from, and what it runs: read before a build."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_INSTRUCTION = re.compile(r"^\s*([A-Z]+)\s+(.*)$", re.IGNORECASE)
_RUN = re.compile(r"^\s*RUN\s", re.IGNORECASE | re.MULTILINE)
_STAGE = re.compile(r"^(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"--from=(\S+)")
_MOUNT_FROM = re.compile(r"--mount=\S*?\bfrom=([^\s,]+)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")
_SYNTAX = re.compile(r"\A(?:#[^\n]*\n)*?#\s*syntax\s*=\s*(\S+)[^\n]*\n", re.IGNORECASE)


@dataclass(frozen=True)
class Stage:
    """One stage of a Dockerfile: what it starts from, and what else it takes files from."""

    name: str
    """In small letters; the number of the stage where it has no name."""
    base: str
    others: tuple[str, ...]


def stages(text: str, arguments: Mapping[str, str | None]) -> tuple[Stage, ...]:
    """The stages of a Dockerfile. `arguments` are the build's own, which win over the defaults of ARG."""
    given = {key: value for key, value in arguments.items() if value}
    defaults: dict[str, str] = {}
    found: list[Stage] = []
    for instruction, rest in instructions(text):
        values = {**defaults, **given}
        if instruction == "ARG":
            name, _, value = rest.partition("=")
            defaults[name] = value.strip("\"'")
        elif instruction == "FROM" and (stage := _STAGE.match(rest)):
            found.append(Stage((stage["stage"] or str(len(found))).lower(), expand(stage["image"], values), ()))
        elif found and instruction in {"ADD", "COPY", "RUN"}:
            pattern = _MOUNT_FROM if instruction == "RUN" else _COPY_FROM
            more = tuple(expand(reference, values) for reference in pattern.findall(rest))
            found[-1] = dataclasses.replace(found[-1], others=found[-1].others + more)
    return tuple(found)


def base_images(
    text: str, arguments: Mapping[str, str | None], contexts: Mapping[str, str], target: str = ""
) -> tuple[str, ...]:
    """Image references that a build of the target, or of the last stage, needs, each once, in the file's order.

    Stages, named contexts and what only other stages need are left out. Source: Dockerfile reference, "FROM".
    """
    every = stages(text, arguments)
    needed = reachable(every, target)
    names = {one.name for one in every} | {*contexts, "scratch"}
    found = [one for stage in needed for one in (stage.base, *stage.others)]
    return tuple(dict.fromkeys(one for one in found if one.lower() not in names and not one.isdigit()))


def reachable(every: Sequence[Stage], target: str) -> tuple[Stage, ...]:
    """The stages that a build of the target comes by, in the file's order; all of them for a target that is none."""
    numbers = {one.name: number for number, one in enumerate(every)} | {
        str(number): number for number in range(len(every))
    }
    begin = numbers.get(target.lower()) if target else len(every) - 1
    if begin is None or not every:
        return tuple(every)
    wanted, open_ends = set[int](), [begin]
    while open_ends:
        number = open_ends.pop()
        if number not in wanted:
            wanted.add(number)
            named = (one.lower() for one in (every[number].base, *every[number].others))
            open_ends += [numbers[name] for name in named if name in numbers and numbers[name] < number]
    return tuple(every[number] for number in sorted(wanted))


def frontend(text: str) -> str:
    """The image that a Dockerfile wants to be read by (`# syntax=`); empty when any builder may."""
    found = _SYNTAX.match(text)
    return found[1] if found else ""


def without_frontend(text: str) -> str:
    """A Dockerfile to be read by the builder itself. Its lines keep their numbers."""
    found = _SYNTAX.match(text)
    return text[: found.start(1)].rsplit("#", 1)[0] + "#" + "\n" + text[found.end() :] if found else text


def runs_programs(text: str) -> bool:
    """Whether a build runs programs of the platform that the image is for.

    One with a stage for the machine that builds (`FROM --platform=$BUILDPLATFORM`) is taken to know what it does.
    """
    bare = _without_comments(text)
    return bool(_RUN.search(bare)) and "--platform=" not in bare


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Each instruction's word, in capitals, with what follows it on its line and those it is continued on."""
    for line in re.sub(r"\\\s*\n", " ", _without_comments(text)).splitlines():
        if match := _INSTRUCTION.match(line):
            yield match[1].upper(), match[2].strip()


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def expand(text: str, values: Mapping[str, str]) -> str:
    """A text with `$NAME` and `${NAME:-default}` replaced by these values."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[3]) or found[2] or "", text)
