"""Work that begins one after the other in a fixed order, and goes on side by side."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
LOOK_UP_S = 0.5


class Turns(Generic[K]):
    """Whose turn it is to begin, among threads of which each has one of some items."""

    def __init__(self, items: Sequence[K]) -> None:
        self._places = {item: place for place, item in enumerate(items)}
        self._changed = threading.Condition()
        self._now = 0
        self._over = False

    def wait(self, item: K) -> bool:
        """Wait for the turn of an item. False when it will not come."""
        with self._changed:
            while self._now < self._places[item] and not self._over:
                self._changed.wait(LOOK_UP_S)  # what another thread raises here comes through only between two waits
            return not self._over

    def passed(self, item: K) -> None:
        """Let the item after this one begin."""
        with self._changed:
            self._now = max(self._now, self._places[item] + 1)
            self._changed.notify_all()

    def end(self) -> None:
        """Let no other begin."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
