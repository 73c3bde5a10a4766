"""What is logged, all of it to standard output."""

from __future__ import annotations

import logging
from typing import Any


class WithoutHealthChecks(logging.Filter):
    """Drops what, every two seconds, would push everything else out of the log: a health check that passed."""

    def filter(self, record: logging.LogRecord) -> bool:
        # uvicorn.access: client, method, path, HTTP version, status
        return not (isinstance(record.args, tuple) and record.args[2:3] == ("/health",) and record.args[4:] == (200,))


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without health checks": {"()": WithoutHealthChecks}},
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"output": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "plain"}},
    "loggers": {
        "uvicorn.access": {"filters": ["without health checks"]},
        "httpx": {"level": "WARNING"},  # it would log every call to Qdrant
    },
    "root": {"level": "INFO", "handlers": ["output"]},
}
