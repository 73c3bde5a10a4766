"""What the keeper runs on a host, started by the host's own timer: back up, prove it when it is time, prune.

    python -m deploy.tasks.nightly FOLDER RUN

FOLDER is the project's `schedule/`, RUN how the journal calls this run. The tasks are those that people type, for this
machine; what they say goes to standard error. Standard output gets two lines: the run's end for the journal, and the
same as a sentence. The status is that of the whole.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from deploy.data.backup import told
from deploy.data.repository import Stored
from deploy.model.errors import DeployError
from deploy.model.schedule import DrillEvery, Step, drill_is_due
from deploy.model.scheduled import HERE
from deploy.tasks import db
from deploy.tasks.app import App
from deploy.tasks.place import place_of
from deploy.ui.units import duration, size

FOLDER, RUN = 1, 2


@dataclass(frozen=True)
class Night:
    """One run."""

    context: Context
    environment: str

    def steps(self, drill: DrillEvery) -> Iterator[Step]:
        """What is done, each step as it ends. A backup that failed is not proved; old ones are pruned all the same."""
        backup = self._step("backup", db.backup, only=[])
        yield backup
        if backup.ok and drill_is_due(drill, self._proved_at(), datetime.now(UTC)):
            yield self._step("drill", db.drill, only=[])
        yield self._step("prune", db.prune, yes=True)

    def stored(self) -> tuple[Stored, ...]:
        """The backups that are there; none where that cannot be told."""
        with contextlib.suppress(DeployError), place_of(App(self.context), self.environment, [HERE]) as place:
            return place.repository.backups()
        return ()

    def _proved_at(self) -> datetime | None:
        return max((proof.at for one in self.stored() for proof in one.proofs if proof.ok), default=None)

    def _step(self, what: str, task: Task[Any], **options: Any) -> Step:
        began, message = time.monotonic(), ""
        try:
            task.body(self.context, host=[HERE], env=self.environment, **options)
        except Exit as end:
            if isinstance(end.__cause__, KeyboardInterrupt):
                raise end.__cause__ from None  # out of time: nothing else is begun
            message = _reason(end)
        except Exception as error:  # noqa: BLE001  # the journal has to tell of it, whatever it is
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}"
        return Step(what, not message, round(time.monotonic() - began, 2), message)


def _reason(end: Exit) -> str:
    error = end.__cause__
    if isinstance(error, DeployError):
        return f"{error.message} → {error.remedy}" if error.remedy else error.message
    return f"ended with status {end.code}"


def main() -> int:
    """One run, to its end."""
    folder, run = Path(sys.argv[FOLDER]), sys.argv[RUN]
    settings = json.loads((folder / "settings.json").read_text())
    overrides = {"windlass_root": str(folder), "deploy": settings["deploy"], "ssh_config_path": None}
    night = Night(Context(Config(overrides=overrides, lazy=True)), settings["environment"])
    with contextlib.redirect_stdout(sys.stderr):
        steps = [*night.steps(DrillEvery(settings["drill"]))]
        stored = night.stored()
    failed = [f"{one.what}: {one.message}" for one in steps if not one.ok]
    message = "; ".join(failed) or _what_is_there(stored[-1])
    host = socket.gethostname()
    text = f"{settings['deploy']['project']} on {host}: {message}"
    line = {
        "run": run,
        "event": "ended",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "project": settings["deploy"]["project"],
        "host": host,
        "ok": not failed,
        "message": message,
        "text": text,
        "steps": [asdict(one) for one in steps],
    }
    sys.stdout.write(f"{json.dumps(line)}\n{' '.join(text.split())}\n")
    return 1 if failed else 0


def _what_is_there(newest: Stored) -> str:
    manifest = newest.manifest
    proof = f", proved in {duration(newest.proof.recover_s)}" if newest.proof and newest.proved else ""
    return f"{manifest.id}, {size(manifest.size_bytes)}, {told(manifest.parts)}{proof}"


if __name__ == "__main__":
    sys.exit(main())
