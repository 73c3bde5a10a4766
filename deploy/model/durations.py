"""Durations as compose prints them."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seconds(span: str) -> float:
    """`1m30s` in seconds; 0 for an empty text."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _SPAN.findall(span))
