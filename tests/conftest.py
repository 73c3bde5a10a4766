"""What every test starts from: an environment of its own, so that nothing of the developer's leaks in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEAKS = ("INVOKE_", "DOCKER_", "COMPOSE_", "DEPLOY_", "SSH_", "GIT_")
KEPT = "DOCKER_HOST"
"""Where this machine's engine is, when it is not where it usually is: a rootless one, for example."""


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME without ~/.ssh, no agent, no colours, a fixed width."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(LEAKS) and name != KEPT:
            monkeypatch.delenv(name)
    for name, value in {"HOME": str(home), "COLUMNS": "120", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    return home
