"""The bytes of a push: an archive for `docker load` without what the host has, compressed, the same every time.

A stream is a series of frames. A plain frame is a zstd frame of a piece of the tar. A delta frame is a layer compressed
against one that the host has; the pieces around it are the tar without it. Frames are told apart by a line before each
only where there are deltas (see `receive.sh`): without any, the stream is zstd that `docker load` reads by itself.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tarfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.push.archive import END, Member, blobs_of_layers, members
from deploy.push.cache import LayerCache
from deploy.shell import LocalShell, Process

LEVEL = 3  # about the speed of `docker save` itself on one core
WINDOW_LOG = 25
PIECE_BYTES = 1 << WINDOW_LOG
LEAST_DELTA_BYTES = 4 << 20
MOST_DELTA_BYTES = 512 << 20
"""Both layers, and as much again for tables, are held in memory on both sides."""
SAMPLES = 24
SAMPLE_BYTES = 256 << 10
WORTH = 0.7  # a delta is sent when it is no larger than about this part of the layer compressed by itself


@dataclass(frozen=True)
class Frame:
    """A piece of the stream."""

    data: bytes
    plain_bytes: int
    """How much of the archive it stands for."""
    against: str = ""
    """The diff id of the layer that a delta is against."""

    @property
    def head(self) -> bytes:
        """The line that stands before it where there are deltas."""
        return f"{'delta' if self.against else 'plain'} {len(self.data)} {self.against.partition(':')[2]}\n".encode()


Job = Callable[[], Frame]


@dataclass(frozen=True)
class Base:
    """A layer that both sides have, to send another as its difference from."""

    diff_id: str
    read: Callable[[], bytes | None]
    """Waits for its content; None when it cannot be had after all."""


class Archive(ABC):
    """Images of this machine as `docker load` takes them."""

    kind: str
    """How it came about: equal kinds of equal images are equal bytes."""
    original: bool
    """Whether the configurations of the images are in it as they are."""

    @abstractmethod
    def members(self) -> Iterator[Member]:
        """Raises DeployError when the engine does not give all of them."""


class Saved(Archive):
    """What `docker save` writes."""

    kind, original = "saved", True

    def __init__(self, shell: LocalShell, references: tuple[str, ...]) -> None:
        self._shell = shell
        self._command = Command("docker", "save", *references)

    def members(self) -> Iterator[Member]:
        with self._shell.start(self._command) as process:
            try:
                yield from members(process)
            except tarfile.ReadError as error:
                self._end(process)
                raise DeployError("docker save wrote something that is no archive") from error
            self._end(process)

    def layers(self) -> Mapping[str, str]:
        """The diff id of every layer's blob, by the blob's digest."""
        with self._shell.start(self._command) as process:
            return blobs_of_layers(process)

    def _end(self, process: Process) -> None:
        while process.read(1 << 16):
            pass
        complaint = process.read_stderr(1 << 16).decode(errors="replace")
        if process.wait():
            raise DeployError(f"'{self._command.title}' failed on this machine", details=complaint)


def frames(
    archive: Archive,
    names: Mapping[str, str] | None,
    without: frozenset[str],
    bases: Mapping[str, Base],
    cache: LayerCache | None = None,
) -> Generator[Frame]:
    """The stream of an archive, compressed on all cores, in order.

    `names` are diff ids by blob, None where they are the same; `without` the diff ids to leave out; `bases` holds the
    layers that the host has to work from, by the diff id of the layer to send. Layers that may be such a base one day
    are kept in the cache.
    """
    yield from _in_order(_jobs(archive, names, without, bases, cache), os.cpu_count() or 1)


def _jobs(
    archive: Archive,
    names: Mapping[str, str] | None,
    without: frozenset[str],
    bases: Mapping[str, Base],
    cache: LayerCache | None,
) -> Iterator[Job]:
    pieces = _Pieces()
    for member in archive.members():
        diff_id = names.get(member.digest, "") if names is not None else member.digest
        if diff_id and diff_id in without:
            continue
        yield from pieces.add(member.header)
        chunks = member.chunks()
        apt = names is None and LEAST_DELTA_BYTES <= member.size <= MOST_DELTA_BYTES
        if apt and diff_id and cache:
            chunks = cache.keep(diff_id, chunks)
        base = bases.get(diff_id) if apt else None
        if base:
            yield from pieces.flush()
            yield partial(delta_frame, b"".join(chunks), base)
        else:
            for chunk in chunks:
                yield from pieces.add(chunk)
        yield from pieces.add(member.padding)
    yield from pieces.add(END)
    yield from pieces.flush()


class _Pieces:
    """Gathers the tar into pieces of one size, each a job to compress."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> Iterator[Job]:
        self._held.append(data)
        self._size += len(data)
        if self._size >= PIECE_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[Job]:
        plain = b"".join(self._held)
        self._held, self._size = [], 0
        if plain:
            yield partial(plain_frame, plain)


def _in_order(jobs: Iterator[Job], workers: int) -> Iterator[Frame]:
    """The results of jobs, some of which are under way while one is used."""
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Frame]] = deque()
        for job in jobs:
            ahead.append(pool.submit(job))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def plain_frame(plain: bytes) -> Frame:
    """A piece of the tar by itself."""
    return Frame(zstd.compress(plain, options=_options(WINDOW_LOG)), len(plain))


def delta_frame(content: bytes, base: Base) -> Frame:
    """A layer against one that resembles it, or by itself when that saves too little."""
    old = base.read()
    if old is None:
        return plain_frame(content)
    prefix = zstd.ZstdDict(old, is_raw=True).as_prefix
    options = _options((len(old) + len(content)).bit_length())
    # finds what is the same over the whole of both; within a piece it takes half as long again and saves 2 %
    options[zstd.CompressionParameter.enable_long_distance_matching] = 1
    delta = Frame(zstd.compress(content, options=options, zstd_dict=prefix), len(content), base.diff_id)
    return delta if len(delta.data) <= WORTH * _alone_bytes(content) else plain_frame(content)


def _alone_bytes(content: bytes) -> int:
    """About how large a layer is compressed by itself, from samples: to do it takes longer than the delta does."""
    starts = range(0, len(content), max(len(content) // SAMPLES, SAMPLE_BYTES))
    samples = [content[start : start + SAMPLE_BYTES] for start in starts]
    return sum(len(plain_frame(one).data) for one in samples) * len(content) // sum(map(len, samples))


def _options(window_log: int) -> dict[int, int]:
    return {
        zstd.CompressionParameter.compression_level: LEVEL,
        zstd.CompressionParameter.window_log: window_log,
        zstd.CompressionParameter.checksum_flag: 1,
    }


def recipe(references: Iterable[str], without: Iterable[str], bases: Mapping[str, Base]) -> str:
    """A name for a stream: equal names are equal bytes, as long as the images are."""
    parts = [*references, "-", *sorted(without), "-", *sorted(f"{new} {base.diff_id}" for new, base in bases.items())]
    return hashlib.sha256("\n".join([zstd.zstd_version, str(LEVEL), *parts]).encode()).hexdigest()[:16]
