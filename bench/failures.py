"""Why requests failed, in few words, and where: what a load counts is told by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.load import ANSWER_TIMEOUT_S

_ERRORS = {
    "TimeoutError": f"no answer in {ANSWER_TIMEOUT_S:g} s",
    "ConnectionRefusedError": "connection refused",
    "ConnectionResetError": "connection reset",
    "BrokenPipeError": "connection reset",
    "IncompleteReadError": "cut off",
    "OSError": "unreachable",
}


def cause(reason: str) -> str:
    """What `tests.load` keeps of a failed request (its path, then a status or an error) as one of few causes."""
    word = reason.split(" ", 2)[1]
    return _ERRORS.get(word, word)


def by_cause(failed: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for reason, number in failed.items():
        found[cause(reason)] += number
    return found


def told(causes: Iterable[tuple[str, int]]) -> str:
    """`12 502, 3 connection refused`."""
    return ", ".join(f"{number} {name}" for name, number in causes)
