"""A firewall that what Docker publishes does not go past: its rules as text, and what it would shut.

Docker leads a packet for a published port to a container before any rule for the host itself sees it (DNAT, then the
forward hook), so ufw and firewalld do not guard such ports. These rules look at forwarded packets too, at the port that
was asked for. They stand in a table of their own, which neither Docker nor ufw knows of: a packet that one table drops
is dropped, whatever others say. Source: nft(8), "ct original proto-dst", "ct status dnat".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.model.errors import UsageError
from deploy.model.facts import sections_of

TABLE = "windlass"
_PORT = re.compile(r"(\d{1,5})(?:/(tcp|udp))?", re.ASCII)
_HIGHEST = 65535
_OWN_USE = frozenset({"68/udp", "546/udp"})
"""Ports that only the machine itself has a use for: DHCP's answers."""


@dataclass(frozen=True, order=True)
class Opening:
    """A port that is let in."""

    port: int
    protocol: str = "tcp"

    def __str__(self) -> str:
        return str(self.port) if self.protocol == "tcp" else f"{self.port}/{self.protocol}"


def parse_opening(text: str, where: str) -> Opening:
    """From `443` or `443/udp`. Raises UsageError."""
    match = _PORT.fullmatch(text.strip())
    if not match or not 0 < int(match[1]) <= _HIGHEST:
        raise UsageError(f"{where} {text}: that is no port", "for example 8443, or 53/udp")
    return Opening(int(match[1]), match[2] or "tcp")


@dataclass(frozen=True)
class Found:
    """What a host has of firewalls, and what it listens on."""

    nft: bool
    """Whether the program is there, and the kernel obeys it."""
    trouble: str
    """What it said where the kernel does not."""
    starter: str
    """What can load rules after a restart: systemd, cron, or empty."""
    ssh: frozenset[int]
    """Ports that sshd listens on."""
    listening: Mapping[str, str]
    """What is listened on beyond the machine itself, as `5432` or `53/udp`, and by which program."""
    projects: Mapping[str, frozenset[Opening]]
    """What each project of the host wants let in."""
    rules: str
    """Those that are loaded after a restart; empty where there are none."""
    loaded: bool


def parse_found(text: str) -> Found:
    """From what `firewall-look.sh` printed."""
    sections = sections_of(text)
    about = dict(line.partition("=")[::2] for line in sections.get("about", "").splitlines())
    listening: dict[str, str] = {}
    ssh = set()
    for line in sections.get("listening", "").splitlines():
        protocol, _, rest = line.partition(" ")
        at, _, program = rest.partition(" ")
        address, _, port = at.rpartition(":")
        if not port.isdigit():
            continue
        if program == "sshd":
            ssh.add(int(port))
        if not (address.startswith(("127.", "[::1]", "[::ffff:127.")) or "%lo" in address):
            listening.setdefault(str(Opening(int(port), protocol)), program)
    projects = {
        name: frozenset(parse_opening(word, name) for word in words.split())
        for name, _, words in (line.partition(" ") for line in sections.get("projects", "").splitlines())
    }
    return Found(
        nft="nft" in about,
        trouble=about.get("trouble", ""),
        starter=about.get("starter", ""),
        ssh=frozenset(ssh),
        listening=listening,
        projects=projects,
        rules=sections.get("rules", "").strip("\n"),
        loaded="loaded" in about,
    )


def rules_of(ssh: Iterable[int], openings: Iterable[Opening]) -> str:
    """What `nft -f` takes: in one transaction, whatever was there of it before."""
    let_in = sorted({*openings, *map(Opening, ssh)})
    public = sorted({*openings})
    to_host = [f"{name} dport {_set(let_in, name)} accept" for name in ("tcp", "udp") if _ports(let_in, name)]
    to_containers = [
        f"ct status dnat meta l4proto {name} ct original proto-dst {_set(public, name)} accept"
        for name in ("tcp", "udp")
        if _ports(public, name)
    ]
    input_chain = (
        "type filter hook input priority filter - 5; policy drop;",
        "ct state established,related accept",
        'iifname "lo" accept',
        'iifname "docker0" accept',
        'iifname "br-*" accept',
        "meta l4proto { icmp, ipv6-icmp } accept",
        "udp dport { 68, 546 } accept",
        *to_host,
    )
    forward_chain = (
        "type filter hook forward priority filter - 5; policy accept;",
        "ct state established,related accept",
        'iifname "docker0" accept',
        'iifname "br-*" accept',
        *to_containers,
        "ct status dnat drop",
        'oifname "docker0" drop',
        'oifname "br-*" drop',
    )
    lines = [
        "# Made by `inv host.setup --firewall`, which replaces it: changes are lost.",
        f"table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        *_chain("input", input_chain),
        *_chain("forward", forward_chain),
        "}",
    ]
    return "\n".join(lines)


def shut_by(found: Found, openings: Iterable[Opening]) -> Sequence[str]:
    """What is listened on now and would no longer be reached, with the program that does."""
    open_ports = {str(one) for one in openings} | {str(port) for port in found.ssh} | _OWN_USE
    shut = [(port, program) for port, program in found.listening.items() if port not in open_ports]
    return [f"{port} ({program})" if program else port for port, program in sorted(shut, key=lambda one: one[0])]


def _chain(name: str, rules: Iterable[str]) -> Iterable[str]:
    return (f"    chain {name} {{", *(f"        {rule}" for rule in rules), "    }")


def _ports(openings: Iterable[Opening], protocol: str) -> Sequence[str]:
    return [str(one.port) for one in openings if one.protocol == protocol]


def _set(openings: Iterable[Opening], protocol: str) -> str:
    return f"{{ {', '.join(_ports(openings, protocol))} }}"
