"""How hard a secret is to guess."""

from __future__ import annotations

import math
import re
from collections import Counter

DEFAULTS = frozenset(
    """
    postgres postgresql guest minioadmin minio minio123 minio-secret admin administrator root password passwd passw0rd
    p@ssw0rd pass pw changeme change_me change-me changeit changethis mysql mariadb mongo mongodb redis rabbitmq rabbit
    elastic neo4j grafana keycloak secret supersecret topsecret mysecret mysecretpassword secretpassword test testing
    test123 example default demo dev toor letmein welcome qwerty qwerty123 abc123 admin123 root123 password1 password123
    postgres123 rootpassword rootpass userpassword dbpassword user user123 hunter2 iloveyou
    12345 123456 1234567 12345678 123456789 1234567890 111111 000000
    """.split()  # noqa: SIM905  # a list of words is read as words
)
"""What images and tutorials come with, and what is tried first."""
SHORTEST, SHORT, SHORT_KEY = 8, 16, 32
"""Characters: below the first a secret is guessed, below the others it may be."""
FEW_BITS, FEW_KEY_BITS = 40, 80
_WORDS = re.compile(r"[a-z]{3,}(?:[-_. ]?(?:\d{1,4}|[!?.#*]+))*", re.IGNORECASE)
_ROWS = (
    "qwertyuiopasdfghjklzxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertzuiopasdfghjklyxcvbnm",
)
_CLASSES = (r"[a-z]", r"[A-Z]", r"\d")
RANDOM_LENGTH = 20
_COMMON = {word for one in DEFAULTS if len(word := re.sub(r"[^a-z]", "", one)) > 3} | {  # noqa: PLR2004  # letters
    *("spring", "summer", "autumn", "winter", "january", "december", "company", "passwordpassword", "adminadmin")
}


def bits(text: str) -> float:
    """Shannon's estimate of all of it, from how often each character occurs: low for what repeats itself."""
    total = len(text)
    return -sum(count * math.log2(count / total) for count in Counter(text).values()) + 0.0


def looks_random(text: str) -> bool:
    """Whether a generator is likelier to have made it than a person."""
    return len(text) >= RANDOM_LENGTH and " " not in text and all(re.search(one, text) for one in _CLASSES)


def weakness(value: str, *, key: bool) -> tuple[str, bool]:
    """Why a secret is weak, and whether it can be tried out in no time; an empty text when it is neither.

    `key` says that it signs something: whoever has a signature can try keys without asking anybody.
    """
    length, wanted = len(value), SHORT_KEY if key else SHORT
    if length < SHORTEST:
        return f"has {length} characters", True
    if length < wanted:
        return f"has {length} characters", False
    if _is_word(value):
        return "is a word with something after it", False
    if bits(value) < (FEW_KEY_BITS if key else FEW_BITS):
        return "repeats few characters", False
    return "", False


def _is_word(value: str) -> bool:
    """`Summer2024!!!!!!!`, `qwertyuiopasdfgh`: long and guessed all the same."""
    small = value.lower()
    if any(small in row for row in _ROWS):
        return True
    return bool(_WORDS.fullmatch(value)) and any(re.sub(r"[^a-z]", "", small) == word for word in _COMMON)
