"""Public addresses as this machine reaches them: one question, or a steady trickle while a release is switched."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from http.client import HTTPException

from deploy.model.journal import Probes

EVERY_S = 0.05
TIMEOUT_S = 10
NO_ANSWER, SERVER_ERROR = 0, 500


def ask(url: str) -> int:
    """The status of an answer, 0 without one."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  # http, built above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, HTTPException):  # the latter for an answer that is no HTTP, or only half of one
        return NO_ANSWER


class Watch:
    """Asks addresses that answer now, again and again on new connections, until it is stopped."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self.urls = tuple(url for url in urls if 0 < ask(url) < SERVER_ERROR)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._sent = self._failed = 0
        self._slowest_s = 0.0
        self._threads = [threading.Thread(target=self._watch, args=(url,), daemon=True) for url in self.urls]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Probes:
        """What was seen. May be asked again."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return Probes(self._sent, self._failed, round(self._slowest_s * 1000))

    def _watch(self, url: str) -> None:
        while not self._ended.wait(EVERY_S):
            began = time.monotonic()
            status = ask(url)
            took_s = time.monotonic() - began
            with self._lock:
                self._sent += 1
                self._failed += status == NO_ANSWER or status >= SERVER_ERROR
                self._slowest_s = max(self._slowest_s, took_s)
