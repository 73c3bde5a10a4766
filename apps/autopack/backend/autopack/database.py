"""Connections to PostgreSQL."""

from __future__ import annotations

import time

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

WAIT_S = 30.0


def connect(url: str) -> Engine:
    """A pool that notices when the server has gone and come back, as it does when a backup is restored."""
    return create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=5, connect_args={"connect_timeout": 5})


def wait_for(engine: Engine, seconds: float = WAIT_S) -> None:
    """Return when the server answers: after a reboot nobody starts it first. Raises OperationalError in the end."""
    until = time.monotonic() + seconds
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return
