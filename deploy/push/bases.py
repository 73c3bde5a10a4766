"""Layers that both sides have, to send others as their difference from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from deploy.model.image import Image, Instruction, layer_sizes
from deploy.model.layers import Layers, Resemblance, resemblances, shared
from deploy.push.cache import LayerCache
from deploy.push.stream import LEAST_DELTA_BYTES, MOST_DELTA_BYTES, Base, Saved
from deploy.shell import LocalShell

MEMORY_FACTOR = 5  # what `zstd --patch-from` was seen to need, in sizes of the layer, with room to spare


def alike(
    image: Image,
    history: Sequence[Instruction],
    earlier: Iterable[str],
    here: Mapping[str, Image],
    there: Mapping[str, Layers],
    cache: LayerCache,
    memory_bytes: int,
) -> tuple[Resemblance, ...]:
    """Layers of an image that are large enough for a delta, each with one that both sides have.

    `earlier` are images that were made as this one was, the likeliest first.
    """
    lacked = reversed(image.layers[shared(image.layers, there.values()) :])
    sizes = dict(zip(lacked, layer_sizes(image.layers, history), strict=False))
    large = {one: size for one, size in sizes.items() if size >= LEAST_DELTA_BYTES}
    if not large or max(large.values()) > min(MOST_DELTA_BYTES, memory_bytes / MEMORY_FACTOR):
        return ()
    for old in earlier:
        if old in there:
            found = tuple(one for one in resemblances(image.layers, there[old], old) if one.new in large)
            if old in here and here[old].layers == there[old]:
                return found
            if cached := tuple(one for one in found if cache.has(one.old)):
                return cached
    return ()


def lay_out(
    local: LocalShell, found: Sequence[Resemblance], cache: LayerCache, folder: Path, pool: Executor
) -> Mapping[str, Base]:
    """The old layers, by the layer each is a base for.

    What the cache does not have the engine writes to `folder`, while the stream is made.
    """
    lacked = [one for one in found if not cache.has(one.old)]
    laid_out = pool.submit(_write, local, lacked, folder)

    def read(old: str) -> bytes | None:
        if (content := cache.read(old)) is not None:
            return content
        laid_out.result()
        file = folder / hexadecimal(old)
        return file.read_bytes() if file.exists() else None

    return {one.new: Base(one.old, partial(read, one.old)) for one in found}


def _write(local: LocalShell, found: Sequence[Resemblance], folder: Path) -> None:
    wanted = {one.old for one in found}
    if not wanted:
        return
    for member in Saved(local, tuple(sorted({one.image for one in found}))).members():
        if member.digest in wanted:
            with (folder / hexadecimal(member.digest)).open("wb") as file:
                file.writelines(member.chunks())


def hexadecimal(diff_id: str) -> str:
    """A digest without its algorithm, as files are named."""
    return diff_id.partition(":")[2]
