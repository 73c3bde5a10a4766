"""What of an image is sent: layers the host lacks, in a stream that is the same every time."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.model.layers import Resemblance, not_needed, resemblances, shared
from deploy.push.archive import Member, blobs_of_layers, members
from deploy.push.outgoing import Outgoing, Tally
from deploy.push.stream import Base, Frame, Saved, frames, recipe
from deploy.shell import LocalShell, Process
from deploy.ui import Step

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.mark.parametrize(
    ("layers", "host", "expected"),
    [
        ("abc", [], 0),
        ("abc", ["xyz"], 0),
        ("abc", ["ab"], 2),
        ("abc", ["a", "abx", "bc"], 2),
        ("abc", ["abcd"], 3),
        ("abc", ["bc"], 0),
        ("", ["a"], 0),
    ],
)
def test_layers_are_shared_from_the_base_up_only(layers: str, host: list[str], expected: int) -> None:
    assert shared(tuple(layers), [tuple(one) for one in host]) == expected


def test_a_layer_that_one_image_needs_elsewhere_is_sent() -> None:
    """`b` is there over `a`, and not over `x`."""
    assert not_needed({"one": ("a", "b"), "two": ("x", "b")}, [("a", "b")]) == {"a"}


def test_layers_resemble_what_stood_in_their_place() -> None:
    assert resemblances(("a", "b2", "c2", "d"), ("a", "b1", "c1"), "old") == (
        Resemblance("b2", "b1", "old"),
        Resemblance("c2", "c1", "old"),
    )


class Tar(Process):
    """An archive as a process that writes it."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def write(self, data: bytes) -> None:  # noqa: ARG002  # as the protocol has it
        raise BrokenPipeError

    def close_stdin(self) -> None:
        pass

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def read_stderr(self, size: int) -> bytes:  # noqa: ARG002  # as the protocol has it
        return b""

    def wait(self) -> int:
        return 0

    def kill(self) -> None:
        pass

    def close(self) -> None:
        pass


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def archive(files: Mapping[str, bytes], mtime: int = 0) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), mtime
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def blob(content: bytes) -> tuple[str, bytes]:
    return f"blobs/sha256/{digest(content).partition(':')[2]}", content


def files_of(data: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            found[entry.name] = content.read() if content else b""
    return found


RANDOM = random.Random(1)  # noqa: S311  # a layer that does not compress, the same in every run
OLD = RANDOM.randbytes(6 << 20)
NEW = OLD[: 3 << 20] + RANDOM.randbytes(1 << 18) + OLD[3 << 20 :]
BASE, TOP = b"base" * 1000, b"top" * 1000
FILES = dict([blob(BASE), blob(NEW), blob(TOP), ("manifest.json", b"[]")])


class FakeSaved(Saved):
    """An archive that no engine wrote."""

    def __init__(self, data: bytes) -> None:
        super().__init__(LocalShell(), ())
        self._data = data

    def members(self) -> Iterator[Member]:
        return members(Tar(self._data))


def stream(data: bytes, without: frozenset[str] = frozenset(), bases: Mapping[str, Base] | None = None) -> list[Frame]:
    return list(frames(FakeSaved(data), None, without, bases or {}))


def plain(frame: Frame) -> bytes:
    return zstd.decompress(frame.data)


def test_what_the_host_has_is_left_out_and_the_rest_is_whole() -> None:
    sent = b"".join(plain(frame) for frame in stream(archive(FILES), frozenset({digest(BASE)})))

    name, _ = blob(BASE)
    assert files_of(sent) == {other: content for other, content in FILES.items() if other != name}


def test_the_same_images_make_the_same_stream() -> None:
    assert stream(archive(FILES, mtime=1)) == stream(archive(FILES, mtime=2))


def test_a_layer_that_resembles_one_of_the_hosts_is_sent_as_its_difference() -> None:
    found = stream(archive(FILES), frozenset(), {digest(NEW): Base(digest(OLD), lambda: OLD)})

    deltas = [frame for frame in found if frame.against]
    assert [frame.against for frame in deltas] == [digest(OLD)]
    assert len(deltas[0].data) < 1 << 19, "a quarter of a megabyte is new"
    prefix = zstd.ZstdDict(OLD, is_raw=True).as_prefix
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 31}
    whole = b"".join(
        zstd.decompress(frame.data, zstd_dict=prefix, options=options) if frame.against else plain(frame)
        for frame in found
    )
    assert files_of(whole) == FILES


def test_a_delta_that_saves_too_little_or_has_no_base_is_not_sent() -> None:
    other = RANDOM.randbytes(6 << 20)
    for base in (Base(digest(other), lambda: other), Base(digest(OLD), lambda: None)):
        assert [frame.against for frame in stream(archive(FILES), frozenset(), {digest(NEW): base})] == [""] * 3


@pytest.mark.skipif(not shutil.which("zstd"), reason="the zstd that a host has is not on this machine")
def test_the_tool_on_the_host_takes_our_deltas(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(OLD)
    found = stream(archive(FILES), frozenset(), {digest(NEW): Base(digest(OLD), lambda: OLD)})
    delta = next(frame for frame in found if frame.against)
    done = subprocess.run(
        ["zstd", "-dcq", "--long=31", f"--patch-from={base}"], input=delta.data, capture_output=True, check=True
    )
    assert done.stdout == NEW


def test_a_stream_is_named_by_what_makes_it() -> None:
    names = {
        recipe(["a:1"], [], {}),
        recipe(["a:2"], [], {}),
        recipe(["a:1"], ["sha256:1"], {}),
        recipe(["a:1"], [], {"sha256:1": Base("sha256:2", lambda: b"")}),
    }
    assert len(names) == 4


def test_what_is_sent_counts_although_the_host_refuses_it() -> None:
    tally = Tally()
    for _ in range(2):
        outgoing = Outgoing(lambda: iter([Frame(b"x" * 100, 1000)]), 1000, tally, Step("push"), framed=False)
        next(outgoing.chunks())
    assert tally.sent_bytes == 200


def test_compressed_blobs_are_found_by_the_layers_they_hold() -> None:
    config = json.dumps({"rootfs": {"diff_ids": ["sha256:one", "sha256:two"]}}).encode()
    manifest = json.dumps([{"Config": blob(config)[0], "Layers": ["blobs/sha256/x", "blobs/sha256/y"]}]).encode()
    data = archive(dict([("blobs/sha256/x", b"packed"), blob(config), ("manifest.json", manifest)]))

    assert blobs_of_layers(Tar(data)) == {"sha256:x": "sha256:one", "sha256:y": "sha256:two"}


def test_links_stay_links() -> None:
    link = tarfile.TarInfo("a/layer.tar")
    link.type, link.linkname = tarfile.SYMTYPE, "../b/layer.tar"
    member = Member(link, lambda _: b"")
    again = tarfile.TarInfo.frombuf(member.header, "utf-8", "strict")
    assert (again.name, again.type, again.linkname, member.size) == (link.name, link.type, link.linkname, 0)
