"""Streams that several hosts share: made once, whole for each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.model.errors import DeployError
from deploy.push.packing import MOST_KINDS, Packing, Shared, Stream
from deploy.push.stream import Frame
from deploy.shell import LocalShell

FRAMES = [Frame(b"one", 10), Frame(b"two" * 1000, 20, "sha256:old"), Frame(b"", 0), Frame(b"end", 5)]
MADE: Counter[str] = Counter()


class Parcel:
    """A stream that counts how often it is made."""

    def __init__(self, name: str, error: DeployError | None = None) -> None:
        self._name = name
        self._error = error

    def stream(self) -> Generator[Frame]:
        MADE[self._name] += 1
        yield from FRAMES[:2]
        if self._error:
            raise self._error
        yield from FRAMES[2:]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    MADE.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("deploy.push.packing.RESERVE_BYTES", 0)


def streams(packing: Packing, key: str, error: DeployError | None = None) -> Iterator[Stream]:
    """What one host tries."""

    def make(_: Path, __: Executor) -> Iterator[Parcel]:
        MADE[f"{key} made"] += 1
        yield Parcel(key, error)
        yield Parcel(f"{key} whole")

    return (stream for _, stream in packing.parcels(key, make))


def test_hosts_that_lack_the_same_get_one_stream(tmp_path: Path) -> None:
    with Packing(LocalShell(), for_several=True) as packing, ThreadPoolExecutor(8) as hosts:
        got = [*hosts.map(lambda _: [*next(streams(packing, "a"))()], range(20))]

    assert got == [FRAMES] * 20
    assert MADE == {"a": 1, "a made": 1}, "what nobody tried was not made"
    assert [*tmp_path.rglob("*.*")] == [], "nothing stays"


def test_a_host_that_lacks_something_else_gets_its_own() -> None:
    with Packing(LocalShell(), for_several=True) as packing:
        for key in "aab":
            assert [*next(streams(packing, key))()] == FRAMES

    assert (MADE["a"], MADE["b"]) == (1, 1)


def test_no_more_than_a_few_kinds_are_kept() -> None:
    keys = [str(number) for number in range(MOST_KINDS + 2)]
    with Packing(LocalShell(), for_several=True) as packing:
        for key in keys * 2:
            assert [*next(streams(packing, key))()] == FRAMES

    assert [MADE[key] for key in keys] == [1] * MOST_KINDS + [2, 2]


def test_a_disk_that_is_nearly_full_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.push.packing.RESERVE_BYTES", 1 << 60)
    with Packing(LocalShell(), for_several=True) as packing:
        for _ in range(2):
            assert [*next(streams(packing, "a"))()] == FRAMES

    assert MADE["a"] == 2


def test_a_host_that_breaks_off_leaves_the_rest_to_the_others() -> None:
    with Packing(LocalShell(), for_several=True) as packing:
        first = next(streams(packing, "a"))()
        assert next(first) == FRAMES[0]
        first.close()  # type: ignore[attr-defined]  # a generator
        assert [*next(streams(packing, "a"))()] == FRAMES

    assert MADE["a"] == 1


def test_what_went_wrong_is_told_to_every_host_and_the_next_way_is_tried() -> None:
    error = DeployError("docker save failed")
    with Packing(LocalShell(), for_several=True) as packing:
        for _ in range(2):
            one, other = streams(packing, "a", error)
            with pytest.raises(DeployError, match="docker save failed"):
                [*one()]
            assert [*other()] == FRAMES

    assert MADE == {"a made": 1, "a": 1, "a whole": 1}


def test_a_fast_host_does_not_wait_for_a_slow_one() -> None:
    shared = Shared(iter(range(3)))
    slow = iter(shared)
    assert next(slow) == 0
    got: list[int] = []
    fast = threading.Thread(target=lambda: got.extend(shared))
    fast.start()
    fast.join(10)

    assert got == [0, 1, 2]
    assert [*slow] == [1, 2]
