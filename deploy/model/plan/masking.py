"""What a plan must not show: values that are secret, or may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MASK = "•••"
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|credential|private|salt|dsn|signature|(^|[^a-z])(api|access|auth)?[_-]?key([^a-z]|$)|auth",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"://[^/@\s]*:[^/@\s]+@")
_RANDOM = re.compile(r"(?=[A-Za-z0-9+/_=-]*\d)(?=[A-Za-z0-9+/_=-]*[A-Za-z])[A-Za-z0-9+_=]{20,}")
_PLAIN = re.compile(r"\d*|true|false|yes|no|on|off", re.IGNORECASE)
_SECRET_FILE = re.compile(r"\.(pem|key|p12|pfx|jks|crt|env)$|(^|/)\.env|htpasswd|pgpass", re.IGNORECASE)
_SHORTEST = 6
"""A value of an env file that is shorter is taken for a word, unless its name says that it is secret."""


@dataclass(frozen=True)
class Masking:
    """Knows the values that came from env files. Masks too much rather than too little."""

    known: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, env_file: Mapping[str, str], environments: Iterable[Mapping[str, str | None]]) -> Masking:
        """For the values of an env file, and those of secret names among services' environments."""
        known = {
            value
            for name, value in env_file.items()
            if value and (_SECRET_NAME.search(name) or (len(value) >= _SHORTEST and not _PLAIN.fullmatch(value)))
        }
        for environment in environments:
            known |= {str(value) for name, value in environment.items() if value and _SECRET_NAME.search(name)}
        return cls(frozenset(known | {value.replace("$", "$$") for value in known}))

    def hides(self, text: str) -> bool:
        """Whether a text holds, or looks as if it held, something secret."""
        return bool(
            _SECRET_NAME.search(text)
            or _CREDENTIALS.search(text)
            or _RANDOM.search(text)
            or any(value in text for value in self.known)
        )

    def masked(self, text: str) -> str:
        """What somebody else has said, without the values that came from env files."""
        for value in sorted(self.known, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text

    def hides_file(self, path: str) -> bool:
        """Whether a file is one that is kept to itself, by its name."""
        return bool(_SECRET_FILE.search(path) or _SECRET_NAME.search(path))
