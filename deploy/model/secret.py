"""A value that must not be seen: its text comes out in one place, where bytes are written to where they belong."""

from __future__ import annotations

from typing import final

MASK = "••••••"


@final
class Secret:
    """A string whose `repr` and `str` are a mask. `reveal()` is the only way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
