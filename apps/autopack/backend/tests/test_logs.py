from __future__ import annotations

import logging

import pytest

from autopack.logs import WithoutHealthChecks


@pytest.mark.parametrize(("path", "status", "kept"), [("/health", 200, False), ("/health", 503, True), ("/", 200, True)])
def test_only_health_checks_that_passed_are_left_out(path: str, status: int, kept: bool) -> None:
    args = ("10.0.0.1:1", "GET", path, "1.1", status)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', args, None)
    assert WithoutHealthChecks().filter(record) is kept
