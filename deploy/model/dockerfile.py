"""Which images a Dockerfile starts from: read before a build, to obtain them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_INSTRUCTION = re.compile(r"^\s*(FROM|ARG|COPY)\s+(.*)$", re.IGNORECASE)
_STAGE = re.compile(r"^(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"--from=(\S+)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))")


def base_images(text: str, arguments: Mapping[str, str | None], contexts: Mapping[str, str]) -> tuple[str, ...]:
    """Image references in FROM and COPY --from, stages and named contexts left out, each once, in order.

    `arguments` are the build's own, which win over the defaults of ARG. Source: Dockerfile reference, "FROM".
    """
    defaults: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    for line in re.sub(r"\\\s*\n", " ", _without_comments(text)).splitlines():
        match = _INSTRUCTION.match(line)
        if not match:
            continue
        instruction, rest = match[1].upper(), match[2].strip()
        if instruction == "ARG":
            name, _, value = rest.partition("=")
            defaults[name] = value.strip("\"'")
            continue
        if instruction == "FROM" and (stage := _STAGE.match(rest)):
            references = [stage["image"]]
        else:
            references = _COPY_FROM.findall(rest)
        for reference in references:
            image = _expand(reference, {**defaults, **{key: value for key, value in arguments.items() if value}})
            if image.lower() not in stages and image not in contexts and image != "scratch" and not image.isdigit():
                found.append(image)
        if instruction == "FROM" and stage and stage["stage"]:
            stages.add(stage["stage"].lower())
    return tuple(dict.fromkeys(found))


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _expand(text: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[3]) or found[2] or "", text)
