"""A stream on its way, from wherever an earlier attempt ended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy.push.stream import Frame
from deploy.ui import Step
from deploy.ui.units import size

CHUNK_BYTES = 1 << 20


@dataclass
class Tally:
    """What crossed the wire, whatever came of it."""

    sent_bytes: int = 0


class Outgoing:
    """The bytes of a stream. `total` is about what they stand for, in bytes uncompressed."""

    def __init__(
        self, make: Callable[[], Iterator[Frame]], total: int, tally: Tally, step: Step, *, framed: bool
    ) -> None:
        self._make = make
        self._stream = make()
        self._total = total
        self._tally = tally
        self._step = step
        self._framed = framed
        self._plain = 0
        self._rest = b""

    def skip(self, have: int, digest: str) -> int:
        """Pass over what the other side has. Returns how much that is: nothing when it is not what we would send."""
        passed, found = 0, hashlib.sha256()
        while passed < have and (data := next(self._frames(), b"")):
            part = data[: have - passed]
            self._rest = data[len(part) :]
            found.update(part)
            passed += len(part)
        if have and (passed < have or found.hexdigest() != digest):
            self._stream, self._plain, self._rest = self._make(), 0, b""
            return 0
        return have

    def chunks(self) -> Iterator[bytes]:
        """The rest of the stream."""
        yield from self._parts(self._rest)
        for data in self._frames():
            yield from self._parts(data)

    def _frames(self) -> Iterator[bytes]:
        for frame in self._stream:
            self._plain += frame.plain_bytes
            yield (frame.head if self._framed else b"") + frame.data

    def _parts(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES]
            # before it is: of one that the host does not take, nobody knows how much arrived
            self._tally.sent_bytes += len(chunk)
            yield chunk
            total = max(self._total, self._plain)
            self._step.show(f"{size(self._tally.sent_bytes)} sent for {size(self._plain)} of about {size(total)}")
