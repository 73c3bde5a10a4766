"""Users at work while a project is released again and again: what fails, and what the slowest of them wait.

    .venv/bin/python -m bench.load [--deploys 20] [--rate 200]

Reads and writes on kept and on fresh connections, and WebSockets where the server has them under /ws, straight to the
public port. Everything runs on one machine: builds, host, load and the tool itself share its cores, which is why times
at rest are measured too.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from bench.hosts import Link
from bench.shop import Bench, shop_on_a_host
from tests.load import Load, Request

CLIENTS = 20
AT_REST_S = 10.0
DRAIN_S = 3
SOCKETS = 10
WS_BEAT_S = 0.2
WS_TEXT = b"\x81\x84\x00\x00\x00\x00beat"  # a masked text frame, whose mask changes nothing
WS_CLOSE = 8


@dataclass
class WebSockets:
    """Some WebSockets that are opened again whenever they end, while the block runs."""

    host: str
    port: int
    opened: int = 0
    told: int = 0
    """Ended by the server with a close frame."""
    cut: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    supported: bool = True

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self.supported = asyncio.run(self._offered())
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def __str__(self) -> str:
        if not self.supported:
            return "not tried: the server has none under /ws"
        refused = f", {self.refused.total()} refused ({dict(self.refused)})" if self.refused else ", none refused"
        return f"{self.opened} opened{refused}; {self.told} were told to go, {self.cut} were cut without a word"

    async def _offered(self) -> bool:
        _, writer, status = await self._open()
        writer.close()
        return status == 101  # noqa: PLR2004

    async def _all(self) -> None:
        if self.supported:
            await asyncio.gather(*(self._client() for _ in range(SOCKETS)))

    async def _client(self) -> None:
        while not self._ended.is_set():
            try:
                reader, writer, status = await self._open()
            except (OSError, EOFError) as error:
                self.refused[type(error).__name__] += 1
                continue
            if status != 101:  # noqa: PLR2004
                self.refused[str(status)] += 1
                writer.close()
                continue
            self.opened += 1
            beating = asyncio.create_task(self._beat(writer))
            try:
                while await self._frame(reader) != WS_CLOSE:
                    pass
                self.told += 1
            except (OSError, EOFError):
                self.cut += not self._ended.is_set()
            beating.cancel()
            writer.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        return reader, writer, int(head.split(maxsplit=2)[1])

    async def _beat(self, writer: asyncio.StreamWriter) -> None:
        while not self._ended.is_set():
            writer.write(WS_TEXT)
            await asyncio.sleep(WS_BEAT_S)
        writer.close()

    async def _frame(self, reader: asyncio.StreamReader) -> int:
        """The kind of the next frame."""
        head = await reader.readexactly(2)
        length = head[1] & 0x7F
        if length > 125:  # noqa: PLR2004  # the length follows in two bytes or in eight
            length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))  # noqa: PLR2004
        await reader.readexactly(length)
        return head[0] & 0x0F


@dataclass(frozen=True)
class Span:
    """A piece of time, as time.monotonic has it."""

    begin: float
    end: float


def deploy(bench: Bench, number: int) -> tuple[Span, Span]:
    """Release another line: from when to when that was, and from when to when the edge was at work."""
    bench.says(f"release {number}")
    began = time.monotonic()
    process = bench.project.start("prod.deploy", "--host", "far", "--yes")
    assert process.stderr
    lines, marks = [], [began, began]
    for line in process.stderr:
        lines.append(line)
        if line.startswith("✓ Watch"):
            marks[0] = time.monotonic()
        if line.startswith("✓ Drain"):
            marks[1] = time.monotonic()
    if process.wait():
        raise SystemExit("".join(lines))
    return Span(began, time.monotonic()), Span(*marks)


def within(load: Load, spans: Iterable[Span]) -> list[float]:
    """Milliseconds of the answers that fell into some pieces of time."""
    pieces = tuple(spans)
    return sorted(took * 1000 for at, took in load.took if any(one.begin <= at <= one.end for one in pieces))


def row(name: str, times: list[float], rest_ms: float) -> str:
    if not times:
        return f"  {name:18} no answers"
    half, most = times[len(times) // 2], times[int(len(times) * 0.99)]
    return (
        f"  {name:18} {len(times):7} answers  median {half:6.1f} ms  p99 {most:7.1f} ms"
        f"  {most / (rest_ms or most):5.2f} of p99 at rest  slowest {times[-1]:7.1f} ms"
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deploys", type=int, default=20)
    parser.add_argument("--rate", type=float, default=200, help="requests a second, if the machine carries them")
    words = parser.parse_args()
    with shop_on_a_host("load") as bench, bench.behind(Link("full speed")):
        # WebSockets live until the drain's limit, in every deploy
        (bench.project.root / "invoke.yaml").write_text(f"deploy: {{environments: {{prod: {{drain_s: {DRAIN_S}}}}}}}\n")
        pause_s = CLIENTS / words.rate
        requests = (Request("/"), Request("/", str))
        with (
            Load(bench.address, bench.port, requests, CLIENTS, pause_s, most_s=4 * 3600) as load,
            WebSockets(bench.address, bench.port) as sockets,
        ):
            began = time.monotonic()
            time.sleep(AT_REST_S)
            rest = Span(began, time.monotonic())
            spans = []
            for number in range(words.deploys):
                spans.append(deploy(bench, number))
                print(f"deploy {number + 1}: {spans[-1][0].end - spans[-1][0].begin:.1f} s", flush=True)
        lasted = time.monotonic() - began
    at_rest = within(load, [rest])
    rest_ms = at_rest[int(len(at_rest) * 0.99)]
    print(
        f"\n{words.deploys} deploys in a row; {load.sent} requests in {lasted:.0f} s, {load.sent / lasted:.0f} a second"
    )
    print(f"  failed requests    {load.failed.total()} {dict(load.failed) or ''}")
    print(row("at rest", at_rest, rest_ms))
    print(row("during deploys", within(load, (whole for whole, _ in spans)), rest_ms))
    print(row("during switches", within(load, (switch for _, switch in spans)), rest_ms))
    print(f"  WebSockets         {sockets}")


if __name__ == "__main__":
    main()
