"""A link to measure over: a TCP relay that limits the rate, adds delay, and counts every byte.

    python -m bench.link LISTEN_PORT HOST PORT [MBIT_PER_S ONE_WAY_MS]

It ends each connection itself and opens its own to the host, so TCP's own reactions to delay stay out of the figures;
what SSH does with round trips is in them. Writes the bytes so far to standard output whenever a line is read.
"""

from __future__ import annotations

import asyncio
import sys
import time

CHUNK_BYTES = 1 << 16


class Pipe:
    """One direction of the link, shared by its connections as a wire is."""

    def __init__(self, bytes_per_s: float, delay_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._delay_s = delay_s
        self._free_at = 0.0
        self.carried = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Everything from one side to the other, until its end."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        delivery = asyncio.create_task(self._deliver(late, writer))
        try:
            while chunk := await reader.read(CHUNK_BYTES if not self._bytes_per_s else 1 << 14):
                self.carried += len(chunk)
                if self._bytes_per_s:
                    now = time.monotonic()
                    self._free_at = max(now, self._free_at) + len(chunk) / self._bytes_per_s
                    await asyncio.sleep(max(self._free_at - now, 0))
                await late.put((time.monotonic() + self._delay_s, chunk))
        except OSError:
            pass
        await late.put((0, b""))
        await delivery

    async def _deliver(self, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                due, chunk = await late.get()
                if not chunk:
                    break
                if (wait := due - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            while (await late.get())[1]:
                pass


async def relay(listen: int, host: str, port: int, mbit_per_s: float, one_way_ms: float) -> None:
    """Serve until standard input ends."""
    rate, delay = mbit_per_s * 1e6 / 8, one_way_ms / 1000
    there, back = Pipe(rate, delay), Pipe(rate, delay)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # the handshake
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:  # nobody listens there, which whoever asks shall see
            writer.close()
            return
        await asyncio.gather(there.carry(reader, far_writer), back.carry(far_reader, writer))
        for end in (far_writer, writer):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", listen)
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(there.carried + back.carried, flush=True)
    server.close()


if __name__ == "__main__":
    listen, host, port, *speed = sys.argv[1:]
    asyncio.run(relay(int(listen), host, int(port), *(float(one) for one in speed or ("0", "0"))))
