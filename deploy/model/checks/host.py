"""Checks of a host, from its facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from deploy.model.checks.problem import Problem
from deploy.model.edge import EMPTY, Tls, listeners_of, published
from deploy.model.facts import Container, Facts
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.stack import Port
from deploy.model.swarm.names import is_task

OLDEST_ENGINE = (20, 10)
READS_ZSTD = (23,)
OLDEST_COMPOSE = (2, 17)
CLOCK_SKEW = timedelta(minutes=2)
LONGEST_NAME = 63
"""Characters of one part of a name in DNS (RFC 1035, 2.3.4)."""
RESERVE_BYTES = 1 << 30
"""Disk that must stay free beyond the images to come."""
UNPACKED = 2.2
"""`docker load` needs the archive's bytes and the unpacked layers at once."""


def check_host(
    facts: Facts,
    record: ReleaseRecord,
    layout: HostLayout,
    *,
    architecture: str,
    incoming_bytes: int,
    now: datetime,
    tls: Tls | None = None,
    direct: Mapping[str, tuple[Port, ...]] | None = None,
) -> Iterator[Problem]:
    """Everything on a host that would stop a deploy, or that its owner would want to know.

    `direct` are the ports that containers of a service publish themselves, not the edge for them.
    `architecture` is the one images are built for, `incoming_bytes` what is about to be sent to it.
    """
    setup = f"inv host.setup --host {facts.host}"
    if not facts.engine_version:
        if facts.sudo and facts.compose_version:
            setup += f"; or `sudo: true` for the environment, where {facts.user} shall not be in the group docker"
        yield Problem(
            f"no Docker engine answers to user {facts.user}: {facts.engine_error or 'not installed'}",
            setup,
            rule="host-engine",
        )
        return
    yield from check_frozen(facts)
    yield from _programs(facts, setup)
    if facts.architecture != architecture:
        yield Problem(
            f"the host is {facts.architecture}, images would be built for {architecture}",
            "unset DOCKER_DEFAULT_PLATFORM: images are built for the host by themselves",
            rule="host-architecture",
        )
    if not facts.root_writable and not facts.sudo:
        yield Problem(
            f"user {facts.user} can neither write to {layout.root} nor use sudo without a password",
            setup,
            rule="host-folder",
        )
    needed = int(incoming_bytes * UNPACKED) + RESERVE_BYTES
    if facts.data_free_bytes and facts.data_free_bytes < needed:
        yield Problem(
            f"{facts.data_free_bytes / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed",
            "free some: docker system df shows what takes them",
            rule="host-disk",
        )
    yield from _ports(facts, record, layout, tls)
    yield from _direct_ports(facts, layout, direct or {})
    yield from _names(record, layout)
    if abs(facts.now - now) > CLOCK_SKEW:
        yield Problem(
            f"the host's clock is off by {abs(facts.now - now)}",
            "set it, for example with chrony",
            fatal=False,
            rule="host-clock",
        )
    for text in facts.unreadable:
        yield Problem(text, fatal=False, rule="host-release")


def check_frozen(facts: Facts) -> Iterator[Problem]:
    """Whether somebody asked that nothing be changed."""
    if facts.frozen:
        by, since, message = (facts.frozen.get(key, "?") for key in ("by", "since", "message"))
        yield Problem(
            f"locked by {by} since {since}: {message}", "inv ENVIRONMENT.unlock, when that is over", rule="host-locked"
        )


def _programs(facts: Facts, setup: str) -> Iterator[Problem]:
    if _version(facts.engine_version) < OLDEST_ENGINE:
        yield Problem(
            f"Docker Engine {facts.engine_version} is older than {_text(OLDEST_ENGINE)}",
            "upgrade it",
            rule="host-engine",
        )
    elif _version(facts.engine_version) < READS_ZSTD and not facts.zstd:
        yield Problem(
            f"Docker Engine {facts.engine_version} cannot read zstd, and there is no zstd to do it",
            setup,
            rule="host-engine",
        )
    if not facts.compose_version:
        yield Problem("docker compose v2 is not installed", setup, rule="host-engine")
    elif _version(facts.compose_version) < OLDEST_COMPOSE:
        yield Problem(
            f"docker compose {facts.compose_version} is older than {_text(OLDEST_COMPOSE)}",
            "upgrade it",
            rule="host-engine",
        )


def _ports(facts: Facts, record: ReleaseRecord, layout: HostLayout, tls: Tls | None) -> Iterator[Problem]:
    ours = published(facts.edge) if facts.edge else frozenset()
    wanted = {listener.port.published: listener.service for listener in listeners_of(record)}
    for port in sorted(published(EMPTY.listening(listeners_of(record), tls))):
        if port in ours or port not in facts.listening:
            continue
        holder = next((container for container in facts.containers if re.search(rf":{port}->", container.ports)), None)
        if holder and holder.project in {layout.edge_project, layout.data_project}:
            continue
        if holder in facts.by_hand(layout) or (holder and is_task(holder.name, layout.project)):
            continue
        by = f"the container {holder.name}" if holder else "a process outside Docker"
        wants = wanted.get(port, "certificates")
        remedy = "stop it, or publish another port" if port in wanted else "stop it, or set `acme: false`"
        if holder and holder.project and _is_this_stack(facts.of_project(holder.project), record):
            remedy = (
                f"it looks like this stack, started by hand: `deploy: {{project: {holder.project}}}` in invoke.yaml "
                "takes it over with its data; or stop it"
            )
        yield Problem(f"port {port} (for {wants}) is held by {by}", remedy, rule="host-port")


def _names(record: ReleaseRecord, layout: HostLayout) -> Iterator[Problem]:
    """Containers that the edge would have to find by a name that no resolver asks for."""
    for name in sorted({public.service for public in record.public}):
        service = record.services[name]
        lasting = service.kind == Kind.DATA
        called = layout.data_container(name) if lasting else layout.container(record.id, name, service.replicas)
        if (excess := len(called) - LONGEST_NAME) > 0:
            yield Problem(
                f"a container of {name} would be called {called}: {len(called)} characters, names have at most "
                f"{LONGEST_NAME}",
                f"a project name of at most {len(layout.project) - excess} characters: `deploy: {{project: …}}` in "
                "invoke.yaml",
                rule="host-name",
            )


def _is_this_stack(others: Iterable[Container], record: ReleaseRecord) -> bool:
    """Whether a compose project has the services of a stack, as one does that was started under another name."""
    names = {one.service for one in others}
    return names >= {name for name, one in record.services.items() if one.kind == Kind.DATA} and len(
        names & record.services.keys()
    ) * 2 > len(record.services)


def _direct_ports(facts: Facts, layout: HostLayout, direct: Mapping[str, tuple[Port, ...]]) -> Iterator[Problem]:
    """Ports that somebody holds and that are not handed over by a container of ours when it is replaced."""
    for service, ports in direct.items():
        for port in ports:
            pattern = rf":{port.published}(-\d+)?->\d+(-\d+)?/{port.protocol}"
            holders = [one for one in facts.containers if one.running and re.search(pattern, one.ports)]
            ours = [
                one
                for one in holders
                if one.project == layout.project
                or one.project.startswith(f"{layout.project}-")
                or is_task(one.name, layout.project)
            ]
            if ours or not (holders or (port.protocol == "tcp" and port.published in facts.listening)):
                continue
            by = f"the container {holders[0].name}" if holders else "a process outside Docker"
            yield Problem(
                f"port {port} (for {service}) is held by {by}",
                "stop it, or publish another port",
                path=("services", service, "ports", str(port.published)),
                rule="host-port",
            )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
