"""The changes of what runs on a host, for people and for scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome, interrupted
from deploy.ui.units import age, duration, size

RELEASE_HEADINGS = ("", "release", "outcome", "when", "by", "revision", "took", "sent", "probes failed", "on the host")
STEPS_HEADING = "steps"
_DIRTY = "-dirty"


def changes(facts: Facts) -> Iterator[tuple[Entry, str, bool]]:
    """Every change, newest first, with how it ended and whether it brought what serves now."""
    live = facts.live
    broken, unended = interrupted(facts.journal), "going on" if facts.lock else "interrupted"
    marked = False
    for entry in reversed(facts.journal):
        if entry.outcome == Outcome.STARTED and entry != broken:
            continue
        bad = entry.outcome in {Outcome.FAILED, Outcome.RETURNED}
        serves = not marked and live is not None and entry.release == live.id and not bad
        marked = marked or serves
        yield entry, unended if entry == broken else str(entry.outcome), serves


def release_rows(facts: Facts, *, steps: bool = False) -> Iterator[Sequence[str]]:
    """A row for every change, under RELEASE_HEADINGS; with `steps` one column more."""
    for entry, outcome, serves in changes(facts):
        row = (
            "→" if serves else "",
            entry.release,
            outcome,
            age(entry.at, facts.now),
            entry.by,
            entry.revision,
            duration(entry.duration_s),
            size(entry.bytes_sent),
            f"{entry.probes.failed} of {entry.probes.sent}" if entry.probes else "",
            "kept" if entry.release in facts.releases else "removed",
        )
        yield (*row, _steps(entry)) if steps else row


def _steps(entry: Entry) -> str:
    return ", ".join(f"{title} {duration(seconds)}" for title, seconds in entry.steps.items())


def release_documents(facts: Facts) -> Iterator[dict[str, Any]]:
    """The same for a script: numbers with their units in their names, times in ISO 8601."""
    for entry, outcome, serves in changes(facts):
        yield {
            "live": serves,
            "release": entry.release,
            "outcome": outcome,
            "at": entry.at.isoformat(),
            "by": entry.by,
            "revision": entry.revision.removesuffix(_DIRTY),
            "dirty": entry.revision.endswith(_DIRTY),
            "previous": entry.previous,
            "duration_s": entry.duration_s,
            "steps": dict(entry.steps),
            "bytes_sent": entry.bytes_sent,
            "pushed": list(entry.pushed),
            "probes": dataclasses.asdict(entry.probes) if entry.probes else None,
            "migrations": [dataclasses.asdict(one) for one in entry.migrations],
            "rehearsed": entry.rehearsed,
            "backup": entry.backup,
            "unproved": entry.unproved,
            "rotated": entry.rotated,
            "scans": {service: dict(counts) for service, counts in entry.scans.items()},
            "services": [dataclasses.asdict(one) for one in entry.deeds],
            "reason": entry.reason,
            "kept": entry.release in facts.releases,
        }
