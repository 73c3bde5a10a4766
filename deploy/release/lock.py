"""The project's lock on a host: held by a process there whose life depends on ours."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import datetime

from deploy.model.errors import DeployError
from deploy.release.prepare import whoami
from deploy.release.site import Site

BEAT_S = 10.0
HELD = 75


@contextlib.contextmanager
def locked(site: Site, purpose: str, now: datetime) -> Iterator[None]:
    """Hold the project's lock on the host while the block runs.

    Raises DeployError naming who holds it. Nothing has to be cleaned up after a crash: the lock belongs to a process on
    the host that ends when this one no longer writes to it.
    """
    site.shell.run(site.bare("root.sh", str(site.layout.root)))
    owner = json.dumps({"by": whoami(), "since": now.isoformat(), "purpose": purpose})
    # not guarded: it lives as long as the block, and the guarded steps run inside
    with site.shell.start(site.bare("lock.sh", str(site.layout.root), owner)) as process:
        answer = process.read(1 << 12).decode(errors="replace")
        if not answer.startswith("locked"):
            raise _held(site, answer, process.wait())
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


def _held(site: Site, answer: str, status: int) -> DeployError:
    if status != HELD:
        return DeployError(f"{site.shell.name}: the lock could not be taken (status {status})", details=answer)
    try:
        owner = json.loads(answer)
    except ValueError:
        owner = {}
    who = f"{owner.get('by', 'somebody')}, {owner.get('purpose', 'at work')} since {owner.get('since', 'just now')}"
    return DeployError(
        f"{site.shell.name}: another deploy is going on: {who}",
        "wait for it to end; should its machine be gone, the lock ends by itself within a minute",
    )
