"""Making an environment file from its documented example."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable

_RANDOM = re.compile(r"<random:(\d+)>")
_ALPHABET = string.ascii_letters + string.digits  # nothing that a shell, a URL or a dotenv parser gives a meaning


def random_text(length: int) -> str:
    """Letters and digits from the system's secure source."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def fill_example(text: str, generate: Callable[[int], str] = random_text) -> tuple[str, tuple[str, ...]]:
    """The example with every value `<random:N>` replaced by N random characters, and the names that got one."""
    names: list[str] = []
    lines = []
    for line in text.splitlines(keepends=True):
        name, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#") and _RANDOM.search(value):
            names.append(name.strip())
            value = _RANDOM.sub(lambda found: generate(int(found[1])), value)
        lines.append(f"{name}{equals}{value}")
    return "".join(lines), tuple(names)
