"""`secrets:` of an environment: for each variable the command that prints it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from deploy.model.command import Command
from deploy.model.errors import UsageError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXAMPLE = 'for example "op read op://shop/database/password"'


def parse_secrets(raw: Any, where: str) -> dict[str, Command]:
    """Raises UsageError beginning with `where`, which is the place of the setting, and showing no value."""
    commands = {} if raw is None else raw
    if not isinstance(commands, Mapping):
        raise UsageError(f"{where} is not a mapping of variables to commands", _EXAMPLE)
    return {str(name): _command(str(name), one, f"{where}.{name}") for name, one in commands.items()}


def _command(name: str, value: Any, where: str) -> Command:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: '{name}' cannot be the name of a variable", "use letters, digits and '_'")
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise UsageError(f"{where} is no command: {str(error).lower()}", _EXAMPLE) from error
    elif isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        words = list(value)
    else:
        raise UsageError(f"{where} is neither a text nor a list of words", _EXAMPLE)
    if not words or not words[0]:
        raise UsageError(f"{where}: the command is empty", _EXAMPLE)
    return Command(*words)
