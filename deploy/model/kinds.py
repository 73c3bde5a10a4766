"""What kind a service is, and how we know: the rules that decide what may run twice and what must live on."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
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
        "arangodb",
        "azure-sql-edge",
        "beanstalkd",
        "cassandra",
        "chroma",
        "clickhouse",
        "clickhouse-server",
        "cockroach",
        "couchdb",
        "cp-kafka",
        "cp-zookeeper",
        "dragonfly",
        "eclipse-mosquitto",
        "elasticsearch",
        "emqx",
        "etcd",
        "forgejo",
        "gitea",
        "influxdb",
        "kafka",
        "keydb",
        "mariadb",
        "mariadb-galera",
        "meilisearch",
        "memcached",
        "milvus",
        "minecraft-server",
        "minio",
        "mongo",
        "mongodb",
        "mongodb-community-server",
        "mssql",
        "mssql/server",
        "mysql",
        "mysql-server",
        "nats",
        "neo4j",
        "opensearch",
        "percona",
        "percona-server",
        "pgvector",
        "pihole",
        "portainer",
        "portainer-ce",
        "postgis",
        "postgres",
        "postgresql",
        "prometheus",
        "qdrant",
        "questdb",
        "rabbitmq",
        "redis",
        "redis-stack",
        "redis-stack-server",
        "redismod",
        "redpanda",
        "rethinkdb",
        "scylla",
        "solr",
        "surrealdb",
        "timescaledb",
        "typesense",
        "valkey",
        "weaviate",
        "zookeeper",
    ]
)
POSTGRES_IMAGES = frozenset({"postgres", "postgresql", "postgis", "pgvector", "timescaledb"})
FOREIGN_STATE = "a foreign image that writes to its own"
"""Begins the reason of a service that is taken to keep state for no better one."""
STATE_FOLDERS = (
    "/bitnami/mariadb",
    "/bitnami/mongodb",
    "/bitnami/mysql",
    "/bitnami/postgresql",
    "/bitnami/redis",
    "/data/db",
    "/qdrant/storage",
    "/usr/share/elasticsearch/data",
    "/var/lib/cassandra",
    "/var/lib/clickhouse",
    "/var/lib/mongodb",
    "/var/lib/mysql",
    "/var/lib/postgresql",
    "/var/lib/rabbitmq",
    "/var/opt/mssql",
)
"""Where the images above keep their state: whoever writes there is one of them, whatever its image is called."""
FRONT_IMAGES = frozenset(
    [
        "angie",
        "apisix",
        "caddy",
        "envoy",
        "haproxy",
        "httpd",
        "kong",
        "nginx",
        "nginx-proxy",
        "nginx-proxy-manager",
        "nginx-unprivileged",
        "oauth2-proxy",
        "openresty",
        "proxy",
        "traefik",
        "varnish",
    ]
)
"""Proxies and web servers: what they write is a cache, logs, or certificates that two of them may share."""
RUNTIME_IMAGES = frozenset(
    [
        "alpine",
        "bun",
        "busybox",
        "debian",
        "deno",
        "eclipse-temurin",
        "elixir",
        "erlang",
        "golang",
        "node",
        "openjdk",
        "perl",
        "php",
        "python",
        "ruby",
        "rust",
        "ubuntu",
    ]
)
"""What runs the project's own code where that is mounted rather than built in."""
JOB_IMAGES = frozenset(["atlas", "dbmate", "flyway", "goose", "liquibase", "mc", "migrate"])
"""Programs that do one thing to another service and end."""
JOB_WORDS = frozenset(
    [
        "bootstrap",
        "createbuckets",
        "fixtures",
        "init",
        "initializer",
        "migrate",
        "migration",
        "migrations",
        "migrator",
        "provision",
        "seed",
        "seeder",
        "seeds",
        "setup",
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


def classify(  # noqa: PLR0911  # a rule a return, in the order in which they count
    name: str,
    definition: Mapping[str, Any],
    model: Mapping[str, Any],
    base: str = "",
    folders: Container[str] = (),
) -> tuple[Kind, str]:
    """The kind of a service in a normalized compose model, with the reason in words.

    `base` is the image that the service's own one is built from, where that is known; `folders` are the sources of bind
    mounts that hold data.
    """
    if reason := store_reason(definition, base):
        return Kind.DATA, reason
    foreign = "build" not in definition
    reference = str(definition.get("image", ""))
    application = not foreign or _is_application(name, reference, definition, model)
    if not application and (place := _own_place(name, definition, model, folders)):
        return Kind.DATA, f"{FOREIGN_STATE} {place}"
    if definition.get("ports"):
        return Kind.WEB, "publishes ports"
    if _awaited_to_complete(name, model):
        return Kind.JOB, "another service waits for it to complete"
    own_words = _words(name)
    if may_end(definition) and foreign and (program := image_name(reference)) in JOB_IMAGES:
        return Kind.JOB, f"image {program} runs once"
    if may_end(definition) and (found := sorted(own_words & JOB_WORDS)):
        return Kind.JOB, f"its name says {found[0]}, and nothing restarts it"
    if found := sorted({*own_words, *_words(_command_text(definition))} & WORKER_WORDS):
        return Kind.WORKER, f"its name or command says {found[0]}"
    return Kind.WEB, "can be reached by other services"


def store_reason(definition: Mapping[str, Any], base: str = "") -> str:
    """Why a service is one of the stores we know: databases, queues, indexes. Empty when it is none."""
    foreign = "build" not in definition
    if image := _data_image(str(definition.get("image", "")) if foreign else base):
        return f"image {image} keeps state" if foreign else f"built from {image}, which keeps state"
    folder = _state_folder(definition)
    return f"writes to {folder}, where a database keeps its state" if folder else ""


def may_end(definition: Mapping[str, Any]) -> bool:
    """Whether a service that ends with status 0 is as it should be: nothing restarts it, asks it or reaches it."""
    check = definition.get("healthcheck")
    lasting = definition.get("ports") or (check and not check.get("disable"))
    return not lasting and restart_of(definition).partition(":")[0] in {"", "no", "on-failure"}


def restart_of(definition: Mapping[str, Any]) -> str:
    """`restart`, or what `deploy.restart_policy` comes to, as compose has it. Empty when neither is there."""
    if own := definition.get("restart"):
        return str(own)
    policy = (definition.get("deploy") or {}).get("restart_policy")
    if not policy:
        return ""
    attempts = policy.get("max_attempts")
    return {
        "none": "no",
        "on-failure": f"on-failure:{attempts}" if attempts else "on-failure",
    }.get(str(policy.get("condition", "any")), "always")


def image_name(reference: str) -> str:
    """`registry:5000/team/postgres:17@sha256:…` to `postgres`."""
    return reference.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0]


def _data_image(reference: str) -> str:
    """What a reference is called among the images that keep state; empty when it is none of them."""
    name = image_name(reference)
    vendor = reference.split("@", 1)[0].split("/")[-2:-1]
    return next((one for one in (name, *(f"{word}/{name}" for word in vendor)) if one in DATA_IMAGES), "")


def _state_folder(definition: Mapping[str, Any]) -> str:
    """Where a service writes state as the known images do; empty when it does not, or only reads there."""
    targets = (str(mount.get("target", "")) for mount in definition.get("volumes") or () if not mount.get("read_only"))
    return next((target for target in targets if target.startswith(STATE_FOLDERS)), "")


def _is_application(name: str, reference: str, definition: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    """Whether a foreign image is the project's own code, or stands before it, rather than something it makes use of."""
    services = model["services"]
    before = [other for other in definition.get("depends_on") or () if "build" in services.get(other, {})]
    again = [other for other, one in services.items() if other != name and one.get("image") == definition.get("image")]
    known = image_name(reference) in FRONT_IMAGES | RUNTIME_IMAGES
    return known or bool(before or again) or "migrate" in (definition.get("x-deploy") or {})


def _own_place(
    name: str, definition: Mapping[str, Any], model: Mapping[str, Any], folders: Container[str]
) -> str | None:
    """A named volume, or a folder of data, that this service alone mounts, and not read-only."""
    for mount in definition.get("volumes") or ():
        source = str(mount.get("source") or "")
        if mount.get("read_only") or not source or (mount.get("type") != "volume" and source not in folders):
            continue
        sharers = [
            other
            for other, service in model["services"].items()
            if any(other_mount.get("source") == mount["source"] for other_mount in service.get("volumes") or ())
        ]
        if sharers == [name]:
            return f"volume {source}" if mount.get("type") == "volume" else f"folder {source}"
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
