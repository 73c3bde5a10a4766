"""What is open to people whom it should not be open to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind, image_name
from deploy.model.rules.given import given, place_of
from deploy.model.rules.published import (
    PublishedPort,
    Reach,
    entry_word,
    number_of,
    ports_of,
    published,
    reach_of,
    without_ports,
)
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.started import started
from deploy.model.rules.subject import Subject, at
from deploy.model.stack import Service

_DATABASE_PORTS = frozenset(
    {1433, 2379, 3306, 5432, 5984, 6333, 6334, 6379, 9042, 9200, 9300, 11211, 26257, 27017, 28015}
)
"""Container ports of databases, whatever image it is that listens there."""
_MEANT = frozenset(
    [
        *("eclipse-mosquitto", "emqx", "forgejo", "gitea", "influxdb", "meilisearch", "minecraft-server", "minio"),
        *("nats", "pihole", "portainer", "portainer-ce", "prometheus", "typesense"),
    ]
)
"""What keeps state and is reached from outside all the same, by people and programs with an account."""
_ADMIN_IMAGES = frozenset(
    [
        *("adminer", "cadvisor", "celery-flower", "cloudbeaver", "docker-registry-ui", "dozzle", "flower", "kafka-ui"),
        *("kibana", "mongo-express", "netdata", "pgadmin", "pgadmin4", "pgweb", "phpmyadmin", "phpredisadmin"),
        *("portainer", "portainer-ce", "prometheus", "redis-commander", "redisinsight", "rq-dashboard", "yacht"),
    ]
)


@rule(
    "published-data",
    Severity.ERROR,
    "A database is open to the world",
    why="""
    A database's published port is bound to every address of the host, and Docker opens it past `ufw`. Databases on
    public addresses are found by scanners within hours. An override that says `ports: []` clears nothing: compose
    adds lists together. On a private address, or for a service that is not known to be a database, it is warned of.
    """,
    fix="""
    Leave `ports` out: services of the stack reach each other without. In a file laid over another, `ports: !reset
    []` takes them away. For a tunnel from your own machine bind it to the host itself: `127.0.0.1:5432:5432`.
    """,
    mends=True,
)
def published_data(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        for reach in (Reach.ANYWHERE, Reach.PRIVATE):
            open_ones = [one for one in _data_ports(service) if reach_of(one) == reach]
            if not open_ones:
                continue
            names = ", ".join(published(one) for one in open_ones)
            whom = "everybody who reaches the host" if reach == Reach.ANYWHERE else "everybody in that network"
            first = open_ones[0]
            yield Problem(
                f"{service.name} is published on {names}, for {whom}{_tried(subject, service)}",
                f"ports: !reset [] in the last compose file, or 127.0.0.1:{number_of(first)}:{first['target']}",
                fatal=reach == Reach.ANYWHERE and service.kind == Kind.DATA and service.store,
                path=at(service, "ports", entry_word(subject, service, first)),
                overlay=without_ports(service, open_ones) if reach == Reach.ANYWHERE else {},
            )


@rule(
    "published-admin",
    Severity.WARNING,
    "A tool for administrators is open to the world",
    why="""
    Whoever gets into it has the databases, or the host, behind it. Most of these tools ask for one password, some for
    none, and their own flaws are looked for.
    """,
    fix="`127.0.0.1:8080:8080`, and a tunnel from your own machine: `ssh -L 8080:localhost:8080 host`.",
)
def published_admin(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        ports = [one for one in ports_of(service) if reach_of(one) == Reach.ANYWHERE]
        name = image_name(service.runs)
        if name == "traefik" and "--api.insecure" in started(service, subject).text.replace("insecure=false", ""):
            ports = [one for one in ports if int(one["target"]) == 8080]  # noqa: PLR2004  # where its dashboard is
        elif name not in _ADMIN_IMAGES:
            continue
        if ports:
            yield Problem(
                f"{service.name} ({name}) is published on {published(ports[0])}, for everybody who reaches the host",
                f"127.0.0.1:{number_of(ports[0])}:{ports[0]['target']}, and ssh -L to reach it",
                path=at(service, "ports", entry_word(subject, service, ports[0])),
            )


@rule(
    "trust-authentication",
    Severity.ERROR,
    "A database asks nobody for a password",
    why="Whoever reaches the database, every other container of its networks for one, can read and change all of it.",
    fix="""
    Take `POSTGRES_HOST_AUTH_METHOD: trust` out and set a password. It only counts for a new volume: for one that is
    there, edit `pg_hba.conf`.
    """,
)
def trust_authentication(subject: Subject) -> Iterator[Problem]:
    for one in given(subject):
        if one.service.kind == Kind.DATA and _lets_in(one.service, one.name, one.value, true=one.true):
            yield Problem(
                f"{one.service.name} lets everybody in without a password ({one.name}: {one.value})",
                "take it out, and set a password",
                path=one.path,
                place=place_of(one, subject),
                fatal=one.name != "ALLOW_EMPTY_PASSWORD" or image_name(one.service.runs) not in {"redis", "valkey"},
            )
    for service in subject.stack.data:
        ports = [one for one in ports_of(service) if reach_of(one) != Reach.HERE]
        if ports and (needed := _no_password(service, started(service, subject).text)):
            yield Problem(
                f"{service.name} is published on {published(ports[0])} and asks nobody for a password",
                needed,
                fatal=any(reach_of(one) == Reach.ANYWHERE for one in ports),
                path=at(service, "ports", entry_word(subject, service, ports[0])),
            )


@rule(
    "cors-any",
    Severity.WARNING,
    "Every web site may ask in a visitor's name",
    why="""
    With `*` as the allowed origin any page on the web reads what the service answers to whoever looks at that page;
    where cookies are allowed, too, it acts as them.
    """,
    fix="Name the origins of your own pages: `https://shop.example.com`.",
)
def cors_any(subject: Subject) -> Iterator[Problem]:
    for one in given(subject):
        if (_ORIGINS.fullmatch(one.name) and _has_star(one.value)) or (_ANY_ORIGIN.fullmatch(one.name) and one.true):
            yield Problem(
                f"{one.service.name}: {one.name} lets every web site in ({one.value})",
                "name the origins of your own pages: https://shop.example.com",
                path=one.path,
                place=place_of(one, subject),
            )


@rule(
    "hosts-any",
    Severity.WARNING,
    "A service answers to every host name",
    why="""
    What a visitor sends as `Host` ends in links of mails and in caches: with `*` a reset mail can be made to lead to
    somebody else's site.
    """,
    fix="Name the host: `ALLOWED_HOSTS: shop.example.com`.",
)
def hosts_any(subject: Subject) -> Iterator[Problem]:
    for one in given(subject):
        if _HOSTS.fullmatch(one.name) and _has_star(one.value):
            yield Problem(
                f"{one.service.name}: {one.name} is {one.value}",
                "name the hosts it is reached by: shop.example.com",
                path=one.path,
                place=place_of(one, subject),
            )


_ORIGINS = re.compile(
    r"(?:.*_)?(?:CORS(?:_\w+)?_ORIGINS?(?:_\w+)?|ALLOW(?:ED)?_ORIGINS?|ALLOW_ORIGIN|CORS|CORS_ALLOW\w*)", re.IGNORECASE
)
_ANY_ORIGIN = re.compile(r"(?:.*_)?CORS_(?:ORIGINS?_)?ALLOW_ALL(?:_ORIGINS)?", re.IGNORECASE)
_HOSTS = re.compile(r"(?:.*_)?(?:ALLOWED|TRUSTED)_?HOSTS?", re.IGNORECASE)
_TRUST = re.compile(r"(?:--auth(?:-host)?[= ]|-A\s*)trust")


def _lets_in(service: Service, name: str, value: str, *, true: bool) -> bool:
    """Whether a variable of a data service takes its password away."""
    if name == "POSTGRES_HOST_AUTH_METHOD":
        return value.strip() == "trust"
    if name == "POSTGRES_INITDB_ARGS":
        return bool(_TRUST.search(value))
    empty = {"MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "ALLOW_EMPTY_PASSWORD"}
    if name in empty and value and (true or name != "ALLOW_EMPTY_PASSWORD"):
        roots = ("_ROOT_PASSWORD", "_ROOT_PASSWORD_FILE", "_ROOT_PASSWORD_HASH")
        wanted = roots if name != "ALLOW_EMPTY_PASSWORD" else ("_PASSWORD", "_PASSWORD_FILE")
        others = ((other, set_) for other, set_ in service.environment.items() if set_ and other not in empty)
        return not any(other.endswith(wanted) for other, _ in others)
    return name == "xpack.security.enabled" and value.lower() == "false" and bool(list(ports_of(service)))


def _no_password(service: Service, command: str) -> str:
    """What a data service needs so that it asks for a password; empty when it does, or may by a file of its own."""
    name = image_name(service.runs)
    own_files = any(one.get("type") == "bind" for one in service.definition.get("volumes") or ())
    if own_files or service.definition.get("configs") or service.build:
        return ""
    names = {word for word, value in service.environment.items() if value}
    if name in {"redis", "valkey", "keydb", "dragonfly", "redis-stack", "redis-stack-server"}:
        asks = "requirepass" in command or any("PASSWORD" in one or one.endswith("_ARGS") for one in names)
        return "" if asks else "command: redis-server --requirepass …, or no ports"
    if name in {"mongo", "mongodb"}:
        asks = "--auth" in command or any("ROOT" in one and ("PASSWORD" in one) for one in names)
        return "" if asks else "set MONGO_INITDB_ROOT_USERNAME and MONGO_INITDB_ROOT_PASSWORD, or no ports"
    return ""


def _has_star(value: str) -> bool:
    """`*`, `a.example,*`, `["*"]`: not `https://*.example.com`."""
    return "*" in re.split(r"[\s,;\"'\[\]]+", value)


def _data_ports(service: Service) -> Iterator[PublishedPort]:
    """Entries of `ports` behind which is a database rather than a page that the edge takes over."""
    if image_name(service.runs) in _MEANT | _ADMIN_IMAGES:
        return
    pages = {(one.published, one.target) for one in service.edge_ports if one.http}
    for one in ports_of(service):
        number = str(one.get("published") or "")
        page = number.isdecimal() and (int(number), int(one["target"])) in pages
        if not page and (service.kind == Kind.DATA or int(one["target"]) in _DATABASE_PORTS):
            yield one


def _tried(subject: Subject, service: Service) -> str:
    """What somebody wrote to take the ports away, and which does not."""
    before = False
    for file in subject.files:
        own = file.service(service.name)
        if before and "ports" in own and own["ports"] in ([], None):
            return f"; {file.path} says `ports: []`, which clears nothing"
        before = before or bool(own.get("ports"))
    return ""
