"""The tar that `docker save` writes, member by member, without holding it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, cast

from deploy.shell import Process

BLOBS = "blobs/sha256/"
CHUNK_BYTES = 1 << 20
DOCUMENT_BYTES = 4 << 20
"""What is larger is a layer, not a manifest or a configuration."""
END = bytes(2 * tarfile.BLOCKSIZE)
"""What ends a tar."""


@dataclass(frozen=True)
class Member:
    """An entry of the archive. Its content can be read once, before the next member is asked for."""

    entry: tarfile.TarInfo
    read: Callable[[int], bytes]

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def size(self) -> int:
        """Bytes of content."""
        return self.entry.size if self.entry.isreg() else 0

    @property
    def digest(self) -> str:
        """What its content hashes to; empty for what is not stored under its digest."""
        return f"sha256:{self.name.removeprefix(BLOBS)}" if self.name.startswith(BLOBS) else ""

    @property
    def header(self) -> bytes:
        """A tar header that is the same whenever the content is, so that a stream that was cut can be made again."""
        plain = tarfile.TarInfo(self.name)
        plain.size, plain.type, plain.linkname = self.size, self.entry.type, self.entry.linkname
        return plain.tobuf(tarfile.PAX_FORMAT)

    @property
    def padding(self) -> bytes:
        return bytes(-self.size % tarfile.BLOCKSIZE)

    def chunks(self) -> Iterator[bytes]:
        """The content."""
        while chunk := self.read(CHUNK_BYTES):
            yield chunk


def members(source: Process) -> Iterator[Member]:
    """The entries of an archive, in its order."""
    with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", bufsize=CHUNK_BYTES) as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else None
            yield Member(entry, content.read if content else _nothing)


def _nothing(size: int) -> bytes:  # noqa: ARG001  # reads like a file's `read`
    return b""


def blobs_of_layers(source: Process) -> Mapping[str, str]:
    """The diff id of every layer's blob, by the blob's digest.

    They are the same where the engine keeps layers as plain tars; a containerd image store keeps them compressed.
    """
    documents = {member.name: b"".join(member.chunks()) for member in members(source) if member.size < DOCUMENT_BYTES}
    found = {}
    for image in json.loads(documents["manifest.json"]):
        diff_ids = json.loads(documents[image["Config"]])["rootfs"]["diff_ids"]
        for blob, diff_id in zip(image["Layers"], diff_ids, strict=True):
            found[f"sha256:{blob.removeprefix(BLOBS)}"] = diff_id
    return found
