"""Putting variables into a text as compose does: `$NAME`, `${NAME:-default}` and its like, `$$` for a dollar."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Reference:
    """A place of a text that a variable is put into."""

    name: str
    operator: str = ""
    """`:-`, `-`, `:?`, `?`, `:+`, `+`, or nothing."""
    argument: str = ""
    """What follows the operator: a text with references of its own."""

    def default(self, lookup: Lookup) -> str | None:
        """What stands there when the variable is not set; None where that is an error."""
        if self.operator.endswith("?"):
            return None
        return substitute(self.argument, lookup) if self.operator.endswith("-") else ""


def parts(text: str) -> Iterator[str | Reference]:
    """A text in pieces: what stands for itself, and references. Raises TemplateError."""
    at = 0
    for found in _REFERENCE.finditer(text):
        yield text[at : found.start()]
        at = found.end()
        whole = found[0]
        end = _closing_brace(whole) + 1 or len(whole)
        match = _REFERENCE.search(whole[:end])
        if match is None or match["invalid"] is not None:
            raise TemplateError("a '${' that is no reference to a variable")
        if match["escaped"]:
            yield "$"
            continue
        operation = _OPERATION.fullmatch(match["braced"] or "")
        if operation:
            yield Reference(operation["name"], operation["operator"], operation["argument"])
            yield from parts(whole[end:])
        else:
            yield Reference(match["named"] or match["braced"])
    yield text[at:]


def names_in(text: str) -> Iterator[str]:
    """Names of the variables that a text refers to, those of defaults too; none of a text that compose refuses."""
    try:
        for part in parts(text):
            if isinstance(part, Reference):
                yield part.name
                yield from names_in(part.argument)
    except TemplateError:
        return


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None] = lambda _: None) -> str:
    """The text with variables put in.

    `unset` hears the name of every variable that was taken for blank because nothing sets it. Raises TemplateError.
    """
    return "".join(part if isinstance(part, str) else _value(part, lookup, unset) for part in parts(text))


def _value(reference: Reference, lookup: Lookup, unset: Callable[[str], None]) -> str:
    name, operator = reference.name, reference.operator
    value = lookup(name)
    if not operator:
        if value is None:
            unset(name)
        return value or ""
    there = value is not None and (bool(value) or not operator.startswith(":"))
    if there != operator.endswith("+"):
        return value or ""
    argument = substitute(reference.argument, lookup, unset)
    if operator.endswith("?"):
        raise TemplateError(f"{name} is required here and has no value" + (f" ({argument})" if argument else ""))
    return argument


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
