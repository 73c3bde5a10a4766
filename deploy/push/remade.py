"""An archive of images put together here, from their configuration and the few layers that a host lacks."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor

from deploy.model.errors import DeployError
from deploy.model.image import Image, Instruction, archive_of, configuration, layer_sizes
from deploy.model.layers import Layers, shared
from deploy.push.archive import Member
from deploy.push.stream import Archive
from deploy.push.tops import top_layers
from deploy.shell import LocalShell

MOST_BYTES = 16 << 20
"""Of layers together. The engine compresses them on the way to us: for more, `docker save` is quicker."""


class UnavailableError(DeployError):
    """The layers cannot be had from this engine in this way."""


class Remade(Archive):
    """Begins to gather the layers when it is made. Raises UnavailableError when read without them."""

    kind, original = "remade", False

    def __init__(
        self,
        shell: LocalShell,
        images: Mapping[str, Image],
        configurations: Mapping[str, bytes],
        there: Collection[Layers],
        pool: Executor,
    ) -> None:
        self._shell = shell
        self._images = images
        self._configurations = configurations
        self._there = there
        self._layers = pool.submit(self._gather)

    def members(self) -> Iterator[Member]:
        for name, content in archive_of(self._images, self._configurations, self._layers.result()).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            yield Member(entry, io.BytesIO(content).read)

    def _gather(self) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for image in self._images.values():
            lacked = image.layers[shared(image.layers, self._there) :]
            layers = top_layers(self._shell, image, [one for one in lacked if one not in found])
            if layers is None:
                raise UnavailableError("the engine of this machine does not give single layers")
            found |= layers
        return found


def remade(
    shell: LocalShell,
    images: Mapping[str, Image],
    histories: Mapping[str, Sequence[Instruction]],
    there: Collection[Layers],
    pool: Executor,
) -> Remade | None:
    """The archive, where it is small enough for this way and everything in it is known."""
    configurations: dict[str, bytes] = {}
    lacked_bytes = 0
    for reference, image in images.items():
        lacking = len(image.layers) - shared(image.layers, there)
        made = configuration(image, histories[reference])
        if made is None or not image.unpacked:
            return None
        configurations[reference] = made
        lacked_bytes += sum(layer_sizes(image.layers, histories[reference])[:lacking])
    return Remade(shell, images, configurations, there, pool) if lacked_bytes <= MOST_BYTES else None
