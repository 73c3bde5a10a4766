"""Checks of a host, from its facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from deploy.model.checks.problem import Problem
from deploy.model.edge import listeners_of
from deploy.model.facts import Facts
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord

OLDEST_ENGINE = (20, 10)
READS_ZSTD = (23,)
OLDEST_COMPOSE = (2, 17)
CLOCK_SKEW = timedelta(minutes=2)
RESERVE_BYTES = 1 << 30
"""Disk that must stay free beyond the images to come."""
UNPACKED = 2.2
"""`docker load` needs the archive's bytes and the unpacked layers at once."""


def check_host(
    facts: Facts, record: ReleaseRecord, layout: HostLayout, *, architecture: str, incoming_bytes: int, now: datetime
) -> Iterator[Problem]:
    """Everything on a host that would stop a deploy, or that its owner would want to know.

    `architecture` is the one images are built for here, `incoming_bytes` what is about to be sent to it.
    """
    setup = f"inv host.setup --host {facts.host}"
    if not facts.engine_version:
        yield Problem(f"no Docker engine answers to user {facts.user}: {facts.engine_error or 'not installed'}", setup)
        return
    yield from check_frozen(facts)
    yield from _programs(facts, setup)
    if facts.architecture != architecture:
        yield Problem(
            f"the host is {facts.architecture}, images are built for {architecture} here",
            f"build on a {facts.architecture} machine, or set DOCKER_DEFAULT_PLATFORM=linux/{facts.architecture}",
        )
    if not facts.root_writable and not facts.sudo:
        yield Problem(f"user {facts.user} can neither write to {layout.root} nor use sudo without a password", setup)
    needed = int(incoming_bytes * UNPACKED) + RESERVE_BYTES
    if facts.data_free_bytes and facts.data_free_bytes < needed:
        yield Problem(
            f"{facts.data_free_bytes / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed",
            "free some: docker system df shows what takes them",
        )
    yield from _ports(facts, record, layout)
    if abs(facts.now - now) > CLOCK_SKEW:
        yield Problem(
            f"the host's clock is off by {abs(facts.now - now)}", "set it, for example with chrony", fatal=False
        )
    for text in facts.unreadable:
        yield Problem(text, fatal=False)


def check_frozen(facts: Facts) -> Iterator[Problem]:
    """Whether somebody asked that nothing be changed."""
    if facts.frozen:
        by, since, message = (facts.frozen.get(key, "?") for key in ("by", "since", "message"))
        yield Problem(f"locked by {by} since {since}: {message}", "inv ENVIRONMENT.unlock, when that is over")


def _programs(facts: Facts, setup: str) -> Iterator[Problem]:
    if _version(facts.engine_version) < OLDEST_ENGINE:
        yield Problem(f"Docker Engine {facts.engine_version} is older than {_text(OLDEST_ENGINE)}", "upgrade it")
    elif _version(facts.engine_version) < READS_ZSTD and not facts.zstd:
        yield Problem(f"Docker Engine {facts.engine_version} cannot read zstd, and there is no zstd to do it", setup)
    if not facts.compose_version:
        yield Problem("docker compose v2 is not installed", setup)
    elif _version(facts.compose_version) < OLDEST_COMPOSE:
        yield Problem(f"docker compose {facts.compose_version} is older than {_text(OLDEST_COMPOSE)}", "upgrade it")


def _ports(facts: Facts, record: ReleaseRecord, layout: HostLayout) -> Iterator[Problem]:
    ours = {listener.port.published for listener in facts.edge.listeners} if facts.edge else set()
    for listener in listeners_of(record):
        published = listener.port.published
        if published in ours or published not in facts.listening:
            continue
        holder = next(
            (container for container in facts.containers if re.search(rf":{published}->", container.ports)), None
        )
        if holder and holder.project in {layout.edge_project, layout.data_project}:
            continue
        by = f"the container {holder.name}" if holder else "a process outside Docker"
        yield Problem(f"port {published} (for {listener.service}) is held by {by}", "stop it, or publish another port")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
