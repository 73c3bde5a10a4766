"""Work that begins in order, and goes on side by side."""

from __future__ import annotations

import threading

from deploy.release.parallel import Parallel
from deploy.release.turns import Turns


def test_each_begins_when_the_one_before_it_says_so_and_all_go_on_together() -> None:
    turns, begun, all_begun = Turns("abcde"), list[str](), threading.Barrier(5)

    def work(item: str) -> None:
        assert turns.wait(item)
        begun.append(item)
        turns.passed(item)
        all_begun.wait(10)

    Parallel[str, None](work, at_once=5).run("abcde")

    assert begun == [*"abcde"]


def test_none_begins_after_one_that_could_not() -> None:
    turns, begun = Turns("abcde"), list[str]()

    def work(item: str) -> None:
        if not turns.wait(item):
            return
        begun.append(item)
        if item == "c":
            turns.end()
        else:
            turns.passed(item)

    Parallel[str, None](work, at_once=5).run("abcde")

    assert begun == [*"abc"]


def test_a_turn_that_is_passed_twice_is_passed_once() -> None:
    turns = Turns("abc")
    turns.passed("a")
    turns.passed("a")
    assert turns.wait("b")
    turns.end()
    assert not turns.wait("c")
