"""/ws/panel: pushes the panel to a page. What the page wants to change goes over HTTP."""

import asyncio
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from .asgi import Receive, Scope, Send
from .live import hub


async def panel(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection until it ends."""
    if not same_origin(scope):
        await refuse(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    pushing = asyncio.create_task(_push(send))
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)


async def refuse(_: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake with 403."""
    await receive()
    await send({"type": "websocket.close"})


def same_origin(scope: Scope) -> bool:
    """Whether the page that connects was served under the name it connects to, and that name is one of ours.

    A browser lets any page open a WebSocket anywhere and says only which page it was. Other programs say nothing.
    """
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    origin = headers.get(b"origin")
    ours = validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
    return ours and (origin is None or urlsplit(origin).netloc == host)


async def _push(send: Send) -> None:
    async for text in hub.follow():
        await send({"type": "websocket.send", "text": text})
