"""What the DNS and the network say from here."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from deploy.release import names
from deploy.release.names import addresses_of, unreachable


def test_a_name_has_its_addresses_and_an_unknown_one_none() -> None:
    assert addresses_of(["127.0.0.1", "a..b"]) == {"127.0.0.1": ("127.0.0.1",), "a..b": None}


@pytest.mark.parametrize(("errno", "known"), [(socket.EAI_NONAME, ()), (socket.EAI_AGAIN, None)])
def test_a_name_that_is_not_there_is_told_from_a_resolver_that_is_not(
    monkeypatch: pytest.MonkeyPatch, errno: int, known: tuple[str, ...] | None
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise socket.gaierror(errno, "no")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert addresses_of(["shop.example.com"]) == {"shop.example.com": known}


def test_a_resolver_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] if ended.wait(30) else None)
    monkeypatch.setattr(names, "PATIENCE_S", 0.2)
    began = time.monotonic()

    assert addresses_of(["shop.example.com", "www.example.com"]) == {"shop.example.com": None, "www.example.com": None}
    assert time.monotonic() - began < 0.4, "all are waited for at once"
    ended.set()


def test_ports_that_take_no_connection_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        good, bad = listening.getsockname()[1], bound.getsockname()[1]

        assert unreachable("127.0.0.1", [good, bad]) == (bad,)
