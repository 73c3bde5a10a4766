"""What there is to go back to when data is lost, as `status` tells it: backups, their proof, WAL, the schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from deploy.model.backup import Manifest
from deploy.model.facts import Facts
from deploy.model.scheduled import State, state_document, state_lines, state_problems
from deploy.model.settings import Environment
from deploy.model.usage import Newest, backup_problems
from deploy.model.wal import Kept
from deploy.ui.reports import backup_lines, wal_lines

if TYPE_CHECKING:
    from deploy.release.site import Site


@dataclass(frozen=True)
class Recovery:
    """What a host keeps of a project's data."""

    newest: Newest
    proved: Newest
    schedule: State
    kept: Sequence[Kept]
    """The WAL of each database that is kept."""
    problems: Sequence[str]
    notes: Sequence[str]


def recovery_of(site: Site, facts: Facts, environment: Environment) -> Recovery:
    """Ask the host with the data, which takes some round trips."""
    from deploy.release.schedule import outdated, schedule_of
    from deploy.release.stores import newest_of, wal_of

    newest, proved, away = newest_of(site, facts, environment)
    state = schedule_of(site, environment)
    oldest = timedelta(hours=environment.backup_max_age_h)
    kept = wal_of(site, facts.live, environment) if facts.live else ()
    problems = (
        *backup_problems(newest, facts.now, oldest),
        *(backup_problems(away, facts.now, oldest, "off-site backup") if environment.offsite else ()),
        *backup_problems(proved, facts.now, timedelta(hours=environment.proof_max_age_h), "proved backup"),
        *(one.problem for one in kept if one.problem),
        *(state_problems(state, environment) if facts.live else ()),
    )
    notes = tuple(str(note) for note in outdated(facts, environment)) if state.installed else ()
    return Recovery(newest, proved, state, kept, problems, notes)


def recovery_lines(found: Recovery, now: datetime) -> Iterator[str]:
    """The same in words, without what is wrong."""
    yield from backup_lines(found.newest, found.proved, now)
    yield from wal_lines(found.kept)
    yield from state_lines(found.schedule)


def recovery_document(found: Recovery) -> dict[str, Any]:
    """The same for a script."""
    return {
        "backups": [_backup_document(name, one, found.proved) for name, one in found.newest.items()],
        "point_in_time": [_wal_document(one) for one in found.kept],
        "schedule": state_document(found.schedule),
    }


def _backup_document(service: str, manifest: Manifest | None, proved: Mapping[str, Manifest | None]) -> dict[str, Any]:
    about = (
        {
            "id": manifest.id,
            "at": manifest.started_at.isoformat(),
            "size_bytes": manifest.size_bytes,
            "proved": manifest == proved[service],
        }
        if manifest
        else {}
    )
    return {"service": service, "id": None, "at": None} | about


def _wal_document(kept: Kept) -> dict[str, Any]:
    since = kept.since.isoformat() if kept.since else None
    return {"service": kept.service, "since": since, "wal_bytes": kept.size_bytes, "problem": kept.problem}
