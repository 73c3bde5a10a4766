"""Layers that were sent, kept on this machine: what a later push makes differences from.

The engine gives an old layer only with the whole of an old image, which takes seconds, and not at all once it is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

MOST_BYTES = 2 << 30
"""Of all layers together; those that were not of use for the longest time go first."""
RESERVE_BYTES = 8 << 30
"""Nothing is kept on a disk with less than this to spare."""


def cache_folder() -> Path:
    """Where programs keep what they can do without (XDG Base Directory specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "windlass" / "layers"


class LayerCache:
    """Layers by diff id, as plain tars."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, diff_id: str) -> bool:
        return self._file(diff_id).is_file()

    def read(self, diff_id: str) -> bytes | None:
        """A layer; None when it is not there, or no longer what it was."""
        try:
            content = self._file(diff_id).read_bytes()
        except OSError:
            return None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != diff_id:
            self._file(diff_id).unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            self._file(diff_id).touch()
        return content

    def keep(self, diff_id: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks as they come, kept as the layer once all have passed. A disk that refuses stops nothing."""
        copy = None if self.has(diff_id) else self._begin()
        try:
            for chunk in chunks:
                if copy:
                    copy = _written(copy, chunk)
                yield chunk
            if copy:
                with contextlib.suppress(OSError):
                    copy.close()
                    Path(copy.name).rename(self._file(diff_id))
                    self._trim()
        finally:
            if copy:
                with contextlib.suppress(OSError):
                    copy.close()
                Path(copy.name).unlink(missing_ok=True)

    def _begin(self) -> IO[bytes] | None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free < RESERVE_BYTES:
                return None
            return tempfile.NamedTemporaryFile(dir=self._folder, delete=False)  # closed by `keep`
        except OSError:
            return None

    def _file(self, diff_id: str) -> Path:
        return self._folder / diff_id.partition(":")[2]

    def _trim(self) -> None:
        files = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        total = 0
        for file in files:
            total += file.stat().st_size
            if total > MOST_BYTES:
                file.unlink(missing_ok=True)


def _written(copy: IO[bytes], chunk: bytes) -> IO[bytes] | None:
    """The copy with a chunk more; None, and nothing of it left, when the disk refuses."""
    try:
        copy.write(chunk)
    except OSError:
        with contextlib.suppress(OSError):
            copy.close()
        Path(copy.name).unlink(missing_ok=True)
        return None
    return copy
