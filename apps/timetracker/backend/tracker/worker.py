"""The background worker: drains the outbox until it is told to stop."""

import logging
import signal
import tempfile
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connections

from . import outbox

logger = logging.getLogger(__name__)

IDLE_S = 1.0
MAX_BACKOFF_S = 15.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

# Touched whenever the database answered; the container's health check looks at its age.
HEARTBEAT = Path(tempfile.gettempdir()) / "worker-heartbeat"


def run() -> None:
    """Drain until SIGTERM or SIGINT, then finish the batch in hand and return.

    The signals stay blocked and are asked for between batches, so a batch is never interrupted and there is no
    handler to race with. A database that is away or not migrated yet is waited for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    logger.info("worker started")
    wait_s = backoff_s = 0.0
    while not _stop_requested(wait_s):
        try:
            wait_s = 0.0 if outbox.drain() else IDLE_S
        except (DatabaseError, InterfaceError) as error:
            # Closed, so that the next round connects afresh.
            connections.close_all()
            wait_s = backoff_s = min(backoff_s * 2 or IDLE_S, MAX_BACKOFF_S)
            reason = str(error).strip().partition("\n")[0]
            logger.warning("waiting %.0f s for the database: %s", wait_s, reason)
        else:
            backoff_s = 0.0
            HEARTBEAT.touch()
    logger.info("worker stopped")


def drain_everything() -> int:
    """Drain until nothing is due; returns the number of events processed."""
    count = 0
    while claimed := outbox.drain():
        count += claimed
    return count


def _stop_requested(wait_s: float) -> bool:
    """Wait up to wait_s for a stop signal; 0 asks only whether one has already come."""
    return signal.sigtimedwait(STOP_SIGNALS, wait_s) is not None
