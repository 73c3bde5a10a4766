"""Telling an address elsewhere that there is an alarm. One try, and nobody waits for it."""

import json
import logging
import threading
import urllib.request
from typing import Any

TIMEOUT_S = 5
logger = logging.getLogger(__name__)


def tell(url: str, event: dict[str, Any]) -> None:
    """POST an event as JSON from a thread of its own."""
    threading.Thread(target=_post, args=(url, json.dumps(event).encode())).start()


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            pass
    except OSError as error:
        # The address may hold a key of its owner's: it stays out of the log.
        logger.error("the webhook was not told of an alarm: %s", error)
