"""Texts as vectors, so that texts about the same things point the same way.

Words, pairs of neighbouring words and the letter trigrams of each word are hashed into a fixed number of dimensions,
each with a sign, and the sum is scaled to length 1 (feature hashing, Weinberger et al. 2009). No model and no random
number is involved: every version and every machine gets the same vector for the same text, until NAME says otherwise.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

DIMENSIONS = 256
NAME = "hashed-ngrams-1"
"""Changes with everything that changes a vector: vectors under different names are not comparable."""

WORD, PAIR, TRIGRAM = 1.0, 0.6, 0.3
"""How much each kind of feature counts."""
_WORDS = re.compile(r"[a-z0-9]+")
_COMMON = frozenset(
    "a about after all an and any are as at be been but by can do does for from had has have how if in into is it its no "
    "not of on or so than that the their then there these they this to too up was we were what when which while will "
    "with you your".split()
)


def embed(text: str) -> list[float]:
    """A vector of DIMENSIONS numbers and length 1; all zeros when the text has no word that counts."""
    vector = [0.0] * DIMENSIONS
    for (feature, weight), times in Counter(_features(text)).items():
        hashed = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest())
        sign = 1.0 if hashed >> 63 else -1.0
        vector[hashed % DIMENSIONS] += sign * weight * (1.0 + math.log(times))
    length = math.sqrt(math.fsum(value * value for value in vector))
    return [value / length for value in vector] if length else vector


def _features(text: str) -> Iterator[tuple[str, float]]:
    """What is hashed, with its weight."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = [word for word in _WORDS.findall(plain) if word not in _COMMON]
    for word in words:
        yield f"word {word}", WORD
        padded = f"<{word}>"
        for start in range(len(padded) - 2):
            yield f"trigram {padded[start : start + 3]}", TRIGRAM
    for pair in pairwise(words):
        yield f"pair {' '.join(pair)}", PAIR
