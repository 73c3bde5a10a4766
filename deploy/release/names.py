"""What the DNS and the network say about a host, as they look from this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

PATIENCE_S = 3
"""A resolver that is out of reach would be waited for much longer, and nothing that is asked here is worth that."""
Answer = TypeVar("Answer")
Question = TypeVar("Question")


def addresses_of(names: Iterable[str]) -> Mapping[str, tuple[str, ...] | None]:
    """The addresses of each name: none for one that does not exist, None where nobody could tell in time."""
    return _all_at_once(names, _look_up)


def unreachable(address: str, ports: Iterable[int]) -> tuple[int, ...]:
    """Those of the ports that take no connection from here in time."""
    answers = _all_at_once(ports, lambda port: _connects(address, port))
    return tuple(port for port, answer in answers.items() if not answer)


def _look_up(name: str) -> tuple[str, ...] | None:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return () if error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)} else None
    except (OSError, UnicodeError):
        return None
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), PATIENCE_S).close()
    except OSError:
        return False
    return True


def _all_at_once(
    questions: Iterable[Question], answer: Callable[[Question], Answer | None]
) -> Mapping[Question, Answer | None]:
    """The answer to each question, None for one that took too long: such a thread keeps no process from ending."""
    answers: dict[Question, Answer | None] = dict.fromkeys(questions)

    def run(question: Question) -> None:
        answers[question] = answer(question)

    threads = [threading.Thread(target=run, args=(question,), daemon=True) for question in answers]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
    return dict(answers)
