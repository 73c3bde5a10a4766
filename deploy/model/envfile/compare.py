"""Comparing env files and releases without showing a value: hashes that mean something only beside each other."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from deploy.model.envfile.uses import OURS, Recovered, Uses

_KEY_BYTES = 32
_DIGITS = 8


class Same(StrEnum):
    """How the two sides of a variable are to each other."""

    SAME = "same"
    DIFFERS = "differs"
    ONLY_HERE = "only here"
    ONLY_THERE = "only there"
    NOT_SEEN = "cannot be seen"
    """No container there has it in its environment: it is a port, a name of an image, or a part of another text."""


@dataclass(frozen=True)
class Row:
    """One variable on two sides."""

    name: str
    here: str
    """Hash; empty where it is not set."""
    there: str
    same: Same


class Hashes:
    """Short keyed hashes with a key that lives as long as this object: equal values show as equal, and nothing else.

    Without the key, a hash cannot even be tried against guesses.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(_KEY_BYTES)

    def of(self, value: str | None) -> str:
        """Empty for what is not set."""
        if value is None:
            return ""
        return hmac.new(self._key, value.encode(errors="surrogateescape"), hashlib.sha256).hexdigest()[:_DIGITS]


def compare(here: Mapping[str, str], there: Mapping[str, str]) -> Iterator[Row]:
    """Two env files."""
    hashes = Hashes()
    for name in sorted({*here, *there} - OURS):
        yield _row(name, here.get(name), there.get(name), hashes)


def compare_with_live(here: Mapping[str, str], there: Mapping[str, Recovered], uses: Uses) -> Iterator[Row]:
    """An env file beside what can be told of a running release."""
    hashes = Hashes()
    for name in sorted({*here, *there} - OURS):
        found = there.get(name)
        if found is None:
            if uses.reads(name):  # what nothing reads is env.check's to tell
                yield Row(name, hashes.of(here[name]), "", Same.NOT_SEEN)
        elif name in here or not found.default:
            yield _row(name, here.get(name), found.value, hashes)


def _row(name: str, here: str | None, there: str | None, hashes: Hashes) -> Row:
    same = (
        Same.SAME
        if here == there
        else Same.ONLY_THERE
        if here is None
        else Same.ONLY_HERE
        if there is None
        else Same.DIFFERS
    )
    return Row(name, hashes.of(here), hashes.of(there), same)
