"""Which services of a stack hold a database that we know how to back up."""

from __future__ import annotations

from collections.abc import Iterable

from deploy.model.errors import UsageError
from deploy.model.kinds import image_name

POSTGRES_IMAGES = frozenset({"postgres", "postgresql", "postgis", "pgvector", "timescaledb"})


def database_services(images: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Names of those services, given as name and image, that run PostgreSQL."""
    return tuple(name for name, image in images if image_name(image) in POSTGRES_IMAGES)


def one_database(images: Iterable[tuple[str, str]], wanted: str) -> str:
    """The database service to work on. Raises UsageError when it is not clear which."""
    found = database_services(images)
    if wanted and wanted not in found:
        raise UsageError(f"'{wanted}' is not a PostgreSQL service", f"known: {', '.join(found) or 'none'}")
    if wanted:
        return wanted
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError("the stack has no PostgreSQL service", "backups of other stores are not there yet")
    raise UsageError(
        f"the stack has more than one PostgreSQL service: {', '.join(found)}", f"name one: --service {found[0]}"
    )
