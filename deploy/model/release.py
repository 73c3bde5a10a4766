"""A release: one immutable unit of what runs, and the record that is kept of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.model.errors import DeployError
from deploy.model.kinds import Kind
from deploy.model.options import Backup
from deploy.model.settings import Engine
from deploy.model.stack import Port

SCHEMA = 1


@dataclass(frozen=True)
class Revision:
    """The state of the source tree a release is made from."""

    commit: str
    """Seven hexadecimal digits, or "nogit" outside a repository."""
    dirty: bool
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.commit}-dirty" if self.dirty else self.commit


def new_release_id(now: datetime, revision: Revision) -> str:
    """`20261121-013445-1a2b3c4[-dirty]`, in UTC, so that ids sort by age."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{revision}"


@dataclass(frozen=True)
class PublicPort:
    """A port of the host that the edge hands to a service of the release."""

    service: str
    port: Port


@dataclass(frozen=True)
class ServiceRecord:
    """One service as a release has it."""

    kind: Kind
    image: str
    """The reference its containers run: never moved to another image."""
    source: str
    """What the image was made from: `build:<digest of the context>` or the reference in the compose file."""
    replicas: int = 1
    exclusive: str = ""
    health_path: str = "/"
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The release's own networks it is on, each with the names it answers to there."""
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What `x-deploy` says can be run in it: `shell`, `migrate`, …"""
    base: str = ""
    """The image that a built one stands on, as far as it is known."""
    may_end: bool = False
    """Whether it is as it should be when it has ended with status 0."""
    outside: tuple[str, ...] = ()
    """Networks it is on that are no release's own, by their names on the host."""
    parts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Digests of the parts of its definition, to say later what changed (see `fingerprint`)."""
    backup: Backup = None
    """What is backed up of what it keeps, where that is said."""
    proof: str = ""
    """A query that a restored database must answer."""
    receives: str = ""
    """The database whose WAL it receives; such a service stands in no compose file."""
    migrations: tuple[str, ...] | None = None
    """Names of those in what its image is built from; nothing where they cannot be told."""

    @property
    def runs(self) -> str:
        """The image that tells what it is: the one of the compose file, or what its own is built from."""
        return self.base or self.source


@dataclass(frozen=True)
class ReleaseRecord:
    """`release.json`: everything needed to say what a release is and to switch back to it."""

    id: str
    environment: str
    created_at: datetime
    created_by: str
    revision: Revision
    services: Mapping[str, ServiceRecord]
    public: tuple[PublicPort, ...]
    migrated: bool = False
    """Whether this release changed the schema on its way in."""
    engine: Engine = Engine.COMPOSE
    """What it was made to run on. Only that can run what stands in its folder."""

    @property
    def networks(self) -> frozenset[str]:
        """The networks that compose makes for this release: those its own services are on."""
        return frozenset(
            network for service in self.services.values() if service.kind != Kind.DATA for network in service.networks
        )

    def app(self, *, exclusive: bool) -> tuple[str, ...]:
        """Names of the services a release brings, either those that may run beside another release's or the others."""
        return tuple(
            name
            for name, service in self.services.items()
            if service.kind != Kind.DATA and bool(service.exclusive) == exclusive
        )

    def with_command(self, command: str, service: str = "") -> tuple[str, ...]:
        """Names of the services that declare a command; of these only the one that is named, where one is."""
        return tuple(name for name, one in self.services.items() if command in one.commands and service in ("", name))

    def to_json(self) -> str:
        document = dataclasses.asdict(self) | {"schema": SCHEMA, "created_at": self.created_at.isoformat()}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> ReleaseRecord:
        """Raises DeployError naming `where` when the text is not a record this version can read."""
        try:
            return cls._from_document(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DeployError(
                f"{where}: cannot be read as a release record ({error})",
                "it was written by another version of Windlass, or by hand; move it aside to go on without it",
            ) from error

    @classmethod
    def _from_document(cls, document: dict[str, Any]) -> ReleaseRecord:
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, expected {SCHEMA}")
        services = {name: _service(raw) for name, raw in document["services"].items()}
        return cls(
            id=document["id"],
            environment=document["environment"],
            created_at=datetime.fromisoformat(document["created_at"]),
            created_by=document["created_by"],
            revision=Revision(**document["revision"]),
            services=services,
            public=tuple(PublicPort(raw["service"], Port(**raw["port"])) for raw in document["public"]),
            migrated=document["migrated"],
            engine=Engine(document.get("engine", Engine.COMPOSE)),
        )


def _service(raw: dict[str, Any]) -> ServiceRecord:
    networks = {network: tuple(aliases) for network, aliases in raw["networks"].items()}
    commands = {name: tuple(words) for name, words in raw["commands"].items()}
    names = raw.get("migrations")
    return ServiceRecord(
        **raw
        | {
            "kind": Kind(raw["kind"]),
            "networks": networks,
            "commands": commands,
            "backup": tuple(kept) if isinstance(kept := raw.get("backup"), list) else kept,
            "outside": tuple(raw.get("outside", ())),
            "migrations": None if names is None else tuple(names),
        }
    )
