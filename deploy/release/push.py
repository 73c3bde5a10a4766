"""Images from this machine to the host, over the SSH connection and without a registry."""

from __future__ import annotations

from collections.abc import Iterable

import zstandard

from deploy.engine.images import archive_size, layers
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell import LocalShell, Shell
from deploy.ui import Step
from deploy.ui.units import size

CHUNK_BYTES = 1 << 20
FIRST_WITH_ZSTD = 23
LEVEL = 3  # about the speed of `docker save` itself on one core


def push_images(local: LocalShell, host: Shell, references: Iterable[str], step: Step, *, engine: str) -> int:
    """Send images in one stream and see that they arrived whole. Returns the bytes that crossed the wire.

    `engine` is the version of the host's engine: `docker load` reads zstd from 23.0 on. Raises DeployError when an
    image is not the same on both sides afterwards.
    """
    wanted = tuple(references)
    if not wanted:
        return 0
    total = archive_size(local, wanted)
    sent = 0
    level = LEVEL if int(engine.partition(".")[0] or 0) >= FIRST_WITH_ZSTD else None
    compressor = zstandard.ZstdCompressor(level=level, threads=-1).compressobj() if level else None
    with (
        local.start(Command("docker", "save", *wanted)) as source,
        host.start(Command("docker", "load", "--quiet")) as sink,
    ):
        read = 0
        try:
            while chunk := source.read(CHUNK_BYTES):
                read += len(chunk)
                packed = compressor.compress(chunk) if compressor else chunk
                if packed:
                    sink.write(packed)
                    sent += len(packed)
                step.show(f"{size(read)} of about {size(total)}, {size(sent)} sent")
            rest = compressor.flush() if compressor else b""
            sink.write(rest)
            sent += len(rest)
            sink.close_stdin()
        except BrokenPipeError:
            pass  # the host's side ended early: it says why below
        complaint = sink.read_stderr(1 << 16).decode(errors="replace")
        if sink.wait():
            raise DeployError(
                f"{host.name}: docker load failed", "see above; often the disk is full", details=complaint
            )
        if source.wait():
            raise DeployError(
                "docker save failed on this machine", details=source.read_stderr(1 << 16).decode(errors="replace")
            )
    _verify(local, host, wanted)
    return sent


def _verify(local: Shell, host: Shell, references: tuple[str, ...]) -> None:
    """Layers are named by their content: equal lists are equal images, on either kind of image store."""
    here, there = layers(local, references), layers(host, references)
    wrong = [reference for reference in references if here.get(reference) != there.get(reference)]
    if wrong:
        raise DeployError(f"{host.name}: {', '.join(wrong)} did not arrive whole", "run the command again")
