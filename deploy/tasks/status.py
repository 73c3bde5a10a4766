"""What runs on each host and what is wrong with it: asked of several at once, shown in the order they were named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.layout import HostLayout
from deploy.model.settings import Environment
from deploy.model.usage import Usage
from deploy.model.waves import MANY
from deploy.tasks.app import App
from deploy.tasks.hosts import visit
from deploy.tasks.recovery import Recovery, recovery_document, recovery_lines, recovery_of
from deploy.ui.reports import (
    STATUS_HEADINGS,
    disk_line,
    status_problems,
    status_rows,
    summary,
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
    recovery: Recovery
    problems: Sequence[str]


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
    facts = site.facts()
    usage, recovery = site.usage(), recovery_of(site, facts, environment)
    problems = (*status_problems(facts, site.layout), *recovery.problems)
    return Status(site.layout, facts, usage, recovery, problems)


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
        for note in status.recovery.notes:
            app.console.warn(note)
        recovery = recovery_lines(status.recovery, facts.now)
        for line in (*warm_lines(facts), *recovery, disk_line(facts, status.usage)):
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
        **recovery_document(status.recovery),
        "warm": {name: until.isoformat() for name, until in facts.warm.items()},
        "services": [dict(zip(STATUS_HEADINGS, row, strict=True)) for row in status_rows(facts, status.layout)],
    }
