"""Changing one value of an env file, and leaving everything else of it as it is."""

from __future__ import annotations

import re

from deploy.model.envfile.parse import BOM, Assignment, parse
from deploy.model.errors import UsageError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]+")
"""What means the same to compose, to shells and to other readers of env files, without any quote."""
_ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"}


def require_name(name: str) -> None:
    """Raises UsageError for what cannot name a variable, also for NAME=VALUE, whose value everybody could see."""
    if "=" in name:
        own = name.partition("=")[0] or "NAME"
        raise UsageError(
            f"{own}=…: a value in a command line is seen by everybody on this machine, and kept by the shell",
            f"name the variable alone: inv env.set {own} asks for its value, or reads it from a pipe",
        )
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot be the name of a variable", "use letters, digits and '_', beginning with no digit"
        )


def quoted(value: str, like: str = "") -> str:
    """A value as an env file has it, so that compose reads exactly that.

    `like` is the quote to keep where that can be. Raises UsageError for what no environment can hold.
    """
    if "\0" in value:
        raise UsageError("a value cannot hold a NUL", "encode it, for example as base64")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the value is not UTF-8", "encode it, for example as base64") from error
    if not like and _PLAIN.fullmatch(value):
        return value
    # in single quotes a backslash stands for itself but before a quote, and a line's end is the file's own
    literal = not re.search(r"[\\'\n\r]", value)
    if literal and like != '"':
        return f"'{value}'"
    return '"' + "".join(_ESCAPES.get(one, one) for one in value) + '"'


def with_value(text: str, name: str, value: str, source: str) -> str:
    """The file's text with a variable set: in its place where it has one, else in a line at the end.

    Comments, order and the kind of quote stay. Where a name stands twice, the last one is changed, which counts. Raises
    UsageError for a file that compose would not read.
    """
    own = [one for one in parse(text, source) if one.name == name]
    if not own:
        end = "\r\n" if "\r\n" in text else "\n"
        between = "" if not text.strip(BOM) or text.endswith("\n") else end
        return f"{text}{between}{name}={quoted(value)}{end}"
    last = own[-1]
    written = quoted(value, last.quote)
    if last.bare:
        return f"{text[: last.name_end]}={written}{text[last.name_end :]}"
    if not value and not last.quote:
        written = ""  # nothing at all is blank already
    return text[: last.value_start] + written + text[last.value_end :]


def without(text: str, name: str, source: str) -> str:
    """The file's text without a variable, every line of it. Raises UsageError where it is not there."""
    own = [one for one in parse(text, source) if one.name == name]
    if not own:
        raise UsageError(f"{source}: there is no {name}", "inv env.check tells what is there")
    for one in reversed(own):
        start, end = _lines(text, one)
        text = text[:start] + text[end:]
    return text


def _lines(text: str, one: Assignment) -> tuple[int, int]:
    """What goes with a statement: its lines, where nothing but a comment of its own is on them."""
    end_of_line = text.find("\n", one.value_end)
    end = len(text) if end_of_line < 0 else end_of_line + 1
    start = text.rfind("\n", 0, one.start) + 1
    before, after = text[start : one.start].strip(BOM), text[one.value_end : end]
    if before.strip():
        start = one.start
    elif text.startswith(BOM) and start == 0:
        start = len(BOM)
    alone = not after.strip() or after.lstrip().startswith("#")
    return start, end if alone and not before.strip() else one.value_end
