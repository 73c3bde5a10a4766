"""Clients that stay: a WebSocket and a stream of server-sent events, each read in a thread of its own until it ends."""

from __future__ import annotations

import base64
import os
import socket
import threading
from abc import ABC, abstractmethod
from typing import Self

SILENCE_S = 60
TEXT, CLOSE = 0x81, 0x88
LONGER_SIZES = {126: 2, 127: 8}
"""What stands in the place of a WebSocket frame's size, and how many bytes the size then takes."""


class Stream(ABC):
    """A connection that is read until the other side ends it."""

    path: str
    request: tuple[str, ...] = ()

    def __init__(self, address: str, port: int = 80) -> None:
        self.texts: list[str] = []
        """What came, in order."""
        self.ended = ""
        """How it ended; empty while it goes on."""
        self._socket = socket.create_connection((address, port), SILENCE_S)
        self._file = self._socket.makefile("rb")
        head = (f"GET {self.path} HTTP/1.1", f"Host: {address}", *self.request, "", "")
        self._socket.sendall("\r\n".join(head).encode())
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    @property
    def open(self) -> bool:
        return not self.ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.ended:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._file.close()
        self._socket.close()

    def _follow(self) -> None:
        try:
            while not self.ended:
                self.ended = self._next()
        except OSError as error:
            self.ended = f"cut: {error}"

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise OSError("the connection was closed in the middle")
        return data

    @abstractmethod
    def _next(self) -> str:
        """Take what comes next; how the stream ended, if that was it."""


class WebSocket(Stream):
    """Unmasked, whole text frames from the server until its close frame; pings are not answered."""

    path = "/ws"
    request = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    )

    def _next(self) -> str:
        kind, size = self._read(2)
        if size in LONGER_SIZES:
            size = int.from_bytes(self._read(LONGER_SIZES[size]), "big")
        payload = self._read(size)
        if kind == CLOSE:
            return f"closed with {int.from_bytes(payload[:2], 'big')}"
        if kind == TEXT:
            self.texts.append(payload.decode())
        return ""


class Events(Stream):
    """A chunked answer, one event a chunk."""

    path = "/events"

    def _next(self) -> str:
        line = self._file.readline()
        if not line:
            raise OSError("the connection was closed in the middle")
        data = self._read(int(line, 16))
        self._read(2)
        if not data:
            return "whole"
        self.texts.append(data.decode().strip())
        return ""
