"""Which files of a build context reach the build: `.dockerignore`, read as BuildKit reads it.

Source: github.com/moby/patternmatcher, `Pattern.compile` and `MatchesOrParentMatches`; a test compares this with what a
real BuildKit copies.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class _Pattern:
    regex: re.Pattern[str]
    negated: bool


class IgnoreRules:
    """The rules of one ignore file; later ones win."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns = [pattern for line in lines if (pattern := _parse(line))]

    @property
    def has_exceptions(self) -> bool:
        """Whether something below an ignored folder may still be wanted."""
        return any(pattern.negated for pattern in self._patterns)

    def ignores(self, path: str) -> bool:
        """Whether a path, relative to the context with '/' between its parts, is left out."""
        candidates = list(_with_parents(path.split("/")))
        ignored = False
        for pattern in self._patterns:
            if pattern.negated == ignored and any(pattern.regex.fullmatch(candidate) for candidate in candidates):
                ignored = not pattern.negated
        return ignored


def _with_parents(parts: Sequence[str]) -> Iterable[str]:
    return ("/".join(parts[:length]) for length in range(len(parts), 0, -1))


def _parse(line: str) -> _Pattern | None:
    if line.startswith("#"):
        return None
    text = line.strip()
    negated = text.startswith("!")
    text = text.removeprefix("!").strip()
    if not text:
        return None
    cleaned = posixpath.normpath(text).lstrip("/")
    return _Pattern(re.compile(_regex(cleaned)), negated) if cleaned not in {"", "."} else None


def _regex(pattern: str) -> str:
    out, position = "", 0
    while position < len(pattern):
        char = pattern[position]
        position += 1
        if char == "*" and pattern[position : position + 1] == "*":
            position += 1
            if pattern[position : position + 1] == "/":
                position += 1
            out += ".*" if position >= len(pattern) else "(.*/)?"
        elif char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "\\" and position < len(pattern):
            out += re.escape(pattern[position])
            position += 1
        elif char in "[]-^":  # a character class, as in a shell
            out += char
        else:
            out += re.escape(char)
    return out
