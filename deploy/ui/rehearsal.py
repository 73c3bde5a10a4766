"""What a rehearsal found, in words."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.locks import Blocked
from deploy.model.rehearsal import Report
from deploy.ui.units import count, duration, some_of

SHORTEST_S = 0.1
"""Locks are looked at every 50 ms: less than this is not told apart."""


def summary(report: Report) -> str:
    """A rehearsal that went well, in one line."""
    ran = ", ".join(f"{one.service} in {duration(one.took_s)}" for one in report.rehearsed)
    longest = [line for one in report.blocked[:2] for line in blocked_lines(one)]
    return "; ".join([f"on {report.backup}: {ran}", *longest])


def report_lines(report: Report) -> Iterator[str]:
    """All of it, a fact a line."""
    for one in report.rehearsed:
        names = f": {some_of(one.names, len(one.names))}" if one.names else ""
        yield f"{one.service} migrates in {duration(one.took_s)}{names}"
    for blocked in report.blocked:
        yield from blocked_lines(blocked)
    if not report.blocked:
        yield "no table is locked against reading or writing for as long as could be seen"
    for table in report.rewritten:
        yield f"{table}: every row is written anew"
    for table, (before, after) in report.rows.items():
        if before is None:
            yield f"{table}: new, {count(after or 0, 'row')}"
        elif after is None:
            yield f"{table}: dropped, with {count(before, 'row')}"
        else:
            yield f"{table}: {count(before, 'row')} before, {after} after"


def blocked_lines(blocked: Blocked) -> Iterator[str]:
    if blocked.reads_s is not None:
        yield f"{blocked.table}: nobody can read or write for {_long(blocked.reads_s)}"
    if blocked.reads_s is None or blocked.writes_s > blocked.reads_s + SHORTEST_S:
        altogether = "" if blocked.reads_s is None else ", that included"
        yield f"{blocked.table}: nobody can write for {_long(blocked.writes_s)}{altogether}"


def _long(seconds: float) -> str:
    return duration(seconds) if seconds >= SHORTEST_S else f"less than {duration(SHORTEST_S)}"
