"""Sending images to a host, and seeing that they arrived whole."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from deploy.engine.images import layer_sizes, layers
from deploy.model.command import Command
from deploy.model.errors import DeployError, LinkLostError
from deploy.model.layers import Layers, Resemblance, not_needed, resemblances, shared
from deploy.push.stream import LEAST_DELTA_BYTES, MOST_DELTA_BYTES, Base, Frame, Saved, frames, recipe
from deploy.shell import LocalShell, Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step
from deploy.ui.units import size

CHUNK_BYTES = 1 << 20
MEMORY_FACTOR = 5  # what `zstd --patch-from` was seen to need, in sizes of the layer, with room to spare


@dataclass(frozen=True)
class Receiver:
    """Where images go to."""

    shell: Shell
    folder: str
    """For what has arrived of a stream that was cut."""
    layers: Mapping[str, Layers]
    """The layers of the images that are there, by reference."""
    zstd: bool
    memory_bytes: int
    guard: Callable[[Command], Command] = field(default=lambda command: command)
    """Makes a command wait for others of ours that change the host."""


@dataclass(frozen=True)
class _Parcel:
    """What one attempt sends."""

    references: tuple[str, ...]
    without: frozenset[str] = frozenset()
    bases: Mapping[str, Base] = field(default_factory=dict)
    alike: tuple[Resemblance, ...] = ()

    @property
    def reduced(self) -> bool:
        return bool(self.without or self.bases)

    def received_by(self, folder: str) -> Command:
        """What takes it on the host."""
        name = recipe(self.references, self.without, self.bases)
        pairs = sorted({(one.image, _hexadecimal(one.old)) for one in self.alike})
        return packaged("push", "receive.sh", folder, name, *(word for pair in pairs for word in pair))


def push_images(
    local: LocalShell, to: Receiver, references: Iterable[str], step: Step, *, earlier: Mapping[str, Sequence[str]]
) -> int:
    """Send what the host lacks of these images. Returns the bytes that crossed the wire.

    `earlier` names, for each image, those that the host may have of earlier builds of it. Raises LinkLostError when the
    connection breaks: the next push of the same goes on from there. Raises DeployError when the host cannot take the
    images, or does not have the same as we do afterwards.
    """
    wanted = tuple(references)
    if not wanted:
        return 0
    here = layers(local, wanted)
    without = not_needed(here, to.layers.values())
    with tempfile.TemporaryDirectory(prefix="windlass-push-") as folder, ThreadPoolExecutor(1) as pool:
        alike = _alike(local, to, here, earlier)
        parcel = _Parcel(wanted, without, _bases(local, alike, Path(folder), pool), alike)
        names = Saved(local, wanted).layers() if _compressed_store(local) else None
        total = lacked_bytes(local, wanted, to.layers.values())
        try:
            sent = _send(local, to, parcel, names, total, step)
        except LinkLostError:
            raise
        except DeployError as error:
            if not parcel.reduced:
                raise
            # an image store may not take an archive with gaps, or a base may be another one than its name says
            step.show(f"{error.message}: sending all of it")
            sent = _send(local, to, _Parcel(wanted), names, total, step)
    _verify(local, to.shell, wanted)
    return sent


def _send(
    local: LocalShell, to: Receiver, parcel: _Parcel, names: Mapping[str, str] | None, total: int, step: Step
) -> int:
    """One stream to its end. Raises LinkLostError or DeployError."""

    def stream() -> Iterator[Frame]:
        return frames(Saved(local, parcel.references), names, parcel.without, parcel.bases)

    with to.shell.start(to.guard(parcel.received_by(to.folder))) as sink:
        have, digest = _line(sink.read).split() or ("0", "")
        outgoing = _Outgoing(stream, total, step, framed=bool(parcel.bases))
        try:
            kept = outgoing.skip(int(have), digest)
            sink.write(f"{kept}\n".encode())
            for chunk in outgoing.chunks():
                sink.write(chunk)
            sink.close_stdin()
        except BrokenPipeError:
            pass  # the host's side ended early: it says why below
        complaint = sink.read_stderr(1 << 16).decode(errors="replace")
        if sink.wait():
            to.shell.run(Command("rm", "-rf", "--", to.folder), check=False)
            raise DeployError(
                f"{to.shell.name}: docker load failed", "see above; often the disk is full", details=complaint
            )
    return outgoing.sent


class _Outgoing:
    """The bytes of a stream on their way, from wherever an earlier attempt ended."""

    def __init__(self, make: Callable[[], Iterator[Frame]], total: int, step: Step, *, framed: bool) -> None:
        self._make = make
        self._stream = make()
        self._total = total
        self._step = step
        self._framed = framed
        self._plain = 0
        self._rest = b""
        self.sent = 0

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
            yield chunk
            self.sent += len(chunk)
            total = max(self._total, self._plain)
            self._step.show(f"{size(self.sent)} sent for {size(self._plain)} of about {size(total)}")


def _line(read: Callable[[int], bytes]) -> str:
    line = b""
    while not line.endswith(b"\n") and (more := read(1)):
        line += more
    return line.decode()


def lacked_bytes(local: LocalShell, references: Iterable[str], there: Collection[Layers]) -> int:
    """About how many bytes of layers, uncompressed and each once, a host lacks of images that this machine has."""
    lacked: dict[str, int] = {}
    for reference, own in layers(local, references).items():
        above = own[shared(own, there) :]
        sizes = layer_sizes(local, reference) if above else ()
        lacked |= zip(reversed(above), reversed(sizes), strict=False)
    return sum(lacked.values())


def _alike(
    local: LocalShell, to: Receiver, here: Mapping[str, Layers], earlier: Mapping[str, Sequence[str]]
) -> tuple[Resemblance, ...]:
    """Layers to send that are large enough for a delta, each with one that both sides have."""
    if not to.zstd or _compressed_store(local):
        return ()
    found: dict[str, Resemblance] = {}
    for reference, own in here.items():
        sizes = layer_sizes(local, reference)
        lacking = len(own) - shared(own, to.layers.values())
        large = [one for one in sizes[-lacking:] if one >= LEAST_DELTA_BYTES] if lacking else []
        if not large or max(large) > min(MOST_DELTA_BYTES, to.memory_bytes / MEMORY_FACTOR):
            continue
        for old in earlier.get(reference, ()):
            if old in to.layers and layers(local, [old]).get(old) == to.layers[old]:
                for one in resemblances(own, to.layers[old], old):
                    found.setdefault(one.new, one)
                break
    return tuple(found.values())


def _bases(local: LocalShell, alike: Sequence[Resemblance], folder: Path, pool: Executor) -> Mapping[str, Base]:
    """The old layers, by the layer each is a base for. They are laid out while the stream is made."""
    if not alike:
        return {}
    laid_out = pool.submit(_lay_out, local, alike, folder)

    def read(old: str) -> bytes | None:
        laid_out.result()
        file = folder / _hexadecimal(old)
        return file.read_bytes() if file.exists() else None

    return {one.new: Base(one.old, partial(read, one.old)) for one in alike}


def _lay_out(local: LocalShell, alike: Sequence[Resemblance], folder: Path) -> None:
    wanted = {one.old for one in alike}
    for member in Saved(local, tuple(sorted({one.image for one in alike}))).members():
        if member.digest in wanted:
            with (folder / _hexadecimal(member.digest)).open("wb") as file:
                file.writelines(member.chunks())


def _hexadecimal(diff_id: str) -> str:
    return diff_id.partition(":")[2]


def _compressed_store(shell: Shell) -> bool:
    """Whether an engine keeps images in containerd's store, where a layer's blob is not its plain tar."""
    done = shell.run(Command("docker", "info", "--format", "{{json .DriverStatus}}"), check=False)
    return "io.containerd.snapshotter" in done.stdout


def _verify(local: Shell, host: Shell, references: tuple[str, ...]) -> None:
    """Layers are named by their content: equal lists are equal images, on either kind of image store."""
    here, there = layers(local, references), layers(host, references)
    wrong = [reference for reference in references if here.get(reference) != there.get(reference)]
    if wrong:
        raise DeployError(f"{host.name}: {', '.join(wrong)} did not arrive whole", "run the command again")
