"""Sending images to a host, and seeing that they arrived whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from deploy.engine.images import history, inspect, parse_images
from deploy.model.command import Command
from deploy.model.errors import DeployError, LinkLostError
from deploy.model.image import Image, Instruction, layer_sizes
from deploy.model.layers import Layers, Resemblance, not_needed, shared
from deploy.push.bases import alike, hexadecimal, lay_out
from deploy.push.cache import LayerCache, cache_folder
from deploy.push.outgoing import Outgoing, Tally
from deploy.push.packing import Packing
from deploy.push.remade import UnavailableError, remade
from deploy.push.stream import Archive, Base, Frame, Saved, frames, recipe
from deploy.shell import LocalShell, Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step


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
    containerd: bool = False
    """Whether its engine keeps images in containerd's store."""
    guard: Callable[[Command], Command] = field(default=lambda command: command)
    """Makes a command wait for others of ours that change the host."""


@dataclass(frozen=True)
class Sent:
    """How a push went."""

    sent_bytes: int = 0
    notes: tuple[str, ...] = ()
    """What did not go as it should have, in sentences."""


@dataclass(frozen=True)
class _Parcel:
    """What one attempt sends."""

    images: Mapping[str, Image]
    archive: Archive
    names: Mapping[str, str] | None = None
    without: frozenset[str] = frozenset()
    bases: Mapping[str, Base] = field(default_factory=dict)
    alike: tuple[Resemblance, ...] = ()
    cache: LayerCache | None = None

    def stream(self) -> Generator[Frame]:
        return frames(self.archive, self.names, self.without, self.bases, self.cache)

    def received_by(self, folder: str) -> Command:
        """What takes it on the host."""
        name = recipe([self.archive.kind, *self.images], self.without, self.bases)
        pairs = sorted({(one.image, hexadecimal(one.old)) for one in self.alike})
        words = (word for pair in pairs for word in pair)
        return packaged("push", "receive.sh", folder, name, ",".join(self.images), *words)

    def wrong(self, there: Mapping[str, Image]) -> Iterator[str]:
        """The images that the host does not have as we do.

        Layers are named by their content: equal lists are equal images, on either kind of image store, as long as their
        configuration was the original.
        """
        for reference, image in self.images.items():
            other = there.get(reference)
            same = other and (other.layers == image.layers if self.archive.original else other.essence == image.essence)
            if not same:
                yield reference


def push_images(
    local: LocalShell,
    to: Receiver,
    references: Iterable[str],
    step: Step,
    *,
    earlier: Mapping[str, Sequence[str]],
    packing: Packing | None = None,
) -> Sent:
    """Send what the host lacks of these images.

    `earlier` names, for each image, those that the host may have of earlier builds of it. `packing` is shared with
    pushes of the same images to other hosts. Raises LinkLostError when the
    connection breaks: the next push of the same goes on from there. Raises DeployError when the host cannot take the
    images, or does not have the same as we do afterwards.
    """
    wanted = tuple(references)
    if not wanted:
        return Sent()
    if packing is None:
        with Packing(local) as own:
            return push_images(local, to, wanted, step, earlier=earlier, packing=own)
    candidates = {one: tuple(old for old in earlier.get(one, ()) if old in to.layers) for one in wanted}
    here = inspect(packing.local, [*wanted, *(old for others in candidates.values() for old in others)])
    if absent := [one for one in wanted if one not in here]:
        raise DeployError(f"{local.name} does not have {', '.join(absent)}", "build or pull it, then run this again")
    images = {one: here[one] for one in wanted}
    histories = {one: history(packing.local, one) for one in wanted}
    errand = _Errand(local, packing.local, to, images, histories, LayerCache(cache_folder()), candidates, here)
    tally, refusals = Tally(), list[DeployError]()
    for parcel, stream in packing.parcels(errand.key, errand.parcels):
        outgoing = Outgoing(stream, errand.lacked_bytes, tally, step, framed=bool(parcel.bases))
        try:
            _send(to, parcel, outgoing)
        except LinkLostError:
            raise
        except UnavailableError:
            continue
        except DeployError as error:
            # an image store may not take an archive with gaps, or a base may be another one than its name says
            step.show(f"{error.message}: sending more")
            refusals.append(error)
        else:
            return Sent(tally.sent_bytes, tuple(f"{one.message}: more was sent instead" for one in refusals))
    raise refusals[-1]


@dataclass(frozen=True)
class _Errand:
    """What is to be brought, and what is known of it."""

    local: LocalShell
    asked: LocalShell
    """The same machine, as far as it only answers."""
    to: Receiver
    images: Mapping[str, Image]
    histories: Mapping[str, Sequence[Instruction]]
    cache: LayerCache
    candidates: Mapping[str, Sequence[str]]
    """For each image the earlier builds of it that the host has."""
    here: Mapping[str, Image]
    """What this machine has of all these."""

    @property
    def lacked_bytes(self) -> int:
        return _lacked(self.images, self.histories, self.to.layers.values())

    @property
    def key(self) -> Hashable:
        """Equal for hosts that get the same parcels: all that `parcels` asks of the host."""
        there = self.to.layers.values()
        had = tuple(shared(image.layers, there) for image in self.images.values())
        return tuple(self.images), had, self.without, self.resembling, self.to.containerd

    @cached_property
    def unpacked(self) -> bool:
        return all(image.unpacked for image in self.images.values()) or not _containerd(self.asked)

    @cached_property
    def resembling(self) -> tuple[Resemblance, ...]:
        """Layers that are sent as their difference from another, at most."""
        found: dict[str, Resemblance] = {}
        if self.unpacked and self.to.zstd:
            for reference, image in self.images.items():
                earlier, told = self.candidates[reference], self.histories[reference]
                for one in alike(image, told, earlier, self.here, self.to.layers, self.cache, self.to.memory_bytes):
                    found.setdefault(one.new, one)
        return tuple(found.values())

    @property
    def without(self) -> frozenset[str]:
        """Layers that need not be sent."""
        return not_needed({one: image.layers for one, image in self.images.items()}, self.to.layers.values())

    def parcels(self, folder: Path, pool: Executor) -> Iterator[_Parcel]:
        """The ways to send it, the cheapest first and the surest last."""
        local, images, cache, found = self.local, self.images, self.cache, self.resembling
        if not found and not self.to.containerd:
            archive = remade(local, images, self.histories, self.to.layers.values(), pool)
            if archive:
                yield _Parcel(images, archive)
        saved = Saved(local, tuple(images))
        names = None if self.unpacked else saved.layers()
        without = self.without
        reduced = _Parcel(images, saved, names, without, lay_out(local, found, cache, folder, pool), found, cache)
        yield reduced
        if reduced.without or reduced.bases:
            yield _Parcel(images, saved, names, cache=cache)


def _send(to: Receiver, parcel: _Parcel, outgoing: Outgoing) -> None:
    """One stream to its end. Raises LinkLostError or DeployError."""
    with to.shell.start(to.guard(parcel.received_by(to.folder))) as sink:
        have, digest = sink.read_line().split() or ("0", "")
        try:
            kept = outgoing.skip(int(have), digest)
            sink.write(f"{kept}\n".encode())
            for chunk in outgoing.chunks():
                sink.write(chunk)
            sink.close_stdin()
        except BrokenPipeError:
            pass  # the host's side ended early: it says why below
        arrived = sink.read_all()
        complaint = sink.read_stderr(1 << 16).decode(errors="replace")
        if sink.wait():
            to.shell.run(Command("rm", "-rf", "--", to.folder), check=False)
            raise DeployError(
                f"{to.shell.name}: docker load failed", "see above; often the disk is full", details=complaint
            )
    if wrong := list(parcel.wrong(parse_images(arrived, parcel.images))):
        raise DeployError(f"{to.shell.name}: {', '.join(wrong)} did not arrive whole", "run the command again")


def lacked_bytes(local: LocalShell, references: Iterable[str], there: Collection[Layers]) -> int:
    """About how many bytes of layers, uncompressed and each once, a host lacks of images that this machine has."""
    images = inspect(local, references)
    lacking = {one: image for one, image in images.items() if shared(image.layers, there) < len(image.layers)}
    return _lacked(lacking, {one: history(local, one) for one in lacking}, there)


def _lacked(
    images: Mapping[str, Image], histories: Mapping[str, Sequence[Instruction]], there: Collection[Layers]
) -> int:
    lacked: dict[str, int] = {}
    for reference, image in images.items():
        above = image.layers[shared(image.layers, there) :]
        lacked |= zip(reversed(above), layer_sizes(image.layers, histories[reference]), strict=False)
    return sum(lacked.values())


def _containerd(shell: Shell) -> bool:
    """Whether an engine keeps images in containerd's store, where a layer's blob is not its plain tar."""
    done = shell.run(Command("docker", "info", "--format", "{{json .DriverStatus}}"), check=False)
    return "io.containerd.snapshotter" in done.stdout
