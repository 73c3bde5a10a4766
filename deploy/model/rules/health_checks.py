"""Health checks that images of known stores can have as they are: each has the program that it asks with."""

from __future__ import annotations

from typing import Any

from deploy.model.kinds import POSTGRES_IMAGES, image_name

_TIMES = {"interval": "5s", "timeout": "5s", "retries": 12, "start_period": "60s"}
"""Of starting, too: a store that makes its first data, or recovers, takes its time."""
_ASKED = {
    # Over TCP: while a new database is being made, the server answers on its socket only.
    "postgres": "pg_isready --quiet --host 127.0.0.1",
    # They say that the server is alive also to who may not log in.
    "mysql": "mysqladmin ping --silent --host 127.0.0.1",
    "mariadb": "mariadb-admin ping --silent --host 127.0.0.1",
    # One that asks for a password answers, too; one that still loads its data says so instead.
    "redis": "redis-cli ping | grep -qE 'PONG|NOAUTH'",
    "valkey": "valkey-cli ping | grep -qE 'PONG|NOAUTH'",
    "rabbitmq": "rabbitmq-diagnostics -q ping",
}
_CALLED = {"percona": "mysql", "redis-stack-server": "redis"}


def known_check(reference: str) -> dict[str, Any]:
    """The `healthcheck` of an image's service; empty for an image that we do not know."""
    name = image_name(reference)
    name = "postgres" if name in POSTGRES_IMAGES else _CALLED.get(name, name)
    return {"test": ["CMD-SHELL", _ASKED[name]], **_TIMES} if name in _ASKED else {}
