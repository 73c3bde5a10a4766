"""Public addresses as this machine reaches them: one question, or a steady trickle while a release is switched.

A public name is asked for at the host itself where that answers from here, so that it is this host that is watched and
not another one behind the same name. A certificate that this machine does not trust (of a private authority, or the
placeholder) is no failure; one that it trusted when the watch began has to stay good.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from deploy.model.journal import Probes

EVERY_S = 0.05
TIMEOUT_S = 10
NO_ANSWER, SERVER_ERROR = 0, 500
_TROUBLE = (OSError, HTTPException)
"""No connection; an answer that is no HTTP, or only half of one."""


@dataclass(frozen=True)
class Way:
    """How an address is asked: where to connect, and by which rules its certificate is judged."""

    url: str
    at: str
    tls: ssl.SSLContext | None

    def ask(self) -> int:
        """The status of an answer, 0 without one. Redirections are answers."""
        try:
            return self.answer()
        except _TROUBLE:
            return NO_ANSWER

    def answer(self) -> int:
        """The same, raising what went wrong."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        port = parts.port or (443 if self.tls else 80)
        plain = socket.create_connection((self.at or host, port), TIMEOUT_S)
        with contextlib.closing(self.tls.wrap_socket(plain, server_hostname=host) if self.tls else plain) as connected:
            connection = HTTPConnection(host, port)
            connection.sock = connected
            path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("GET", path, headers={"Host": parts.netloc, "Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status


def find_way(url: str, at: str = "", ca: str = "") -> tuple[Way, int]:
    """How an address is best asked, and what it answered; the last one tried when none gives an answer.

    `at` is the host's own address, `ca` a certificate in PEM that may have signed the one to be seen.
    """
    for place in dict.fromkeys((at, "")):
        for tls in _rules(url, ca):
            way = Way(url, place, tls)
            try:
                return way, way.answer()
            except ssl.SSLCertVerificationError:
                continue
            except _TROUBLE:
                break
    return way, NO_ANSWER


def ask(url: str, at: str = "", ca: str = "") -> int:
    """The status of an answer, 0 without one."""
    return find_way(url, at, ca)[1]


def _rules(url: str, ca: str) -> tuple[ssl.SSLContext | None, ...]:
    if not url.startswith("https:"):
        return (None,)
    strict = ssl.create_default_context()
    if ca:
        strict.load_verify_locations(cadata=ca)
    lenient = ssl.create_default_context()
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    return strict, lenient


class Watch:
    """Asks addresses that answer now, again and again on new connections, until it is stopped."""

    def __init__(self, urls: tuple[str, ...], at: str = "", ca: str = "") -> None:
        found = [find_way(url, at, ca) for url in urls]
        ways = [way for way, status in found if 0 < status < SERVER_ERROR]
        self.urls = tuple(way.url for way in ways)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._sent = self._failed = 0
        self._slowest_s = 0.0
        self._threads = [threading.Thread(target=self._watch, args=(way,), daemon=True) for way in ways]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Probes:
        """What was seen. May be asked again."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        return Probes(self._sent, self._failed, round(self._slowest_s * 1000))

    def _watch(self, way: Way) -> None:
        while not self._ended.wait(EVERY_S):
            began = time.monotonic()
            status = way.ask()
            took_s = time.monotonic() - began
            with self._lock:
                self._sent += 1
                self._failed += status == NO_ANSWER or status >= SERVER_ERROR
                self._slowest_s = max(self._slowest_s, took_s)
