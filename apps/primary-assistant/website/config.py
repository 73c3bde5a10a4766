"""The configuration, all of it from environment variables; an empty variable counts as unset."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import URL

SECRET_KEY_MIN_LENGTH = 32
MAX_UPLOAD_BYTES = 10 * 1024 * 1024
CONNECT_TIMEOUT_S = 3


class ConfigError(RuntimeError):
    """An environment variable that the application cannot start with."""


def from_environment(environ: Mapping[str, str], *, debug: bool) -> dict[str, Any]:
    """Flask's configuration. Raises ConfigError naming the variable."""

    def text(name: str, default: str = "") -> str:
        return environ.get(name, "").strip() or default

    def number(name: str, default: int) -> int:
        value = text(name, str(default))
        if not value.isdecimal():
            raise ConfigError(f"{name} is {value!r}; write a number.")
        return int(value)

    return {
        "SECRET_KEY": _secret_key(text("SECRET_KEY"), debug=debug),
        "LOG_LEVEL": text("LOG_LEVEL", "INFO").upper(),
        "TRUSTED_PROXIES": number("TRUSTED_PROXIES", 0),
        "MAX_CONTENT_LENGTH": MAX_UPLOAD_BYTES,
        "UPLOAD_FOLDER": text("UPLOAD_FOLDER", "/app/uploads"),
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SQLALCHEMY_DATABASE_URI": URL.create(
            "postgresql+psycopg",
            username=text("POSTGRES_USER", "fitness_user"),
            password=text("POSTGRES_PASSWORD") or None,
            host=text("DB_HOST", "db"),
            port=number("DB_PORT", 5432),
            database=text("POSTGRES_DB", "fitness_db"),
            # A database that does not answer must cost a request seconds, not the kernel's two minutes.
            query={"connect_timeout": str(CONNECT_TIMEOUT_S)},
        ),
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": number("SQLALCHEMY_POOL_SIZE", 10),
            "max_overflow": number("SQLALCHEMY_MAX_OVERFLOW", 20),
            # A restarted database costs a look at the connection, not a failed request.
            "pool_pre_ping": True,
        },
    }


def _secret_key(key: str, *, debug: bool) -> str:
    if debug:
        return key or "insecure-development-key"
    if len(key) < SECRET_KEY_MIN_LENGTH:
        raise ConfigError(
            f"SECRET_KEY has {len(key)} characters and debugging is off: set it to at least "
            f"{SECRET_KEY_MIN_LENGTH} random characters."
        )
    return key
