"""The hub: one task of each process that keeps the alarm's deadlines and hands every change to whoever follows it.

It hears of changes from Postgres, so a page that is connected to one release sees what another release did.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connections
from django.utils import timezone

from . import panel

HEARTBEAT_S = 20.0
"""Sent although nothing has changed: to pages, which give up on a silent connection, and to proxies in between."""
COLLECT_S = 0.1
"""How long changes are collected before one snapshot tells all of them."""
RETRY_S = 1.0
logger = logging.getLogger(__name__)


class Hub:
    """Follows the panel from the first `start()` until `stop()`."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._number = 0
        self._text = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the running event loop; does nothing when it has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def follow(self) -> AsyncIterator[str]:
        """The panel as JSON: now, and whenever it has changed. Somebody slow misses what was between, not the last."""
        seen = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._number > seen)
                seen, text = self._number, self._text
            yield text

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, DatabaseError) as error:
                # As on every restart of the database; who follows goes on seeing what was last known.
                logger.warning("the panel's changes cannot be heard, trying again: %s", error)
            except Exception:
                logger.exception("following the panel failed, trying again")
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(_conninfo(), autocommit=True) as connection:
            await connection.execute(f"LISTEN {panel.CHANNEL}")
            while True:
                # Only after LISTEN, so that nothing can happen unseen between the two.
                snapshot = await _current()
                await self._publish(json.dumps(snapshot))
                async for _ in connection.notifies(timeout=_seconds_until(snapshot["deadline"]), stop_after=1):
                    pass
                await asyncio.sleep(COLLECT_S)

    async def _publish(self, text: str) -> None:
        async with self._changed:
            self._number += 1
            self._text = text
            self._changed.notify_all()


hub = Hub()


@sync_to_async(thread_sensitive=False)
def _current() -> dict[str, Any]:
    try:
        panel.advance()
        return panel.snapshot()
    finally:
        # No request ends here, which otherwise gives the connection back to its pool.
        connections.close_all()


def _seconds_until(deadline: str | None) -> float:
    """Until something is due, at most a heartbeat."""
    if not deadline:
        return HEARTBEAT_S
    left = (datetime.fromisoformat(deadline) - timezone.now()).total_seconds()
    return min(max(left, 0), HEARTBEAT_S)


def _conninfo() -> str:
    settings = connections["default"].settings_dict
    return psycopg.conninfo.make_conninfo(
        host=settings["HOST"],
        port=settings["PORT"],
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        connect_timeout=10,
        application_name="alarm-hub",
        # Nothing is ever written on this connection: only these notice a database whose host is gone.
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
    )
