"""The ASGI application: Django for HTTP, the panel's own handler for WebSockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# For the server alone: a command of manage.py has one thread and is soon done.
os.environ.setdefault("DB_POOL", "True")
http = get_asgi_application()

# They need Django set up, which the line above has done.
from alarm import websocket  # noqa: E402
from alarm.asgi import Receive, Scope, Send  # noqa: E402
from alarm.live import hub  # noqa: E402

SOCKETS = {"/ws/panel": websocket.panel}


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    # Daphne has no lifespan events. The container's health check asks within seconds of the start, and so the hub, which
    # also keeps the alarm's deadlines, runs from then on.
    hub.start()
    if scope["type"] == "websocket":
        await SOCKETS.get(scope["path"], websocket.refuse)(scope, receive, send)
    else:
        await http(scope, receive, send)
