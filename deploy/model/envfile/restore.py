"""Making an env file again from what a running release was made with."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.model.envfile.edit import NAME, with_value
from deploy.model.envfile.example import generators
from deploy.model.envfile.parse import evaluate, parse
from deploy.model.envfile.uses import OURS, Recovered


def restored(base: str, source: str, found: Mapping[str, Recovered]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """An env file whose variables have the values that were found, with the comments and the order of `base`.

    `base` is an env file, or the example of one. Also the names that were changed, and those of secrets that the
    example would make and nothing was found of: they are blank, since a new one would not fit the data. Raises
    UsageError where `base` cannot be read.
    """
    lost = tuple(name for name in generators(base, source) if name not in found)
    text = base
    for name in lost:
        text = with_value(text, name, "", source)
    changed = []
    values = evaluate(parse(text, source), {}, source).values
    for name, one in found.items():
        if one.default or name in OURS or not NAME.fullmatch(name) or values.get(name) == one.value:
            continue
        text = with_value(text, name, one.value, source)
        changed.append(name)
    return text, tuple(changed), lost
