"""Work on several hosts at once."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from deploy.model.errors import DeployError
from deploy.release.parallel import Parallel


def test_every_item_gets_its_result() -> None:
    work = Parallel[str, int](len, at_once=2)
    work.run(["a", "bb", "ccc"])

    assert work.done == {"a": 1, "bb": 2, "ccc": 3}
    assert work.failed == {}


def test_no_more_than_allowed_work_at_the_same_time() -> None:
    at_work, most = [0], [0]
    lock = threading.Lock()
    two = threading.Barrier(2)

    def work(item: int) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        two.wait(10)
        with lock:
            at_work[0] -= 1

    Parallel[int, None](work, at_once=2).run(range(6))

    assert most == [2]


def test_a_failure_leaves_the_others_alone() -> None:
    def work(item: str) -> str:
        if item == "b":
            raise DeployError("no")
        return item

    every = Parallel[str, str](work, at_once=1)
    every.run(["a", "b", "c"])
    heeding = Parallel[str, str](work, at_once=1, heed_failures=True)
    heeding.run(["a", "b", "c"])

    assert (list(every.done), list(every.failed)) == (["a", "c"], ["b"])
    assert (list(heeding.done), list(heeding.failed)) == (["a"], ["b"])


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C is: a test run in the background of a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_reaches_every_worker_and_each_ends_in_its_own_way() -> None:
    undone: list[int] = []
    both = threading.Barrier(3)

    def work(item: int) -> None:
        try:
            both.wait(10)
            while True:
                time.sleep(0.01)
        finally:
            undone.append(item)

    def press() -> None:
        both.wait(10)
        _thread.interrupt_main()

    threading.Thread(target=press).start()
    work_on = Parallel[int, None](work, at_once=2)
    with pytest.raises(KeyboardInterrupt):
        work_on.run([1, 2, 3])

    assert sorted(undone) == [1, 2]
    assert [type(error) for error in work_on.failed.values()] == [KeyboardInterrupt, KeyboardInterrupt]
    assert sorted(work_on.failed) == [1, 2], "the third was never begun"
