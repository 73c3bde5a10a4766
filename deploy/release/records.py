"""What the host remembers of a change: its journal, and which release is current."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Outcome
from deploy.release.change import Change
from deploy.release.site import Site


@contextlib.contextmanager
def keep_journal(
    site: Site, entry: Entry, change: Change, success: Outcome = Outcome.DEPLOYED
) -> Iterator[dict[str, float]]:
    """Write that a change begins, and how it ended, whatever happens between; the block fills in its steps' seconds."""
    seconds: dict[str, float] = {}
    began = time.monotonic()
    append(site, entry)

    def end(outcome: Outcome, reason: str = "") -> Entry:
        return dataclasses.replace(
            entry,
            at=datetime.now(UTC),
            outcome=outcome,
            duration_s=round(time.monotonic() - began, 2),
            steps=seconds,
            bytes_sent=change.bytes_sent,
            migrated=change.migrated,
            backup=change.backup,
            probes=change.probes,
            reason=reason,
        )

    try:
        yield seconds
    except BaseException as error:
        reason = error.message if isinstance(error, DeployError) else type(error).__name__
        with contextlib.suppress(DeployError):  # the link may be what broke: the next change will find it unended
            append(site, end(success if change.stands else Outcome.FAILED, reason))
        raise
    append(site, end(success))


def append(site: Site, entry: Entry) -> None:
    """Add one line to the journal."""
    site.run("journal.sh", str(site.layout.root), stdin=entry.to_line().encode())


def record_current(site: Site, release_id: str) -> None:
    """Say which release is current, where no edge does."""
    site.run("current.sh", str(site.layout.root), release_id)
