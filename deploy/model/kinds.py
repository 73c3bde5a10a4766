"""What kind a service is, and how we know: the rules that decide what may run twice and what must live on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """The four kinds of a service (see the design, section 2)."""

    DATA = "data"
    """Keeps state; lives on across releases, in the data project."""
    WEB = "web"
    """Answers requests; the new one starts beside the old one."""
    WORKER = "worker"
    """Works in the background; never runs twice unless told so."""
    JOB = "job"
    """Runs once and ends."""


# image name without registry and tag, as the official and the common vendor images have it
DATA_IMAGES = frozenset(
    [
        "cassandra",
        "clickhouse-server",
        "cockroach",
        "couchdb",
        "elasticsearch",
        "etcd",
        "influxdb",
        "kafka",
        "keydb",
        "mariadb",
        "memcached",
        "meilisearch",
        "milvus",
        "minio",
        "mongo",
        "mongodb",
        "mssql",
        "mysql",
        "nats",
        "neo4j",
        "opensearch",
        "percona",
        "pgvector",
        "postgis",
        "postgres",
        "postgresql",
        "qdrant",
        "questdb",
        "rabbitmq",
        "redis",
        "redis-stack",
        "redis-stack-server",
        "redpanda",
        "solr",
        "surrealdb",
        "timescaledb",
        "typesense",
        "valkey",
        "weaviate",
        "zookeeper",
    ]
)
WORKER_WORDS = frozenset(
    [
        "beat",
        "celery",
        "celerybeat",
        "consumer",
        "cron",
        "crond",
        "dramatiq",
        "horizon",
        "huey",
        "poller",
        "queue",
        "resque",
        "rq",
        "scheduler",
        "sidekiq",
        "supercronic",
        "worker",
        "workers",
    ]
)


def classify(name: str, definition: Mapping[str, Any], model: Mapping[str, Any]) -> tuple[Kind, str]:
    """The kind of a service in a normalized compose model, with the reason in words."""
    image = str(definition.get("image", ""))
    base = image_name(image)
    if base in DATA_IMAGES and "build" not in definition:
        return Kind.DATA, f"image {base} keeps state"
    if definition.get("ports"):
        return Kind.WEB, "publishes ports"
    if "build" not in definition and (volume := _own_volume(name, definition, model)):
        return Kind.DATA, f"a foreign image that writes to its own volume {volume}"
    if _awaited_to_complete(name, model):
        return Kind.JOB, "another service waits for it to complete"
    words = {*_words(name), *_words(_command_text(definition))}
    if found := sorted(words & WORKER_WORDS):
        return Kind.WORKER, f"its name or command says {found[0]}"
    return Kind.WEB, "can be reached by other services"


def image_name(reference: str) -> str:
    """`registry:5000/team/postgres:17@sha256:…` to `postgres`."""
    return reference.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def _own_volume(name: str, definition: Mapping[str, Any], model: Mapping[str, Any]) -> str | None:
    """A named volume that this service alone mounts, and not read-only."""
    for mount in definition.get("volumes") or ():
        if mount.get("type") != "volume" or mount.get("read_only") or not mount.get("source"):
            continue
        sharers = [
            other
            for other, service in model["services"].items()
            if any(other_mount.get("source") == mount["source"] for other_mount in service.get("volumes") or ())
        ]
        if sharers == [name]:
            return str(mount["source"])
    return None


def _awaited_to_complete(name: str, model: Mapping[str, Any]) -> bool:
    return any(
        (service.get("depends_on") or {}).get(name, {}).get("condition") == "service_completed_successfully"
        for service in model["services"].values()
    )


def _command_text(definition: Mapping[str, Any]) -> str:
    words = [*(definition.get("entrypoint") or ()), *(definition.get("command") or ())]
    return " ".join(str(word) for word in words)


def _words(text: str) -> set[str]:
    return set(re.split(r"[^a-z]+", text.lower()))
