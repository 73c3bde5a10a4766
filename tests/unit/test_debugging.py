"""Invoke's own --debug, which prints its whole configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INV = Path(sys.executable).parent / "inv"


@pytest.mark.parametrize("words", [["prod.check", "--list"], ["--list"]])
def test_a_webhooks_address_is_not_printed(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "tasks.py").write_text("from deploy.tasks import namespace\nns = namespace(__file__)\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    own = "{notify: {webhook: 'https://hooks.example.com/T0KEN', recovery: true}}"
    (tmp_path / "invoke.yaml").write_text(f"deploy: {{environments: {{prod: {own}}}}}\n")

    command = [str(INV), "--debug", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0
    assert "T0KEN" not in done.stdout + done.stderr
    assert "invoke" in done.stderr
