"""What a host is apart from any project: its memory, its upkeep, its firewalls and addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

_KB = 1024
_FIREWALL = "firewall_"
_LISTS = ("/var/lib/apt/lists", "/var/lib/apt/lists/partial", "/var/lib/apt/periodic/update-success-stamp")
_PACKAGES = ("/var/lib/dpkg/status",)


@dataclass(frozen=True)
class Machine:
    """As everybody may read it there, without root. What is not told is empty."""

    memory_bytes: int = 0
    """All it has."""
    swap_bytes: int = 0
    lists_at: datetime | None = None
    """When its packages' lists were last asked for."""
    packages_at: datetime | None = None
    """When a package was last installed, upgraded or removed."""
    reboot: str | None = None
    """What wants the machine started anew, an empty text where that is not said; nothing when nothing does."""
    firewalls: tuple[str, ...] = ()
    """Those that are turned on and guard what comes to the host itself: ufw, firewalld."""
    guarded: frozenset[int] | None = None
    """TCP ports that the firewall of `host.setup` lets in besides SSH; nothing where there is none of it."""
    addresses: tuple[str, ...] = ()
    memory_of: Mapping[str, int] = field(default_factory=dict)
    """Bytes that each running container holds and that no other use can push out, by its id."""


def parse_machine(about: Mapping[str, str], memory: str) -> Machine:
    """From the pairs of the section "machine" and the text of "memory"."""
    reboot = about.get("reboot")
    return Machine(
        memory_bytes=int(about.get("memory_total_kb", 0)) * _KB,
        swap_bytes=int(about.get("swap_kb", 0)) * _KB,
        lists_at=_newest(about, _LISTS),
        packages_at=_newest(about, _PACKAGES),
        reboot=None if reboot is None else ", ".join(reboot.removesuffix(".").split()),
        firewalls=tuple(sorted(key.removeprefix(_FIREWALL) for key in about if key.startswith(_FIREWALL))),
        guarded=frozenset(_numbers(about["guarded"])) if "guarded" in about else None,
        addresses=tuple(about.get("addresses", "").split()),
        memory_of={name: int(size) for name, _, size in (line.partition(" ") for line in memory.splitlines())},
    )


def _newest(about: Mapping[str, str], paths: Iterable[str]) -> datetime | None:
    """The last change of those of the files that are there."""
    found = [int(about[path]) for path in paths if path in about]
    return datetime.fromtimestamp(max(found), UTC) if found else None


def _numbers(text: str) -> Iterator[int]:
    return (int(word) for word in text.split() if word.isdigit())
