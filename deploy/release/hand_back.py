"""Handing a project back: what runs goes on as a plain compose project that knows nothing of us."""

from __future__ import annotations

import base64
import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plain import plain_document
from deploy.model.release import ReleaseRecord
from deploy.release.lock import locked, require_thawed
from deploy.release.prepare import whoami
from deploy.release.site import Site
from deploy.ui import Console

READY_TIMEOUT_S = 300


@dataclass(frozen=True)
class HandedBack:
    """What runs without us, and how long nobody was answered."""

    folder: str
    gap_s: float


def require_live(facts: Facts) -> ReleaseRecord:
    """The release to hand back. Raises UsageError where none is live, and DeployError where nothing may be changed."""
    require_thawed(facts)
    if facts.live is None:
        raise UsageError(f"{facts.host}: no release is live there", "there is nothing to hand back")
    return facts.live


def hand_back(site: Site, console: Console) -> HandedBack:
    """Stop the edge, the live release and its data services, and start all of it as one compose project.

    Raises DeployError when that does not become healthy: the release then serves again.
    """
    layout = site.layout
    with locked(site, "handing back to compose", datetime.now(UTC), console) as hold:
        live = require_live(hold.facts)
        began = time.monotonic()
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=live.id,
            by=whoami(),
            revision=str(live.revision),
            previous=live.id,
        )
        hold.append(entry)
        outcome, reason = Outcome.FAILED, ""
        try:
            document = json.dumps(plain_document(*_documents(site, live), live, layout), indent=1, ensure_ascii=False)
            with console.step("Start it as a compose project of its own") as step:
                lasting = (name for name, one in live.services.items() if one.kind != Kind.JOB and not one.may_end)
                data = (name for name, one in live.services.items() if one.kind == Kind.DATA)
                words = (str(layout.root), live.id, READY_TIMEOUT_S, " ".join(data), " ".join(lasting))
                done = site.run("hand-back.sh", *words, stdin=document.encode(), on_line=step.show)
                gap_s = float(done.stdout.split()[-1])
            outcome = Outcome.HANDED_BACK
        except CommandError as error:
            reason = error.message
            raise DeployError(
                f"{site.shell.name}: the compose project did not start; {live.id} serves again",
                "mend what it says, and try again",
                details=error.stderr,
            ) from error
        finally:
            hold.append(_ended(entry, outcome, reason, time.monotonic() - began))
    return HandedBack(str(layout.plain), gap_s)


def _documents(site: Site, live: ReleaseRecord) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The compose documents of the release and of the data services, as they are on the host."""
    done = site.shell.run(site.bare("definitions.sh", str(site.layout.root), live.id, 0))
    found = {
        what: json.loads(base64.b64decode(text))
        for what, _, text in (line.partition(" ") for line in done.stdout.splitlines())
        if what in {"release", "data"}
    }
    return found.get("release", {}), found.get("data", {})


def _ended(entry: Entry, outcome: Outcome, reason: str, seconds: float) -> Entry:
    return dataclasses.replace(
        entry, at=datetime.now(UTC), outcome=outcome, duration_s=round(seconds, 2), reason=reason
    )
