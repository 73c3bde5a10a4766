"""Streams that are made once for all hosts that lack the same: images are read and compressed for the first of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from deploy.push.cache import RESERVE_BYTES, cache_folder
from deploy.push.stream import Frame
from deploy.shell import LocalShell
from deploy.shell.remembering import Remembering

MOST_KINDS = 4
"""Of different things that hosts lack: what is kept for each is in memory and on the disk."""
T = TypeVar("T")
Stream = Callable[[], Iterator[Frame]]


class Shared(Generic[T]):
    """What several go through, each from its beginning. An item is made once, by whoever is the first to want it.

    So a slow host does not keep a fast one waiting, and one that breaks off leaves the rest to the others. What was
    raised instead of an item is raised to everybody who comes as far.
    """

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._made: list[T] = []
        self._over = False
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[T]:
        for index in itertools.count():
            with self._lock:
                if index == len(self._made) and not self._make():
                    return
            yield self._made[index]

    def _make(self) -> bool:
        """Whether there is one more."""
        if self._error is not None:
            raise self._error
        if not self._over:
            try:
                self._made.append(next(self._items))
            except StopIteration:
                self._over = True
            except BaseException as error:
                self._error = error
                raise
        return not self._over


@dataclass(frozen=True)
class _Place:
    """Where a frame's bytes are, and the rest of it."""

    at: int
    size: int
    plain_bytes: int
    against: str


class Spool:
    """A stream that is kept in a file without a name: nothing of it stays, whatever becomes of this process."""

    def __init__(self, frames: Generator[Frame], folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by `close`
        self._frames = frames
        self._places = Shared(self._written())

    def _written(self) -> Iterator[_Place]:
        at = 0
        for frame in self._frames:
            self._file.write(frame.data)
            self._file.flush()
            yield _Place(at, len(frame.data), frame.plain_bytes, frame.against)
            at += len(frame.data)

    def stream(self) -> Iterator[Frame]:
        """The whole of it, for one host."""
        for place in self._places:
            data = os.pread(self._file.fileno(), place.size, place.at)
            yield Frame(data, place.plain_bytes, place.against)

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # a second Ctrl-C does not wait for the thread that makes it
            self._frames.close()
        self._file.close()


class Packed(Protocol):
    """What can be sent as one stream."""

    def stream(self) -> Generator[Frame]: ...


P = TypeVar("P", bound=Packed)


class Packing(contextlib.ExitStack):
    """What is sent to one host, or to several at once. A context manager: what was kept for them is gone afterwards."""

    def __init__(self, local: LocalShell, *, for_several: bool = False) -> None:
        super().__init__()
        self.local = Remembering(local)
        """This machine as far as it is only asked about images: none of those that are sent changes meanwhile."""
        self._for_several = for_several
        self._found: dict[Hashable, Shared[Any]] = {}
        self._lock = threading.Lock()
        self._folder = Path(self.enter_context(tempfile.TemporaryDirectory(prefix="windlass-push-")))
        self._pool = self.enter_context(ThreadPoolExecutor(2))

    def parcels(self, key: Hashable, make: Callable[[Path, Executor], Iterator[P]]) -> Iterable[tuple[P, Stream]]:
        """What to try for a host, one after the other, each with its stream; the same for the same key.

        `make` gets a folder and threads that last as long as this does.
        """
        with self._lock:
            if key in self._found:
                return self._found[key]
            kept = self._for_several and len(self._found) < MOST_KINDS
            parcels = Shared(
                (one, self._spooled(one) if kept else one.stream) for one in make(self._folder, self._pool)
            )
            if kept:
                self._found[key] = parcels
            return parcels

    def _spooled(self, parcel: Packed) -> Stream:
        folder = cache_folder().parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < RESERVE_BYTES:
            return parcel.stream
        spool = Spool(parcel.stream(), folder)
        self.callback(spool.close)
        return spool.stream
