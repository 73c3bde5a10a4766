"""Daphne for production: `python -m config.serve` takes the arguments of `daphne`.

Daphne ends with its WebSockets cut off in the middle, which browsers report as 1006, a failure. This one first closes each
with 1001, "going away" (RFC 6455, 7.4.1), and gives the other sides a moment to answer.
"""

import time
from typing import Any

# The first import of daphne.server installs the reactor, so it comes before Twisted's own.
from daphne.cli import CommandLineInterface
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

GOING_AWAY = 1001
PATIENCE_S = 3.0


class FarewellServer(Server):
    """Daphne that says goodbye before it stops."""

    def kill_all_applications(self) -> Deferred[Any]:
        """What Daphne waits for when it was told to stop; requests still in progress are cancelled after the goodbye."""
        for socket in self._connected_sockets():
            if socket.state == socket.STATE_OPEN:
                # Not sendClose(), which takes only the codes that an application may use.
                socket.sendCloseFrame(code=GOING_AWAY)
        return self._until_closed(time.monotonic() + PATIENCE_S).addCallback(
            lambda _: super(FarewellServer, self).kill_all_applications()
        )

    def _until_closed(self, deadline: float) -> Deferred[Any]:
        waiting = deferLater(reactor, 0.05)
        if time.monotonic() < deadline and self._connected_sockets():
            waiting.addCallback(lambda _: self._until_closed(deadline))
        return waiting

    def _connected_sockets(self) -> list[WebSocketProtocol]:
        return [
            protocol
            for protocol, details in self.connections.items()
            if isinstance(protocol, WebSocketProtocol) and "disconnected" not in details
        ]


class CommandLine(CommandLineInterface):
    server_class = FarewellServer


if __name__ == "__main__":
    CommandLine.entrypoint()
