"""An archive that is put together here: when it is, and what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.model.image import Image, Instruction
from deploy.push import remade as module
from deploy.push.remade import MOST_BYTES, Remade, UnavailableError, remade
from deploy.shell import LocalShell

AT = datetime(2026, 11, 24, tzinfo=UTC)
BASE = Instruction("COPY base /", AT, 50_000_000)
THERE = [("sha256:base",)]


def image(top: str = "sha256:top", **changes: Any) -> Image:
    document: dict[str, Any] = {
        "Architecture": "amd64",
        "Os": "linux",
        "RootFS": {"Layers": ["sha256:base", top]},
        "GraphDriver": {"Data": {"UpperDir": "/x"}},
    }
    return Image(document | changes)


def history(top_bytes: int) -> tuple[Instruction, ...]:
    return BASE, Instruction("COPY app.py /", AT, top_bytes)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def asked_for(monkeypatch: pytest.MonkeyPatch, found: Mapping[str, bytes] | None) -> list[list[str]]:
    """What layers are asked for, with `found` as the answer."""
    asked: list[list[str]] = []

    def answer(_: LocalShell, __: Image, wanted: list[str]) -> Mapping[str, bytes] | None:
        asked.append(wanted)
        return found if found is None else {one: found[one] for one in wanted}

    monkeypatch.setattr(module, "top_layers", answer)
    return asked


def make(images: Mapping[str, Image], pool: ThreadPoolExecutor, top_bytes: int = 13) -> Remade | None:
    return remade(LocalShell(), images, dict.fromkeys(images, history(top_bytes)), THERE, pool)


def test_it_holds_the_layers_that_the_host_lacks(monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor) -> None:
    asked = asked_for(monkeypatch, {"sha256:top": b"tar"})
    archive = make({"app:2": image(), "worker:2": image()}, pool)

    assert archive
    files = {member.name: b"".join(member.chunks()) for member in archive.members()}
    assert files["blobs/sha256/top"] == b"tar"
    assert "blobs/sha256/base" not in files
    assert [one["RepoTags"] for one in json.loads(files["manifest.json"])] == [["app:2"], ["worker:2"]]
    assert asked == [["sha256:top"], []], "a layer is asked for once"


def test_it_can_be_read_again(monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor) -> None:
    """A stream that was cut is made again from its begin."""
    asked_for(monkeypatch, {"sha256:top": b"tar"})
    archive = make({"app:2": image()}, pool)
    assert archive
    once, again = ([(one.header, *one.chunks()) for one in archive.members()] for _ in range(2))
    assert once == again


def test_layers_that_the_engine_does_not_give_are_an_error(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    asked_for(monkeypatch, None)
    archive = make({"app:2": image()}, pool)
    assert archive
    with pytest.raises(UnavailableError):
        list(archive.members())


def test_it_is_not_made_of_much_or_of_what_is_not_known(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    asked = asked_for(monkeypatch, {})
    assert make({"app:2": image()}, pool, top_bytes=MOST_BYTES + 1) is None
    assert make({"app:2": image(GraphDriver=None)}, pool) is None, "containerd's store"
    assert remade(LocalShell(), {"app:2": image()}, {"app:2": (BASE,)}, THERE, pool) is None, "no whole history"
    assert asked == []
