"""Checks of a host as a machine, apart from any project: nothing of this stops a deploy, and its owner should know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts

OLDEST_LISTS = timedelta(days=30)
OLDEST_PACKAGES = timedelta(days=90)
"""Longer than that, no stable distribution goes without an update that a host has a use for."""
ROOMY_BYTES = 2 << 30
"""With this much memory a host may well do without swap."""
_LITTLE = 0.95
"""Machines sold as 2 GB tell of somewhat less."""


def check_machine(facts: Facts) -> Iterator[Problem]:
    """Its upkeep and its swap."""
    machine, host = facts.machine, facts.host
    if 0 < machine.memory_bytes < ROOMY_BYTES * _LITTLE and not machine.swap_bytes:
        yield Problem(
            f"{machine.memory_bytes / 1e9:.1f} GB of memory and no swap: what asks for more is killed at once",
            "fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile, and a line in "
            "/etc/fstab",
            fatal=False,
            rule="host-swap",
        )
    if days := _days(facts.now, machine.lists_at, OLDEST_LISTS):
        text = f"nobody has asked for updates of its packages for {days} days"
    elif days := _days(facts.now, machine.packages_at, OLDEST_PACKAGES):
        text = f"none of its packages was updated for {days} days"
    else:
        text = ""
    if text:
        remedy = f"apt-get update && apt-get upgrade there; by itself: inv host.setup --host {host} --updates"
        yield Problem(text, remedy, fatal=False, rule="host-updates")
    if machine.reboot is not None:
        wants = f" ({machine.reboot})" if machine.reboot else ""
        yield Problem(
            f"updates wait for a restart of the machine{wants}", "reboot it", fatal=False, rule="host-updates"
        )


def _days(now: datetime, at: datetime | None, limit: timedelta) -> int:
    """Days since a moment, where that is longer ago than a limit; else 0."""
    return (now - at).days if at and now - at > limit else 0
