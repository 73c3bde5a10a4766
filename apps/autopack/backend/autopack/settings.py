"""What the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

DEVELOPMENT, PRODUCTION = "development", "production"


class SettingsError(Exception):
    """A variable that is missing or cannot be. The text names it."""


@dataclass(frozen=True)
class Settings:
    """Everything that differs between one place where the backend runs and another."""

    environment: str
    database_url: str
    """Without a password: libpq takes it from PGPASSWORD, where no quoting is needed and no log shows it."""
    bootstrap: bool
    """Whether a database without any table may be given the schema at start. Never in production."""
    qdrant_url: str
    qdrant_api_key: str = field(default="", repr=False)
    collection_prefix: str = "memory"
    reconcile_s: float = 15.0
    """How long after a lost write the vectors agree with the database again, at most, in seconds."""
    workers: int = 1

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """From variables; an empty one counts as unset. Raises SettingsError."""
        given = {name: value for name, value in environ.items() if value}
        environment = given.get("AUTOPACK_ENV", PRODUCTION)
        if environment not in {DEVELOPMENT, PRODUCTION}:
            raise SettingsError(f"AUTOPACK_ENV is {environment!r}, not {DEVELOPMENT} or {PRODUCTION}")
        bootstrap = given.get("AUTOPACK_DB_BOOTSTRAP", "0")
        if bootstrap not in {"0", "1"}:
            raise SettingsError(f"AUTOPACK_DB_BOOTSTRAP is {bootstrap!r}, not 0 or 1")
        if bootstrap == "1" and environment == PRODUCTION:
            raise SettingsError("AUTOPACK_DB_BOOTSTRAP=1 is for development and tests; production runs its migrations")
        if "DATABASE_URL" not in given:
            raise SettingsError("DATABASE_URL is not set")
        host = given.get("AUTOPACK_QDRANT_HOST", "qdrant")
        return cls(
            environment=environment,
            database_url=given["DATABASE_URL"],
            bootstrap=bootstrap == "1",
            qdrant_url=f"http://{host}:{given.get('AUTOPACK_QDRANT_PORT', '6333')}",
            qdrant_api_key=given.get("AUTOPACK_QDRANT_API_KEY", ""),
            reconcile_s=float(given.get("AUTOPACK_RECONCILE_S", cls.reconcile_s)),
            workers=int(given.get("AUTOPACK_WORKERS", cls.workers)),
        )
