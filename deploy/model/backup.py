"""A backup's manifest: the record that makes a file a backup. A file without one is none."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from deploy.model.errors import DeployError

SCHEMA = 1
DUMP_SUFFIX, PARTIAL_SUFFIX = ".dump", ".partial"


class Label(StrEnum):
    """Why a backup was taken."""

    MANUAL = "manual"
    PRE_MIGRATE = "pre-migrate"
    TAKE_OVER = "take-over"


@dataclass(frozen=True)
class Manifest:
    """Everything needed to trust and to restore one dump of one database. Written last: it commits the backup."""

    id: str
    project: str
    service: str
    database: str
    label: Label
    release: str
    started_at: datetime
    duration_s: float
    size_bytes: int
    sha256: str
    server_version: str
    """As the server says it, for example "17.11 (Debian 17.11-0+deb13u1)"."""
    tool_version: str
    encoding: str
    collate: str
    ctype: str
    owner: str
    tables: Mapping[str, int]
    """Rows of every table, `schema.table`, counted in the dump's own snapshot."""
    by: str

    @property
    def major(self) -> int:
        return major_version(self.server_version)

    @property
    def rows(self) -> int:
        return sum(self.tables.values())

    def to_json(self) -> str:
        document = dataclasses.asdict(self) | {
            "schema": SCHEMA,
            "started_at": self.started_at.isoformat(),
            "restore_by_hand": [
                f"createdb --template=template0 --encoding={self.encoding} --owner={self.owner} NEW_NAME",
                f"pg_restore --exit-on-error --dbname=NEW_NAME {self.id}{DUMP_SUFFIX}",
            ],
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Manifest:
        """Raises DeployError naming `where` for a text that is no manifest of ours."""
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            raw.pop("restore_by_hand", None)
            return cls(**raw | {"started_at": datetime.fromisoformat(raw["started_at"]), "label": Label(raw["label"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeployError(f"{where} is not the manifest of a backup ({error})") from error


def backup_id(project: str, service: str, database: str, now: datetime, server_version: str) -> str:
    """`timetracker_db_timetracker_20261121T013445Z_pg17`: sorts by age within a database."""
    safe = "".join(char if char.isalnum() or char in "-." else "-" for char in database)
    return f"{project}_{service}_{safe}_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}_pg{major_version(server_version)}"


def major_version(server_version: str) -> int:
    """The number a version starts with: 17 for "17.11 (Debian …)", 18 for "18beta1"."""
    leading = re.match(r"\d+", server_version)
    if leading is None:
        raise DeployError(f"{server_version!r} is not the version of a PostgreSQL server")
    return int(leading[0])


def difference(wanted: Mapping[str, int], found: Mapping[str, int]) -> tuple[str, ...]:
    """Tables whose row counts differ, in words; empty when all are equal."""
    return tuple(
        f"{table}: {found.get(table, 'missing')} instead of {wanted.get(table, 'none')}"
        for table in sorted({*wanted, *found})
        if wanted.get(table) != found.get(table)
    )
