"""What runs on each host and what is wrong with it: asked of several at once, shown in the order they were named."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from deploy.model.backup import Manifest
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.layout import HostLayout
from deploy.model.scheduled import State, state_document, state_lines, state_problems
from deploy.model.settings import Environment
from deploy.model.usage import Newest, Usage, backup_problems
from deploy.model.wal import Kept
from deploy.model.waves import MANY
from deploy.tasks.app import App
from deploy.tasks.hosts import visit
from deploy.ui.reports import (
    STATUS_HEADINGS,
    backup_lines,
    disk_line,
    status_problems,
    status_rows,
    summary,
    wal_lines,
    warm_lines,
)
from deploy.ui.units import count

if TYPE_CHECKING:
    from deploy.release.site import Site


@dataclass(frozen=True)
class Status:
    """What there is to say about a host."""

    layout: HostLayout
    facts: Facts
    usage: Usage
    newest: Newest
    proved: Newest
    schedule: State
    kept: Sequence[Kept]
    """The WAL of each database that is kept."""
    problems: Sequence[str]
    notes: Sequence[str]


def show_status(app: App, environment: Environment, specs: Sequence[str], *, as_json: bool) -> None:
    """Print it for every host. Raises DeployError when anything is wrong with one, or it cannot be asked."""
    documents: dict[str, dict[str, Any]] = {}
    wrong = 0

    def show(spec: str, status: Status) -> None:
        nonlocal wrong
        wrong += len(status.problems)
        if as_json:
            documents[spec] = _document(spec, status)
        else:
            _show(app, spec, status, brief=len(specs) > MANY)

    failed = visit(app, environment, specs, lambda site: _status(site, environment), show)
    wrong += len(failed)
    if as_json:
        documents |= {spec: {"host": spec, "live": None, "problems": [why.message]} for spec, why in failed.items()}
        app.console.json([documents[spec] for spec in specs])
    if wrong:
        raise DeployError(f"{count(wrong, 'problem')} found", f"inv {environment.name}.logs shows what services say")
    if not as_json:
        app.console.good("All is well.")


def _status(site: Site, environment: Environment) -> Status:
    """Ask a host, which takes some round trips."""
    from deploy.release.schedule import outdated, schedule_of
    from deploy.release.stores import newest_of, wal_of

    facts = site.facts()
    usage, (newest, proved, away) = site.usage(), newest_of(site, facts, environment)
    state = schedule_of(site, environment)
    oldest = timedelta(hours=environment.backup_max_age_h)
    kept = wal_of(site, facts.live, environment) if facts.live else ()
    problems = (
        *status_problems(facts, site.layout),
        *backup_problems(newest, facts.now, oldest),
        *(backup_problems(away, facts.now, oldest, "off-site backup") if environment.offsite else ()),
        *backup_problems(proved, facts.now, timedelta(hours=environment.proof_max_age_h), "proved backup"),
        *(one.problem for one in kept if one.problem),
        *(state_problems(state, environment) if facts.live else ()),
    )
    notes = tuple(str(note) for note in outdated(facts, environment)) if state.installed else ()
    return Status(site.layout, facts, usage, newest, proved, state, kept, problems, notes)


def _show(app: App, spec: str, status: Status, *, brief: bool) -> None:
    """`brief`: one of very many hosts, of which only what is wrong is of interest."""
    facts, live = status.facts, status.facts.live
    title = f"{live.id} ({live.revision}, {live.revision.subject})" if live else "no release is live"
    app.console.data(f"{status.layout.project} on {spec}: {title}")
    if not brief:
        app.console.table(STATUS_HEADINGS, status_rows(facts, status.layout))
        app.console.data(
            f"{summary(facts)}; {count(len(facts.releases), 'release')} kept; "
            f"Docker {facts.engine_version}, {facts.distribution}"
        )
        for note in status.notes:
            app.console.warn(note)
        backups = (*backup_lines(status.newest, status.proved, facts.now), *wal_lines(status.kept))
        for line in (*warm_lines(facts), *backups, *state_lines(status.schedule), disk_line(facts, status.usage)):
            app.console.data(line)
    for problem in status.problems:
        app.console.error(f"✗ {problem}")


def _document(spec: str, status: Status) -> dict[str, Any]:
    facts = status.facts
    disk = dataclasses.asdict(status.usage) | {"free_bytes": facts.data_free_bytes, "size_bytes": facts.data_bytes}
    return {
        "host": spec,
        "live": facts.live.id if facts.live else None,
        "problems": status.problems,
        "maintenance": dict(facts.maintenance) or None,
        "disk": disk,
        "backups": [_backup_document(name, one, status.proved) for name, one in status.newest.items()],
        "point_in_time": [_wal_document(one) for one in status.kept],
        "schedule": state_document(status.schedule),
        "warm": {name: until.isoformat() for name, until in facts.warm.items()},
        "services": [dict(zip(STATUS_HEADINGS, row, strict=True)) for row in status_rows(facts, status.layout)],
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
