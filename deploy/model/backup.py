"""Recovery points: the manifest that makes a folder of files a backup."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from deploy.model.errors import DeployError

SCHEMA = 2
PARTIAL_SUFFIX = ".partial"
ENCRYPTED_SUFFIX = ".age"


class Label(StrEnum):
    """Why a backup was taken."""

    MANUAL = "manual"
    PRE_MIGRATE = "pre-migrate"
    PRE_RESTORE = "pre-restore"
    TAKE_OVER = "take-over"
    PRE_MOVE = "pre-move"
    """Before a project moved between the engines."""
    REHEARSAL = "rehearsal"
    """For a rehearsal that found none, or none that was new enough."""
    PRE_UPGRADE = "pre-upgrade"
    PULLED = "pulled"
    """From another environment, masked."""
    POINT_IN_TIME = "point-in-time"
    """Recovered as of a moment, from WAL: older than it looks."""


class StoreKind(StrEnum):
    """What kind of store a part is of."""

    POSTGRES = "postgres"
    ROLES = "roles"
    """Roles and other things that belong to a whole PostgreSQL server, without passwords."""
    MYSQL = "mysql"
    """A database of MariaDB or MySQL."""
    USERS = "users"
    """Accounts and grants of a MariaDB or MySQL server, without passwords."""
    BASE = "base"
    """A PostgreSQL server's files, from which its WAL leads on to any later moment."""
    REDIS = "redis"
    QDRANT = "qdrant"
    """A collection of a vector store."""
    FILES = "files"
    """A volume, or a folder that services write to."""


DATABASES = frozenset({StoreKind.POSTGRES, StoreKind.MYSQL})
"""Those of tables with rows."""
ACCOUNTS = frozenset({StoreKind.ROLES, StoreKind.USERS})
"""What comes along with databases, and is not put over what is there."""


@dataclass(frozen=True)
class Content:
    """How much there is of something, and what it is: rows of a table, keys of a store, entries of a folder."""

    count: int
    checksum: str = ""
    """The same for the same content in any order; empty where none is taken."""


@dataclass(frozen=True)
class Part:
    """One store's share of a recovery point: a file in its folder."""

    kind: StoreKind
    service: str
    name: str
    """The database, volume or folder; empty where a service has only one."""
    file: str
    size_bytes: int
    sha256: str
    contents: Mapping[str, Content] = field(default_factory=dict)
    """What it must hold, counted as the copy was made: `schema.table`, `table`, `keys`, `entries`."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What restoring needs to know, by store: image, versions, encoding, owner, where it is mounted."""

    @property
    def place(self) -> str:
        """`db/timetracker`, `redis`, `web/media`: the store that it is of."""
        return f"{self.service}/{self.name}" if self.name else self.service

    @property
    def title(self) -> str:
        """How users name it."""
        return self.place

    @property
    def count(self) -> int:
        return sum(content.count for content in self.contents.values())

    @property
    def encrypted(self) -> bool:
        return self.file.endswith(ENCRYPTED_SUFFIX)

    @property
    def plain(self) -> Part:
        """The same as it is once it is decrypted."""
        if not self.encrypted:
            return self
        size_bytes, sha256 = int(self.facts["plain_bytes"]), self.facts["plain_sha256"]
        return dataclasses.replace(
            self, file=self.file.removesuffix(ENCRYPTED_SUFFIX), size_bytes=size_bytes, sha256=sha256
        )

    def as_encrypted(self, file: str, size_bytes: int, sha256: str) -> Part:
        """The same in an encrypted file, which remembers what it was made of."""
        facts = {**self.facts, "plain_bytes": str(self.size_bytes), "plain_sha256": self.sha256}
        return dataclasses.replace(self, file=file, size_bytes=size_bytes, sha256=sha256, facts=facts)

    def is_called(self, word: str) -> bool:
        """Whether a user may mean this part by a word."""
        return word in {self.title, self.service, self.name}


@dataclass(frozen=True)
class Manifest:
    """Everything needed to trust and to restore a recovery point. Written last: it commits the backup."""

    id: str
    project: str
    label: Label
    release: str
    started_at: datetime
    duration_s: float
    by: str
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        return sum(part.size_bytes for part in self.parts)

    @property
    def rows(self) -> int:
        """Rows of every table of every database."""
        return sum(part.count for part in self.parts if part.kind in DATABASES)

    @property
    def services(self) -> frozenset[str]:
        return frozenset(part.service for part in self.parts)

    def to_json(self) -> str:
        document = dataclasses.asdict(self) | {
            "schema": SCHEMA,
            "started_at": self.started_at.isoformat(),
            "restore_by_hand": {part.title: by_hand(part) for part in self.parts},
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
            parts = tuple(_part(one) for one in raw["parts"])
            started = datetime.fromisoformat(raw["started_at"])
            return cls(**raw | {"started_at": started, "label": Label(raw["label"]), "parts": parts})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeployError(f"{where} is not the manifest of a backup ({error})") from error


def _part(raw: dict[str, Any]) -> Part:
    contents = {name: Content(**one) for name, one in raw["contents"].items()}
    return Part(**raw | {"kind": StoreKind(raw["kind"]), "contents": contents})


def by_hand(part: Part) -> list[str]:
    """How to restore a part with the store's own tools alone: commands, one per line."""
    if part.encrypted:
        return [f"age --decrypt --identity IDENTITY --output {part.plain.file} {part.file}", *_by_hand(part.plain)]
    return _by_hand(part)


def _by_hand(part: Part) -> list[str]:
    match part.kind:
        case StoreKind.POSTGRES | StoreKind.ROLES | StoreKind.BASE:
            return _postgres_by_hand(part)
        case StoreKind.MYSQL | StoreKind.USERS:
            return _mysql_by_hand(part)
        case StoreKind.REDIS:
            return [
                "stop the server and move its appendonlydir away",
                f"copy {part.file} to dump.rdb in its data folder",
                "start it with --appendonly no, then CONFIG SET appendonly yes",
            ]
        case StoreKind.QDRANT:
            path = f"/collections/{part.name}/snapshots/upload?priority=snapshot"
            return [f"curl --fail --form snapshot=@{part.file} http://SERVER:6333{path}"]
        case StoreKind.FILES:
            return [f"{_unpack(part)} | tar --numeric-owner -xpf - -C FOLDER"]


def _postgres_by_hand(part: Part) -> list[str]:
    if part.kind == StoreKind.ROLES:
        return [f"psql --dbname=postgres --file={part.file}"]
    if part.kind == StoreKind.BASE:
        return [
            f"{_unpack(part)} | tar -xpf - -C EMPTY_DATA_FOLDER",
            f"in postgresql.conf: restore_command = 'cp BACKUPS/.wal/{part.service}/{part.facts['chain']}/%f %p'",
            "and recovery_target_time; beside it an empty file recovery.signal",
            f"start PostgreSQL {major_version(part.facts['server_version'])} on it",
        ]
    encoding, owner = part.facts["encoding"], part.facts["owner"]
    create = f"createdb --template=template0 --encoding={encoding} --owner={owner} NEW_NAME"
    restore = "pg_restore --exit-on-error --dbname=NEW_NAME"
    packed = not part.file.endswith(".dump")
    return [create, f"{_unpack(part)} | {restore}" if packed else f"{restore} {part.file}"]


def _mysql_by_hand(part: Part) -> list[str]:
    client = f"{part.facts['client']} --user=root --password"
    if part.kind == StoreKind.USERS:
        unlock = "ALTER USER … IDENTIFIED BY … ACCOUNT UNLOCK, for each: they are locked, and have no password"
        return [f"{client} <{part.file}", unlock]
    create = f"CREATE DATABASE NEW_NAME CHARACTER SET {part.facts['charset']} COLLATE {part.facts['collation']}"
    return [f'{client} --execute="{create}"', f"{_unpack(part)} | {client} --binary-mode NEW_NAME"]


def _unpack(part: Part) -> str:
    return f"{'zstd' if part.file.endswith('.zst') else 'gzip'} -dc {part.file}"


def backup_id(project: str, now: datetime) -> str:
    """`timetracker_20261121T013445Z`: sorts by age."""
    return f"{project}_{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def file_name(service: str, name: str, suffix: str) -> str:
    """`db.timetracker.dump`: of a part, safe as a name anywhere, and no other part's."""
    return ".".join(_safe(word) for word in (service, name) if word) + suffix


def _safe(word: str) -> str:
    """A word as it is where it is safe, else what is left of it and a hash, since others may leave the same."""
    left = re.sub(r"[^A-Za-z0-9_-]", "-", word)
    return left if left == word else f"{left}-{hashlib.sha256(word.encode()).hexdigest()[:8]}"


def major_version(server_version: str) -> int:
    """The number a version starts with: 17 for "17.11 (Debian …)", 18 for "18beta1"."""
    leading = re.match(r"\d+", server_version)
    if leading is None:
        raise DeployError(f"{server_version!r} is not the version of a server")
    return int(leading[0])


def difference(wanted: Mapping[str, Content], found: Mapping[str, Content]) -> tuple[str, ...]:
    """What differs, in words; empty when all is equal. Content without a checksum is compared by its count alone."""
    return tuple(
        problem for name in sorted({*wanted, *found}) if (problem := _differs(name, wanted.get(name), found.get(name)))
    )


def _differs(name: str, wanted: Content | None, found: Content | None) -> str:
    if wanted is None or found is None or wanted.count != found.count:
        have = "missing" if found is None else str(found.count)
        return f"{name}: {have} instead of {'none' if wanted is None else wanted.count}"
    if wanted.checksum and found.checksum and wanted.checksum != found.checksum:
        return f"{name}: as many as there should be ({found.count}), but not the same"
    return ""
