"""Logging: one line a record on standard error, without the health checks that passed."""

import logging
from typing import Any


def settings(level: str) -> dict[str, Any]:
    """For logging.config.dictConfig."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
        "filters": {"no_health_checks": {"()": lambda: not_a_passed_health_check}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        # The development server's requests.
        "loggers": {"werkzeug": {"filters": ["no_health_checks"]}},
    }


def not_a_passed_health_check(record: logging.LogRecord) -> bool:
    """False for what would push everything else out of the log. werkzeug gives (request line, status, size)."""
    match record.args:
        case (str(request), "200", _):
            return " /health " not in request
    return True
