"""The project's lock on a host: held by a process there whose life depends on ours."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from deploy.model.checks import check_frozen, require_none
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.release.prepare import whoami
from deploy.release.site import Site
from deploy.shell import Process
from deploy.ui import Console

BEAT_S = 10.0
SILENT_S = 2.5 * BEAT_S
"""After this long without a sign of life a holder is taken for dead."""
DEAD_S = 60.0
"""A dead holder's lock ends by itself within this time (see `lock.sh`)."""
RETRY_S = 2.0
HELD = 75


@contextlib.contextmanager
def locked(site: Site, purpose: str, now: datetime, console: Console) -> Iterator[None]:
    """Hold the project's lock on the host while the block runs.

    Nothing has to be cleaned up after a crash: the lock belongs to a process on the host that ends when this one no
    longer writes to it. A holder that gives no sign of life is waited for; DeployError names one that is alive.
    """
    site.shell.run(site.bare("root.sh", str(site.layout.root)))
    owner = json.dumps({"by": whoami(), "since": now.isoformat(), "purpose": purpose})
    with _taken(site, owner, console) as process:
        ended = threading.Event()

        def beat() -> None:
            with contextlib.suppress(BrokenPipeError):
                while not ended.wait(BEAT_S):
                    process.write(b"beat\n")

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield
        finally:
            ended.set()
            beating.join()
            process.close_stdin()
            with contextlib.suppress(DeployError):
                process.wait()


def _taken(site: Site, owner: str, console: Console) -> Process:
    """The process that holds the lock, once it does."""
    process, held = _try(site, owner)
    if process:
        return process
    if held.silent_s < SILENT_S:
        raise held.error(site)
    console.note(f"{held.who} gave its last sign of life {held.silent_s:.0f} s ago: taking over when its lock ends")
    with console.step("Take over the lock") as step:
        until = time.monotonic() + DEAD_S
        while not process:
            if time.monotonic() > until or held.silent_s < SILENT_S:
                raise held.error(site)
            step.show(f"silent for {held.silent_s:.0f} s")
            time.sleep(RETRY_S)
            process, held = _try(site, owner)
    return process


def _try(site: Site, owner: str) -> tuple[Process | None, _Holder]:
    # not guarded: it lives as long as the change, and the guarded steps run inside
    process = site.shell.start(site.bare("lock.sh", str(site.layout.root), owner))
    answer = process.read(1 << 12).decode(errors="replace")
    if answer.startswith("locked"):
        return process, _Holder("", 0)
    with process:
        status = process.wait()
    if status != HELD:
        raise DeployError(f"{site.shell.name}: the lock could not be taken (status {status})", details=answer)
    silent, _, text = answer.partition("\n")
    try:
        who = json.loads(text)
    except ValueError:
        who = {}
    told = f"{who.get('by', 'somebody')}, {who.get('purpose', 'at work')} since {who.get('since', 'just now')}"
    return None, _Holder(told, float(silent or 0))


@dataclass(frozen=True)
class _Holder:
    """Who holds the lock."""

    who: str
    silent_s: float

    def error(self, site: Site) -> DeployError:
        return DeployError(
            f"{site.shell.name}: another deploy is going on: {self.who}",
            "wait for it to end; should its machine be gone, the lock ends by itself within a minute",
        )


def freeze(site: Site, message: str, now: datetime) -> None:
    """Keep deploys and rollbacks off the project until `thaw`, whoever begins them and from wherever."""
    note = json.dumps({"by": whoami(), "since": now.isoformat(timespec="seconds"), "message": message})
    site.shell.run(site.bare("root.sh", str(site.layout.root)))
    site.run("freeze.sh", str(site.layout.root), stdin=f"{note}\n".encode())


def thaw(site: Site) -> None:
    """Let changes in again."""
    site.run("freeze.sh", str(site.layout.root))


def require_thawed(facts: Facts) -> None:
    """Raises DeployError with who has frozen the project, and why."""
    require_none(check_frozen(facts), facts.host)
