"""What the host remembers of a change: its journal, and which release is current."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from deploy.model.deeds import deeds, parse_seen
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome
from deploy.model.settings import Engine
from deploy.release.change import Change
from deploy.release.lock import Hold
from deploy.release.site import Site


@contextlib.contextmanager
def keep_journal(
    hold: Hold, entry: Entry, change: Change, success: Outcome = Outcome.DEPLOYED
) -> Iterator[dict[str, float]]:
    """Write that a change begins, and how it ended, whatever happens between; the block fills in its steps' seconds."""
    seconds: dict[str, float] = {}
    began = time.monotonic()
    hold.append(entry)

    def end(outcome: Outcome, reason: str = "") -> Entry:
        return dataclasses.replace(
            entry,
            at=datetime.now(UTC),
            outcome=outcome,
            duration_s=round(time.monotonic() - began, 2),
            steps=seconds,
            bytes_sent=change.bytes_sent,
            migrated=change.migrated,
            rehearsed=change.rehearsed,
            backup=change.backup,
            probes=change.probes,
            migrations=change.migrations,
            reversed=change.reversed,
            pushed=change.pushed,
            deeds=change.deeds,
            reason=reason,
        )

    try:
        yield seconds
    except BaseException as error:
        observe(change)
        reason = error.message if isinstance(error, DeployError) else type(error).__name__
        with contextlib.suppress(DeployError):  # the link may be what broke: the next change will find it unended
            bad = Outcome.RETURNED if change.returned else Outcome.FAILED
            hold.append(end(success if change.stands else bad, reason))
        raise
    observe(change)
    hold.append(end(success))


def observe(change: Change) -> None:
    """See what became of every service, as long as the host can be asked: a change is not judged by that."""
    if change.environment.engine == Engine.SWARM:
        return  # what runs on its nodes is none of the manager's containers
    serving = change.record if change.stands else change.facts.live or change.record
    with contextlib.suppress(DeployError):
        done = change.site.shell.run(change.site.bare("observe.sh", change.site.layout.project))
        change.deeds = deeds(change.facts, serving, parse_seen(done.stdout), change.site.layout)


def record_current(site: Site, release_id: str) -> None:
    """Say which release is current, where no edge does."""
    site.run("current.sh", str(site.layout.root), release_id)
