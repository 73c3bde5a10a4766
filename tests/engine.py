"""Tests that need a Docker engine: skipped with a reason where there is none, required by `inv test`."""

from __future__ import annotations

import os
import subprocess

import pytest

REQUIRED = "WINDLASS_TEST_ENGINE"


def require_engine() -> None:
    """Skip when no engine answers, unless the run promised one."""
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    answers = (
        done.returncode == 0 and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )
    if answers:
        return
    if os.environ.get(REQUIRED):
        pytest.fail("no Docker engine with compose answers, and this run must have one")
    pytest.skip("no Docker engine with compose answers: inv test --yes sets one up")
