"""What an engine tells of an image, and its configuration made again from that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.model.layers import Layers

_WITHOUT_LAYER = {"ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER"} | {
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
}
_SETS_ONLY = "#(nop)"
"""Stands before an instruction that runs nothing, in what the builder before BuildKit wrote."""


@dataclass(frozen=True)
class Image:
    """An image as `docker image inspect` shows it."""

    document: Mapping[str, Any]

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.document.get("RepoTags") or ())

    @property
    def layers(self) -> Layers:
        return tuple(self.document["RootFS"].get("Layers") or ())

    @property
    def platform(self) -> str:
        """What it runs on: `linux/arm64`."""
        return f"{self.document.get('Os', '')}/{self.document.get('Architecture', '')}"

    @property
    def unpacked(self) -> bool:
        """Whether its engine is known to keep layers unpacked, and not as blobs in containerd's store."""
        return bool((self.document.get("GraphDriver") or {}).get("Data"))

    @property
    def essence(self) -> Mapping[str, Any]:
        """All that a container of it depends on, written the same by every version of the engine."""
        names = ("Architecture", "Variant", "Os", "OsVersion")
        about = {name: self.document[name] for name in names if self.document.get(name)}
        return about | {"layers": self.layers, "Config": _stated(self.document.get("Config") or {})}


def _stated(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says: versions of the engine differ in which of the blank fields they write."""
    return {name: value for name, value in config.items() if value not in (None, "", False, [], {})}


@dataclass(frozen=True)
class Instruction:
    """An entry of an image's history."""

    created_by: str
    created_at: datetime
    size_bytes: int
    comment: str = ""

    @property
    def makes_layer(self) -> bool:
        """Whether a layer came of it; the history that the engine shows does not say."""
        words = self.created_by.rpartition(_SETS_ONLY)[2].split(maxsplit=1)
        return self.size_bytes > 0 or not words or words[0] not in _WITHOUT_LAYER


def layer_sizes(layers: Layers, history: Sequence[Instruction]) -> tuple[int, ...]:
    """About how large the layers of an image are, in bytes uncompressed, as far as can be told, from the top down."""
    made = [one.size_bytes for one in history if one.makes_layer]
    if len(made) != len(layers):
        made = [one.size_bytes for one in history if one.size_bytes]
    return tuple(reversed(made))


def configuration(image: Image, history: Sequence[Instruction]) -> bytes | None:
    """A configuration (OCI image specification) that makes the same containers as the image's own.

    The engine hands out the original only with the whole image. Its fields are all told by `docker image inspect`; the
    times in the history are told to the second. None when the history and the layers do not fit together.
    """
    if sum(one.makes_layer for one in history) != len(image.layers):
        return None
    told = image.document
    found = {
        "architecture": told.get("Architecture"),
        "variant": told.get("Variant"),
        "os": told.get("Os"),
        "os.version": told.get("OsVersion"),
        "author": told.get("Author"),
        "created": told.get("Created"),
        "config": _stated(told.get("Config") or {}),
        "rootfs": {"type": "layers", "diff_ids": list(image.layers)},
        "history": [_entry(one) for one in history],
    }
    return json.dumps(_stated(found), sort_keys=True, separators=(",", ":")).encode()


def _entry(one: Instruction) -> dict[str, Any]:
    entry = {
        "created": one.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "created_by": one.created_by,
        "comment": one.comment,
        "empty_layer": not one.makes_layer,
    }
    return _stated(entry)


def archive_of(
    images: Mapping[str, Image], configurations: Mapping[str, bytes], blobs: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """The files of an archive for `docker load`: images by reference, with those of their layers that `blobs` holds.

    `blobs` are by diff id. The engine looks for no file of a layer that it has.
    """
    files = {_path(diff_id): content for diff_id, content in blobs.items()}
    entries = []
    for reference, image in images.items():
        config = _path(hashlib.sha256(configurations[reference]).hexdigest())
        files[config] = configurations[reference]
        entries.append({"Config": config, "RepoTags": [reference], "Layers": [_path(one) for one in image.layers]})
    return files | {"manifest.json": json.dumps(entries).encode()}


def _path(diff_id: str) -> str:
    return f"blobs/sha256/{diff_id.rpartition(':')[2]}"
