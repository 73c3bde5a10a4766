"""Environment variables as the types that settings need; an empty variable counts as unset."""

import os

from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_MIN_LENGTH = 50


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    if value:
        raise ImproperlyConfigured(f"{name} is {value!r}; write True or False.")
    return default


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated variable; blanks around the items and empty items are dropped."""
    return [word for part in text(name, default).split(",") if (word := part.strip())]


def secret_key(*, debug: bool) -> str:
    """SECRET_KEY; only a DEBUG process may go without one of its own."""
    key = text("SECRET_KEY")
    if debug:
        return key or "insecure-development-key"
    if len(key) < SECRET_KEY_MIN_LENGTH:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(key)} characters and DEBUG is off: set it to at least "
            f"{SECRET_KEY_MIN_LENGTH} random characters."
        )
    return key
