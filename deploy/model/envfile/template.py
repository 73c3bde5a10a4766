"""Putting variables into a text as compose does: `$NAME`, `${NAME:-default}` and its like, `$$` for a dollar."""

from __future__ import annotations

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]
"""The value of a variable; None where nothing sets it."""

# as compose-go's template package has it, whose first match is as long as its last `}` allows
_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>[_a-zA-Z][_a-zA-Z0-9]*)"
    r"|\{(?:(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*(?::?[-+?](?:.*))?)\}|(?P<invalid>)))"
)
_OPERATION = re.compile(r"(?P<name>[_a-zA-Z0-9]+)(?P<operator>:?[-+?])(?P<argument>.*)")


class TemplateError(ValueError):
    """A text that compose refuses, in words that hold nothing of it but names and the author's own message."""


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None] = lambda _: None) -> str:
    """The text with variables put in.

    `unset` hears the name of every variable that was taken for blank because nothing sets it. Raises TemplateError.
    """

    def replaced(found: re.Match[str]) -> str:
        whole = found[0]
        end = _closing_brace(whole) + 1 or len(whole)
        match = _REFERENCE.search(whole[:end])
        if match is None or match["invalid"] is not None:
            raise TemplateError("a '${' that is no reference to a variable")
        if match["escaped"]:
            return "$"
        operation = _OPERATION.fullmatch(match["braced"] or "")
        if operation:
            return _operate(operation, lookup, unset) + substitute(whole[end:], lookup, unset)
        name = match["named"] or match["braced"]
        value = lookup(name)
        if value is None:
            unset(name)
        return value or ""

    return _REFERENCE.sub(replaced, text)


def _operate(operation: re.Match[str], lookup: Lookup, unset: Callable[[str], None]) -> str:
    name, operator, argument = operation["name"], operation["operator"], operation["argument"]
    value = lookup(name)
    there = value is not None and (bool(value) or not operator.startswith(":"))
    if operator.endswith("+"):
        return substitute(argument, lookup, unset) if there else (value or "")
    if there:
        return value or ""
    default = substitute(argument, lookup, unset)
    if operator.endswith("?"):
        raise TemplateError(f"{name} is required here and has no value" + (f" ({default})" if default else ""))
    return default


def _closing_brace(text: str) -> int:
    """Where the first reference of a text ends; -1 where it does not. A `{` takes the next character with it."""
    depth, at = 0, 0
    while at < len(text):
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        if text[at] == "{":
            depth += 1
            at += 1
        at += 1
    return -1
