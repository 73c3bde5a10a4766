"""Which layers of images a host lacks, and which of its own resemble them.

A store looks a layer up together with everything below it (OCI image specification, "Layer ChainID"): it has a layer of
an image only when it has all layers from the base up to it, in some image. The same layer over other ones must be sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

Layers = tuple[str, ...]
"""The diff ids of an image, from its base up: `sha256:…` of each layer's uncompressed tar."""


def shared(layers: Sequence[str], others: Iterable[Sequence[str]]) -> int:
    """How many layers, from the base up, an image has in common with the nearest of others."""
    return max((sum(1 for _ in takewhile(_equal, zip(layers, other, strict=False))) for other in others), default=0)


def _equal(pair: tuple[str, str]) -> bool:
    return pair[0] == pair[1]


def not_needed(images: Mapping[str, Layers], host: Iterable[Sequence[str]]) -> frozenset[str]:
    """The layers that an archive of these images may lack: those the host has in their place in every image."""
    there = tuple(host)
    had: set[str] = set()
    lacked: set[str] = set()
    for layers in images.values():
        split = shared(layers, there)
        had.update(layers[:split])
        lacked.update(layers[split:])
    return frozenset(had - lacked)


@dataclass(frozen=True)
class Resemblance:
    """A layer to send, and one that the host has which was made by the same instruction of an earlier build."""

    new: str
    old: str
    image: str
    """An image of the host with the old layer."""


def resemblances(new: Layers, old: Layers, image: str) -> tuple[Resemblance, ...]:
    """The layers of two builds of one thing that differ, side by side from the first that does."""
    split = shared(new, [old])
    return tuple(Resemblance(one, other, image) for one, other in zip(new[split:], old[split:], strict=False))
