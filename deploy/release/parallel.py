"""The same work on several hosts at once: a bounded number of threads, all of which Ctrl-C reaches."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")
LOOK_UP_S = 0.5


class Parallel(Generic[K, T]):
    """Work on items, at most so many of them at the same time.

    `done` and `failed` tell afterwards, and when `run` was interrupted too, what came of those that were begun.
    """

    def __init__(self, work: Callable[[K], T], *, at_once: int, heed_failures: bool = False) -> None:
        """`heed_failures`: when one has failed, those under way go on to their end, and no other is begun."""
        self._work = work
        self._at_once = at_once
        self._heed = heed_failures
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.done: dict[K, T] = {}
        self.failed: dict[K, BaseException] = {}
        self._running: set[_Worker[K, T]] = set()

    @property
    def left(self) -> tuple[K, ...]:
        """Those that were not waited for."""
        return tuple(worker.item for worker in self._running)

    def run(self, items: Sequence[K], on_end: Callable[[], None] = lambda: None) -> None:
        """Return when all that were begun have ended. `on_end` is called in this thread whenever some have.

        KeyboardInterrupt is raised in every worker too, so that each undoes what it has begun, and then to the caller.
        A second one leaves at once.
        """
        waiting = deque(items)
        running = self._running
        try:
            while waiting or running:
                while waiting and len(running) < self._at_once:
                    worker = _Worker(self._work, waiting.popleft(), self._ended)
                    running.add(worker)
                    worker.start()
                self._take(running)
                on_end()
                if self._heed and self.failed:
                    waiting.clear()
        except KeyboardInterrupt as interrupt:
            for worker in running:
                worker.interrupt(interrupt)
            while running:
                self._take(running)
            raise

    def _take(self, running: set[_Worker[K, T]]) -> None:
        """Wait for some to end, and keep what came of them."""
        while not (ended := {worker for worker in running if worker.over}):
            with contextlib.suppress(queue.Empty):  # Ctrl-C may have come between a message and its being heard
                self._ended.get(timeout=LOOK_UP_S)
        for worker in ended:
            if worker.result:
                self.done[worker.item] = worker.result[0]
            else:
                self.failed[worker.item] = worker.error or KeyboardInterrupt()
        running -= ended


class _Worker(Generic[K, T]):
    """One item in a thread of its own. A daemon: a second Ctrl-C must not wait for it."""

    def __init__(self, work: Callable[[K], T], item: K, ended: queue.SimpleQueue[None]) -> None:
        self._work = work
        self.item = item
        self.result: tuple[T, ...] = ()
        self.error: BaseException | None = None
        self.over = False
        self._ended = ended
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def interrupt(self, error: KeyboardInterrupt) -> None:
        """Raise it in the worker's own thread, where it has the same effect as Ctrl-C has on a single host."""
        with self._lock:
            if not self.over and self._thread.ident:
                _raise_in(self._thread.ident, type(error))

    def _run(self) -> None:
        try:
            try:
                self.result = (self._work(self.item),)
            except BaseException as error:  # noqa: BLE001  # told to whoever waits
                self.error = error
            finally:
                with self._lock:
                    self.over = True
                self._ended.put(None)
        except KeyboardInterrupt:  # it came when the work was done
            self.over = True


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """CPython raises it between two instructions of that thread: a wait for a lock or a socket has to end first."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
