"""The shell scripts that stand beside the code which sends them."""

from __future__ import annotations

from functools import cache
from importlib import resources

from deploy.model.command import Command, script


def packaged(room: str, name: str, *arguments: str | int) -> Command:
    """The script `deploy/<room>/scripts/<name>`, with positional parameters."""
    return script(script_text(room, name), name, *arguments)


@cache
def script_text(room: str, name: str) -> str:
    """The text of the script `deploy/<room>/scripts/<name>`."""
    return resources.files(f"deploy.{room}.scripts").joinpath(name).read_text()
