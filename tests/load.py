"""A load on an address of this machine: every request that does not get the answer it should is kept with its reason.

Keep-alive and fresh connections, GET and POST, from one thread of its own; bounded in clients and in time.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

MOST_SECONDS = 600.0
ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Request:
    """What a client asks for. `body` gets the number of the request and returns JSON, or is None for a GET."""

    path: str
    body: Callable[[int], str] | None = None


@dataclass
class Load:
    """A load while the block runs. `sent`, `failed` and `answers` tell afterwards how it went."""

    host: str
    port: int
    requests: tuple[Request, ...]
    clients: int = 8
    pause_s: float = 0.02
    name: str = ""
    """The host name that is asked for, when it is not the address."""
    tls: ssl.SSLContext | None = None
    answers: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    failed_at: list[float] = field(default_factory=list)
    """When connections failed, by the monotonic clock."""
    most_s: float = MOST_SECONDS
    took: list[tuple[float, float]] = field(default_factory=list)
    """For every answer, when it had come (time.monotonic) and the seconds it took."""

    @property
    def gap_s(self) -> float:
        """From the first connection that failed to the last."""
        return max(self.failed_at) - min(self.failed_at) if self.failed_at else 0.0

    @property
    def sent(self) -> int:
        return self.answers.total() + self.failed.total()

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._numbers = itertools.count(int(time.time() * 1000))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, number: int) -> None:
        request = self.requests[number % len(self.requests)]
        keep_alive = number // len(self.requests) % 2 == 0
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        until = time.monotonic() + self.most_s
        while not self._stop.is_set() and time.monotonic() < until:
            began = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    if connection is None:
                        connection = await asyncio.open_connection(
                            self.host, self.port, ssl=self.tls, server_hostname=self.name if self.tls else None
                        )
                    status, body, closes = await self._ask(*connection, request, keep_alive=keep_alive)
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.failed[f"{request.path} {type(error).__name__} {error}"] += 1
                self.failed_at.append(time.monotonic())
                if connection:
                    connection[1].transport.abort()
                connection = None
                await asyncio.sleep(self.pause_s)
                continue
            now = time.monotonic()
            self.took.append((now, now - began))
            self.slowest_s = max(self.slowest_s, now - began)
            if status in {200, 201}:
                self.answers[body] += 1
            else:
                self.failed[f"{request.path} {status} {body[:200]}"] += 1
            if closes or not keep_alive:
                connection[1].transport.abort()
                connection = None
            await asyncio.sleep(self.pause_s)
        if connection:
            connection[1].transport.abort()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request, *, keep_alive: bool
    ) -> tuple[int, str, bool]:
        body = request.body(next(self._numbers)).encode() if request.body else b""
        head = f"{'POST' if request.body else 'GET'} {request.path} HTTP/1.1\r\nHost: {self.name or self.host}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        head += "" if keep_alive else "Connection: close\r\n"
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(answer.split(maxsplit=2)[1])
        fields = dict(line.split(": ", 1) for line in answer.splitlines()[1:] if ": " in line)
        if "chunked" in fields.get("transfer-encoding", ""):
            content = b""
            while size := int(await reader.readline(), 16):
                content += await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readexactly(2)
        else:
            content = await reader.readexactly(int(fields.get("content-length", "0")))
        return status, content.decode(errors="replace"), "close" in fields.get("connection", "")
