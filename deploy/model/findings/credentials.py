"""Data services: which server each is, and where its credentials come from. Never the values of secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.model.kinds import image_name

_VARIABLE = re.compile(r"(?<!\$)\$\{?([A-Za-z_]\w*)")


@dataclass(frozen=True)
class _Server:
    """A kind of server, and the variables its image is set up by, the likeliest first."""

    name: str
    images: tuple[str, ...]
    users: tuple[str, ...] = ()
    passwords: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    user: str = ""
    """What it is when no variable says."""


_SERVERS = (
    _Server(
        "PostgreSQL",
        ("postgres", "postgresql", "postgis", "pgvector", "timescaledb"),
        ("POSTGRES_USER", "POSTGRESQL_USERNAME"),
        ("POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "POSTGRES_HOST_AUTH_METHOD"),
        ("POSTGRES_DB", "POSTGRESQL_DATABASE"),
        "postgres",
    ),
    _Server(
        "MySQL",
        ("mysql", "mysql-server", "percona", "percona-server"),
        ("MYSQL_USER",),
        ("MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD"),
        ("MYSQL_DATABASE",),
        "root",
    ),
    _Server(
        "MariaDB",
        ("mariadb",),
        ("MARIADB_USER", "MYSQL_USER"),
        ("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_PASSWORD", "MYSQL_PASSWORD"),
        ("MARIADB_DATABASE", "MYSQL_DATABASE"),
        "root",
    ),
    _Server(
        "MongoDB",
        ("mongo", "mongodb"),
        ("MONGO_INITDB_ROOT_USERNAME", "MONGODB_ROOT_USER"),
        ("MONGO_INITDB_ROOT_PASSWORD", "MONGODB_ROOT_PASSWORD"),
        ("MONGO_INITDB_DATABASE", "MONGODB_DATABASE"),
    ),
    _Server("SQL Server", ("mssql", "azure-sql-edge"), (), ("MSSQL_SA_PASSWORD", "SA_PASSWORD"), (), "sa"),
    _Server(
        "Redis", ("redis", "redis-stack", "redis-stack-server", "redismod", "valkey", "keydb"), (), ("REDIS_PASSWORD",)
    ),
    _Server("RabbitMQ", ("rabbitmq",), ("RABBITMQ_DEFAULT_USER",), ("RABBITMQ_DEFAULT_PASS",), (), "guest"),
    _Server("MinIO", ("minio",), ("MINIO_ROOT_USER",), ("MINIO_ROOT_PASSWORD",)),
    _Server("Qdrant", ("qdrant",), (), ("QDRANT__SERVICE__API_KEY",)),
    _Server("Elasticsearch", ("elasticsearch",), (), ("ELASTIC_PASSWORD",), (), "elastic"),
    _Server("Neo4j", ("neo4j",), (), ("NEO4J_AUTH",)),
)


@dataclass(frozen=True)
class Credentials:
    """How a data service was set up."""

    server: str
    """`PostgreSQL`, or the image's name where the server is not known."""
    user: str
    database: str
    password: str
    """Where it comes from, in words."""

    def __str__(self) -> str:
        user = f"user {self.user}" if self.user else ""
        database = f"database {self.database}" if self.database else ""
        return ", ".join(part for part in (self.server, user, database) if part)


def credentials_of(image: str, environment: Mapping[str, str | None], raw: Mapping[str, str | None]) -> Credentials:
    """The credentials of a data service, from its image and its environment.

    `raw` is the environment before variables were put in, which tells where a value comes from.
    """
    server = next((one for one in _SERVERS if image_name(image) in one.images), _Server(image_name(image), ()))
    user = _value(server.users, environment) or server.user
    database = _value(server.databases, environment)
    if server.name == "PostgreSQL":
        database = database or user  # as its image has it
    return Credentials(server.name, user, database, _origin(server.passwords, environment, raw))


def _value(names: Sequence[str], environment: Mapping[str, str | None]) -> str:
    for name in names:
        if environment.get(name):
            return str(environment[name])
        if environment.get(f"{name}_FILE"):
            return f"in {environment[f'{name}_FILE']}"
    return ""


def _origin(names: Sequence[str], environment: Mapping[str, str | None], raw: Mapping[str, str | None]) -> str:
    for name in names:
        if environment.get(f"{name}_FILE"):
            return f"password in the file {environment[f'{name}_FILE']}"
        if name not in environment:
            continue
        if name.endswith(("METHOD", "EMPTY_PASSWORD")):
            return f"no password ({name})"
        variables = _VARIABLE.findall(str(raw.get(name) or ""))
        if variables:
            return f"password from {', '.join(dict.fromkeys(variables))}"
        return f"password written as {name} in the compose file" if environment[name] else f"{name} is blank"
    return "no password is set" if names else ""
