"""The project's lock on a host: held by a process there whose life depends on ours."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from deploy.model.checks import check_frozen, require_none
from deploy.model.command import sequence
from deploy.model.errors import DeployError
from deploy.model.facts import Facts, parse_facts
from deploy.model.journal import Entry
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
_LOCKED, _WRITTEN, _END = b"locked\n", "written", b"\n@@end\n"


class Hold:
    """The project's lock on a host while it is ours. Its process there also writes the journal."""

    def __init__(self, site: Site, process: Process, facts: Facts) -> None:
        self.facts = facts
        """The host as it is now that nobody else changes it."""
        self._site = site
        self._process = process
        self._writing = threading.Lock()

    def append(self, entry: Entry) -> None:
        """Add one line to the journal. Raises LinkLostError or DeployError when it is not on the host's disk."""
        try:
            self._write(entry.to_line().encode())
            answer = self._process.read_line()
        except BrokenPipeError:
            answer = ""
        if answer != _WRITTEN:
            self._process.wait()  # says it when the link is what broke
            complaint = self._process.read_stderr(1 << 12).decode(errors="replace")
            raise DeployError(
                f"{self._site.shell.name}: the journal could not be written", "is the disk full?", details=complaint
            )

    def look_again(self) -> Facts:
        """The host as it is after what was done to it under this lock."""
        self.facts = self._site.facts()
        return self.facts

    def beat(self) -> None:
        """Give a sign of life. Raises BrokenPipeError when the lock is lost."""
        self._write(b"beat\n")

    def _write(self, line: bytes) -> None:
        with self._writing:
            self._process.write(line)


@contextlib.contextmanager
def locked(
    site: Site,
    purpose: str,
    now: datetime,
    console: Console,
    *,
    under: Hold | None = None,
    on_taken: Callable[[], None] = lambda: None,
) -> Iterator[Hold]:
    """Hold the project's lock on the host while the block runs; `under` one that is held already, that goes on.

    `on_taken` is called as soon as the lock is ours, while the host is still being looked at.
    Nothing has to be cleaned up after a crash: the lock belongs to a process on the host that ends when this one no
    longer writes to it. A holder that gives no sign of life is waited for; DeployError names one that is alive.
    """
    if under:
        yield under
        return
    owner = json.dumps({"by": whoami(), "since": now.isoformat(), "purpose": purpose})
    site.fence.token = secrets.token_hex(8)
    process, found = _taken(site, owner, console, on_taken)
    with process:
        hold = Hold(site, process, parse_facts(found, site.shell.name))
        ended = threading.Event()

        def beat() -> None:
            with contextlib.suppress(BrokenPipeError):
                while not ended.wait(BEAT_S):
                    hold.beat()

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield hold
        finally:
            ended.set()
            beating.join()
            process.close_stdin()
            with contextlib.suppress(DeployError):
                process.wait()
            site.fence.token = ""


def _taken(site: Site, owner: str, console: Console, on_taken: Callable[[], None]) -> tuple[Process, str]:
    """The process that holds the lock, once it does, and the facts it found."""
    taken = _try(site, owner, on_taken)
    if not isinstance(taken, _Holder):
        return taken
    if taken.silent_s < SILENT_S:
        raise taken.error(site)
    console.note(f"{taken.who} gave its last sign of life {taken.silent_s:.0f} s ago: taking over when its lock ends")
    with console.step("Take over the lock") as step:
        until = time.monotonic() + DEAD_S
        while isinstance(taken, _Holder):
            if time.monotonic() > until or taken.silent_s < SILENT_S:
                raise taken.error(site)
            step.show(f"silent for {taken.silent_s:.0f} s")
            time.sleep(RETRY_S)
            taken = _try(site, owner, on_taken)
    return taken


def _try(site: Site, owner: str, on_taken: Callable[[], None]) -> tuple[Process, str] | _Holder:
    """Take the lock and look at the host under it, in one round trip; or who holds it."""
    # not guarded: it lives as long as the change, and the guarded steps run inside
    root = str(site.layout.root)
    look = sequence(site.bare("fence.sh", root, site.fence.token), site.look)
    take = sequence(site.bare("root.sh", root), site.bare("lock.sh", root, owner, *look), name="lock.sh")
    process = site.shell.start(take)
    answer, ours = b"", False
    while not answer.endswith(_END) and (more := process.read(1 << 16)):
        answer += more
        if not ours and answer.startswith(_LOCKED):
            ours = True
            on_taken()
    if answer.startswith(_LOCKED) and answer.endswith(_END):
        return process, answer.removeprefix(_LOCKED).decode(errors="replace")
    text = answer.decode(errors="replace")
    with process:
        status = process.wait()
        complaint = process.read_stderr(1 << 12).decode(errors="replace")
    if status != HELD:
        raise DeployError(
            f"{site.shell.name}: the lock could not be taken (status {status})", details=complaint or text
        )
    silent, _, told = text.partition("\n")
    try:
        who = json.loads(told)
    except ValueError:
        who = {}
    owner_told = f"{who.get('by', 'somebody')}, {who.get('purpose', 'at work')} since {who.get('since', 'just now')}"
    return _Holder(owner_told, float(silent or 0))


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
