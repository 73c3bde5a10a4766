"""Whether two releases fit into a host's memory side by side, as they stand there during a switch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord

_MOST = 4
"""Services that are named."""


@dataclass(frozen=True)
class Demand:
    """What the containers of one service will want together."""

    service: str
    size_bytes: int
    measured: bool
    """Whether the live release was seen to have that; else it is the limit."""


def check_memory(
    facts: Facts, record: ReleaseRecord, layout: HostLayout, limits: Mapping[str, int]
) -> Iterator[Problem]:
    """`limits` has the bytes that one container of a service may have, for those that say so."""
    twice = [name for name, one in record.services.items() if one.kind != Kind.DATA and not one.exclusive]
    once = [name for name in record.services if name not in twice]
    live = facts.live
    demands = [one for name in twice if (one := _demand(name, facts, record, live, layout, limits))]
    wanted = sum(one.size_bytes for one in demands)
    if live:
        what = f"this release beside {live.id}"
    else:  # nothing runs yet: the first switch will find all of it there, and the next release besides
        others = [one for name in once if (one := _demand(name, facts, record, None, layout, limits))]
        what = "two releases side by side"
        wanted, demands = 2 * wanted + sum(one.size_bytes for one in others), [*demands, *others]
    if wanted <= facts.memory_bytes or not facts.memory_bytes:
        return
    largest = sorted(demands, key=lambda one: one.size_bytes, reverse=True)
    named = ", ".join(
        f"{one.service} {_size(one.size_bytes)}{'' if one.measured else ' by its limit'}" for one in largest[:_MOST]
    )
    more = f", {len(largest) - _MOST} more" if len(largest) > _MOST else ""
    yield Problem(
        f"{what} may want {_size(wanted)} of memory ({named}{more}), {_size(facts.memory_bytes)} can be had",
        "lower the limits (deploy.resources.limits.memory), stop something there, or give it memory or swap",
        fatal=False,
        rule="host-memory",
    )


def _demand(
    name: str,
    facts: Facts,
    record: ReleaseRecord,
    live: ReleaseRecord | None,
    layout: HostLayout,
    limits: Mapping[str, int],
) -> Demand | None:
    """What is known of a service: what it has in the live release, else its limit; nothing where neither is known."""
    replicas = record.services[name].replicas
    containers = facts.release_containers(layout, live.id) if live else ()
    has = [facts.machine.memory_of.get(one.id, 0) for one in containers if one.service == name]
    if any(has):
        return Demand(name, max(has) * replicas, measured=True)
    return Demand(name, limits[name] * replicas, measured=False) if limits.get(name) else None


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"  # noqa: PLR2004
