"""A secret that is typed or piped in, and never an argument."""

from __future__ import annotations

import getpass
import sys

from deploy.model.errors import UsageError


def given_value(key: str) -> str:
    """The new value, from a pipe or from whoever is at the terminal. Raises UsageError where there is none."""
    if sys.stdin.isatty():
        value = getpass.getpass(f"{key}: ")
        if getpass.getpass(f"{key}, once more: ") != value:
            raise UsageError("these were two different values", "nothing was changed; try again")
        return value
    given = sys.stdin.buffer.read()
    if not given:
        raise UsageError(
            "nothing came over standard input", f'printf %s "$VALUE" | inv env.set {key}; `echo |` sets a blank value'
        )
    try:
        text = given.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the value is not UTF-8", "encode it, for example as base64") from error
    return text.removesuffix("\n").removesuffix("\r")
