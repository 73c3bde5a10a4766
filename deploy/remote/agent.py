"""The SSH agent of a connection, where the user's configuration names one of its own (IdentityAgent)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from deploy.remote.target import Target

VARIABLE = "SSH_AUTH_SOCK"


class _Agents:
    """Which agent the environment variable names, and how many connections are being made with it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.users = 0
        self.now = ""
        self.before: str | None = None


_agents = _Agents()


@contextlib.contextmanager
def agent_of(target: Target) -> Iterator[None]:
    """Use a target's agent for the moment of authentication: paramiko only knows the environment variable.

    Several hosts may be connected to at once: those with one agent together, those with another one after them.
    """
    own = target.identity_agent if target.identity_agent != "none" else ""
    with _agents.changed:
        _agents.changed.wait_for(lambda: not _agents.users or _agents.now == own)
        if not _agents.users:
            _agents.now, _agents.before = own, os.environ.get(VARIABLE)
            if own:
                os.environ[VARIABLE] = own
        _agents.users += 1
    try:
        yield
    finally:
        with _agents.changed:
            _agents.users -= 1
            if not _agents.users and own:
                os.environ.pop(VARIABLE, None)
                if _agents.before is not None:
                    os.environ[VARIABLE] = _agents.before
            _agents.changed.notify_all()
