"""Reading the small text files that people write, with an error that says why one cannot be read."""

from __future__ import annotations

import stat
from pathlib import Path

from deploy.model.errors import UsageError

MOST_BYTES = 4 << 20
"""More than any compose or env file of a person has: what is larger is something else under that name."""
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_file(path: Path, *, most_bytes: int = MOST_BYTES, said: str = "") -> bytes:
    """The content of a regular file. `said` is where somebody named it, for the message.

    Raises UsageError for one that is not there, is no file, is larger than `most_bytes` or may not be read; a pipe is
    never waited for, and of a large file nothing is read.
    """
    where = f"{said}: {path}" if said else str(path)
    remedy = f"correct its path in {said.partition(':')[0]}" if said else "mend that first: nothing was done"
    try:
        found = path.stat()
        for is_kind, kind in _KINDS:
            if is_kind(found.st_mode):
                raise UsageError(f"{where} is {kind}, not a file", remedy)
        if found.st_size > most_bytes:
            raise UsageError(
                f"{where} is {_size(found.st_size)}, and no file of its kind is larger than {_size(most_bytes)}",
                "look what it is: something else was written there",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a path may hold a NUL byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{where} cannot be read: {reason}", remedy) from error


def read_text(path: Path, *, most_bytes: int = MOST_BYTES, said: str = "") -> str:
    """The same as text, without a byte order mark. Raises UsageError for what is not UTF-8, and for a NUL byte."""
    content = read_file(path, most_bytes=most_bytes, said=said)
    where = f"{said}: {path}" if said else str(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{where}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8",
            f"save it as UTF-8, for example: iconv -f latin1 -t utf-8 {path.name}",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{where}, line {line}: a NUL byte, which no text has", "remove it, or save the file anew")
    return text


def _size(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MB" if size_bytes >= 1 << 20 else f"{size_bytes >> 10} KB"
