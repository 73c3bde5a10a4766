from __future__ import annotations

import hashlib
import math
import struct

import pytest

from autopack.embedding import DIMENSIONS, NAME, embed


def similarity(left: str, right: str) -> float:
    return math.sumprod(embed(left), embed(right))


def test_a_vector_has_length_one() -> None:
    vector = embed("Pin the compiler before the build")
    assert len(vector) == DIMENSIONS
    assert math.isclose(math.hypot(*vector), 1.0)


def test_the_same_text_has_the_same_vector_in_every_version_of_this_name() -> None:
    """Fails whenever a vector would come out otherwise: then give NAME another number, and write it here."""
    packed = struct.pack(f"{DIMENSIONS}f", *embed("Naïve retries made the queue worse; back off, back off."))
    assert (NAME, hashlib.sha256(packed).hexdigest()[:16]) == ("hashed-ngrams-1", "a7568f36abdd03be")


@pytest.mark.parametrize(
    ("about", "near", "far"),
    [
        ("compiler versions", "Pin the version of the compiler before building", "The login page needs a CSRF token"),
        ("flaky browser tests", "A browser test was flaky until it waited", "Migrations must run before the switch"),
        ("database migration", "Migrations of the database must run first", "Retry uploads with a backoff"),
    ],
)
def test_texts_about_the_same_are_more_similar(about: str, near: str, far: str) -> None:
    assert similarity(about, near) > 0.15 > similarity(about, far)


def test_case_and_accents_make_no_difference() -> None:
    assert math.isclose(similarity("Déjà VU", "deja vu"), 1.0)


def test_a_text_without_a_word_that_counts_is_no_direction() -> None:
    assert not any(embed("?! the of and — 你好"))
