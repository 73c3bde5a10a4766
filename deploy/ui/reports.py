"""States of hosts as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from deploy.model.facts import Facts
from deploy.model.journal import Outcome, Probes, interrupted
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine
from deploy.model.usage import Newest, Usage
from deploy.model.wal import Kept
from deploy.model.waves import MANY, HostOutcome, HostResult
from deploy.ui.certificates import certificate_problems
from deploy.ui.console import columns
from deploy.ui.units import age, count, duration, names_of, size


def seen(probes: Probes | None) -> str:
    """What a change's last line says about the requests from outside; nothing when there were none."""
    if not probes or not probes.sent:
        return ""
    return f"; {probes.failed} of {probes.sent} probes failed, slowest {probes.slowest_ms} ms"


def summary_rows(results: Iterable[HostResult]) -> Iterator[Sequence[str]]:
    """A row for every host of a run."""
    for result in results:
        yield (
            result.host,
            str(result.outcome),
            result.serves,
            duration(result.seconds) if result.seconds else "",
            size(result.bytes_sent) if result.bytes_sent else "",
            f"{result.probes.failed} of {result.probes.sent}" if result.probes and result.probes.sent else "",
        )


SUMMARY_HEADINGS = ("host", "outcome", "release there", "took", "sent", "probes failed")
GROUP_HEADINGS = ("hosts", *SUMMARY_HEADINGS[1:], "which")
MOST_BAD = 20
"""Hosts of one outcome that are named where it is a bad one."""


def summary_lines(results: Sequence[HostResult]) -> Iterator[str]:
    """The table at the end of a run: a line for every host, or for every outcome where the hosts are very many."""
    if len(results) <= MANY:
        yield from columns(SUMMARY_HEADINGS, summary_rows(results))
    else:
        yield from columns(GROUP_HEADINGS, _group_rows(results))


def _group_rows(results: Sequence[HostResult]) -> Iterator[Sequence[str]]:
    """A row for every outcome, in the order in which they are declared."""
    groups: dict[HostOutcome, list[HostResult]] = {}
    for result in results:
        groups.setdefault(result.outcome, []).append(result)
    for outcome in HostOutcome:
        if group := groups.get(outcome):
            serving = {result.serves for result in group}
            seconds = sorted(result.seconds for result in group)
            shortest, longest = duration(seconds[0]), duration(seconds[-1])
            probes = [result.probes for result in group if result.probes]
            asked = sum(one.sent for one in probes)
            yield (
                str(len(group)),
                str(outcome),
                serving.pop() if len(serving) == 1 else count(len(serving), "release"),
                (shortest if shortest == longest else f"{shortest} to {longest}") if seconds[-1] else "",
                size(sent) if (sent := sum(result.bytes_sent for result in group)) else "",
                f"{sum(one.failed for one in probes)} of {asked}" if asked else "",
                names_of([result.host for result in group], MOST_BAD if outcome.bad else 0),
            )


STATUS_HEADINGS = ("part", "service", "state", "status", "image")
BY_HAND = "by hand"


def status_rows(facts: Facts, layout: HostLayout) -> Iterator[Sequence[str]]:
    """A row for every container of the project that runs or should run."""
    live = facts.live
    projects = {
        layout.edge_project: "edge",
        layout.data_project: "data",
        **({layout.release_project(live.id): "live"} if live else {}),
    }
    for container in facts.by_hand(layout):
        yield (BY_HAND, container.service, container.state, container.status, container.image)
    for container in facts.containers:
        if container.project in projects:
            yield (projects[container.project], container.service, container.state, container.status, container.image)
    if live:
        present = {container.service for container in facts.release_containers(layout, live.id)}
        for name, service in live.services.items():
            if service.kind != Kind.DATA and name not in present:
                yield ("live", name, "missing", "", service.image)


def backup_lines(newest: Newest, proved: Newest, now: datetime) -> Iterator[str]:
    """The newest backup of each store that has a server, and whether it is the newest that a drill has found good."""
    for service, manifest in newest.items():
        if manifest is None:
            yield f"backup of {service}: none yet"
        else:
            about = f"{age(manifest.started_at, now)}, {size(manifest.size_bytes)}, {manifest.id}"
            found = "proved" if manifest == proved[service] else "not proved by a drill"
            yield f"backup of {service}: {about}, {found}"


def wal_lines(kept: Iterable[Kept]) -> Iterator[str]:
    """Which moments of each database can be had."""
    for one in kept:
        yield f"{one}, {size(one.size_bytes)} of WAL"


def disk_line(facts: Facts, usage: Usage) -> str:
    """What is free, and what the project takes."""
    of = f" of {size(facts.data_bytes)}" if facts.data_bytes else ""
    images = f"; {count(usage.images, 'image')}, at most {size(usage.images_bytes)}" if usage.images else ""
    folders = (
        f"{name} {size(taken)}"
        for name, taken in (
            ("releases", usage.releases_bytes),
            ("backups", usage.backups_bytes),
            ("shared", usage.shared_bytes),
        )
    )
    return f"disk: {size(facts.data_free_bytes)}{of} free; {', '.join(folders)}{images}"


def warm_lines(facts: Facts) -> Iterator[str]:
    for release_id, until in facts.warm.items():
        if until > facts.now:
            left = duration((until - facts.now).total_seconds())
            yield f"{release_id} is kept warm for {left} more: a rollback to it starts nothing"


def status_problems(facts: Facts, layout: HostLayout) -> tuple[str, ...]:
    """What is not as it should be, in sentences; empty when all is well."""
    found = []
    live = facts.live
    if not facts.engine_version:
        return (f"no Docker engine answers: {facts.engine_error}",)
    by_hand = ", ".join(sorted({one.service for one in facts.by_hand(layout)}))
    if by_hand:
        by_hand += f" of the compose project {layout.project} run by hand"
    if live is None:
        return ("no release is live" + (f"; {by_hand}: a deploy takes them over" if by_hand else ""),)
    if live.engine == Engine.SWARM:
        return (f"{live.id} serves in a cluster: engine: swarm in invoke.yaml looks at it, a deploy moves it here",)
    if facts.cluster.services:
        found.append("a part of it is in the cluster: a move was begun and never ended, a deploy ends it")
    if by_hand:
        found.append(f"{by_hand} beside it: deploy again")
    found += _not_well(facts, live, layout)
    client = [one for one in facts.of_project(layout.edge_project) if one.name == layout.acme_container]
    found += certificate_problems(facts, renewed=any(container.running for container in client))
    found += _too_few(facts, live, layout)
    if live.public and not facts.edge_serves:
        found.append("the edge does not run: no public port answers")
    if facts.current and facts.current != live.id:
        found.append(f"the edge serves {live.id}, the current link names {facts.current}: deploy or roll back again")
    if not facts.lock and (broken := interrupted(facts.journal)):
        found.append(f"{broken.release} was begun by {broken.by} and never ended: deploy again")
    return tuple(found)


def _not_well(facts: Facts, live: ReleaseRecord, layout: HostLayout) -> Iterator[str]:
    """Containers of ours that do not run, or are unhealthy."""
    for part, service, state, status, _ in status_rows(facts, layout):
        if part == BY_HAND:
            continue
        record = live.services.get(service)
        ended = record and (record.kind == Kind.JOB or (record.may_end and status.startswith("Exited (0)")))
        if state != "running" and not ended:
            yield f"{service} is {state}"
        elif "(unhealthy)" in status:
            yield f"{service} is unhealthy"


def _too_few(facts: Facts, live: ReleaseRecord, layout: HostLayout) -> Iterator[str]:
    """Services of which fewer run than there should be, beyond those that are told container by container."""
    containers = facts.release_containers(layout, live.id)
    for name, service in live.services.items():
        present = sum(one.service == name for one in containers)
        if service.kind not in {Kind.DATA, Kind.JOB} and 0 < present < service.replicas:
            yield f"{name} has {present} of {service.replicas} containers"


def summary(facts: Facts) -> str:
    """The last change, or the one that is going on, in a sentence; before it, that users get the maintenance page."""
    if facts.maintenance:
        by, since, message = (facts.maintenance.get(key, "") for key in ("by", "since", "message"))
        said = f" ({message})" if message else ""
        return f"in maintenance since {since} by {by}{said}: users get the page; {_last_change(facts)}"
    return _last_change(facts)


def _last_change(facts: Facts) -> str:
    if facts.frozen:
        return f"locked by {facts.frozen.get('by')}: {facts.frozen.get('message')}"
    if facts.lock:
        return f"{facts.lock.get('by', 'somebody')} is {facts.lock.get('purpose', 'at work')}"
    now = facts.now
    last = next((entry for entry in reversed(facts.journal) if entry.outcome != Outcome.STARTED), None)
    return (
        f"last change: {last.release} {last.outcome} {age(last.at, now)} by {last.by}"
        if last
        else "nothing was ever deployed"
    )
