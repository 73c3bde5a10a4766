"""The push, from a committed change to what a WebSocket is sent."""

import asyncio
import json
from typing import Any
from unittest.mock import patch

from asgiref.sync import sync_to_async
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from alarm import integrations, panel, websocket
from alarm.live import Hub
from alarm.machine import Mode
from alarm.models import Panel

PATIENCE_S = 30


class Socket:
    """The server's side of one WebSocket, as an ASGI server would hold it."""

    def __init__(self, **headers: str) -> None:
        encoded = [(name.encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()]
        self._scope = {"type": "websocket", "path": "/ws/panel", "headers": encoded}
        self._to: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> "Socket":
        self._to.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.create_task(websocket.panel(self._scope, self._to.get, self._sent.put))
        self.answer = (await self._next())["type"]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._to.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait_for(self._task, PATIENCE_S)

    async def until(self, **wanted: object) -> dict[str, Any]:
        """The first panel that is pushed with these values."""
        while True:
            pushed: dict[str, Any] = json.loads((await self._next())["text"])
            if wanted.items() <= pushed.items():
                return pushed

    async def _next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self._sent.get(), PATIENCE_S)


class PushTests(TransactionTestCase):
    def setUp(self) -> None:
        integrations.apply(integrations.read({"EXIT_DELAY_S": "1"}))
        # One of its own, as a hub belongs to the event loop it was first followed in.
        self.hub = Hub()
        patched = patch("alarm.websocket.hub", self.hub)
        patched.start()
        self.addCleanup(patched.stop)

    async def test_a_page_is_told_the_present_and_every_change(self) -> None:
        self.hub.start()
        try:
            async with Socket() as one, Socket() as other:
                self.assertEqual(one.answer, "websocket.accept")
                await one.until(state="disarmed")
                await sync_to_async(panel.arm)(Mode.AWAY)
                for socket in (one, other):
                    await socket.until(state="arming", mode="away")
                    await socket.until(state="armed", deadline=None)
        finally:
            await self.hub.stop()

    async def test_a_deadline_is_kept_while_nobody_looks(self) -> None:
        self.hub.start()
        try:
            await sync_to_async(panel.arm)(Mode.HOME)
            async with asyncio.timeout(PATIENCE_S):
                while (await Panel.objects.aget()).state != "armed":
                    await asyncio.sleep(0.05)
        finally:
            await self.hub.stop()


@override_settings(ALLOWED_HOSTS=["alarm.example.com"])
class OriginTests(SimpleTestCase):
    async def answer(self, **headers: str) -> bool:
        scope = {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
        return websocket.same_origin(scope)

    async def test_a_page_of_this_site_and_a_program_may_connect(self) -> None:
        host = "alarm.example.com:5427"
        self.assertTrue(await self.answer(host=host, origin=f"http://{host}"))
        self.assertTrue(await self.answer(host=host))

    async def test_a_page_elsewhere_and_a_borrowed_name_may_not(self) -> None:
        self.assertFalse(await self.answer(host="alarm.example.com", origin="https://evil.example"))
        self.assertFalse(await self.answer(host="alarm.example.com", origin="null"))
        self.assertFalse(await self.answer(host="evil.example", origin="http://evil.example"))
