"""Environment variables as the types that settings need; an empty variable counts as unset."""

import os

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str) -> bool:
    """True or False as compose files write them; unset is False."""
    value = text(name, "False")
    if value not in {"True", "False"}:
        raise ImproperlyConfigured(f"{name} is {value!r}; write True or False.")
    return value == "True"


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated variable without blanks around the items and without empty items."""
    return [word for part in text(name, default).split(",") if (word := part.strip())]


def secret(name: str, *, least: int, development: str) -> str:
    """A secret of at least `least` characters; a DEBUG process may go without and then has the development one."""
    value = text(name)
    if flag("DEBUG"):
        return value or development
    if len(value) < least:
        raise ImproperlyConfigured(
            f"{name} has {len(value)} characters and DEBUG is off: set it to at least {least} random characters."
        )
    return value
