"""Telling that an env file is encrypted, and by what, from its content alone."""

from __future__ import annotations

import re
from enum import StrEnum


class Seal(StrEnum):
    """What an env file is encrypted with: the name of the program that opens it."""

    AGE = "age"
    SOPS = "sops"


_AGE = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
_SOPS = re.compile(rb"^sops_mac=", re.MULTILINE)


def sealed_by(content: bytes) -> Seal | None:
    """What a file's content is encrypted with; nothing for a readable one."""
    if content.lstrip().startswith(_AGE):
        return Seal.AGE
    return Seal.SOPS if _SOPS.search(content) else None
