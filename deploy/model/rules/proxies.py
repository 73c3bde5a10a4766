"""Proxies of the stack, which see the edge where they saw clients."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at

_CLIENT = re.compile(r"\$(binary_)?remote_addr\b")
_DIRECTIVE = re.compile(r"^\s*(limit_req_zone|limit_conn_zone|allow|deny|geo)\s+([^;{]*)")
_BELIEVES = re.compile(r"^\s*(set_real_ip_from|real_ip_header)\s", re.MULTILINE)


@rule(
    "limits-by-edge-address",
    Severity.WARNING,
    "A limit of nginx counts all visitors as one",
    why="""
    Requests come to nginx from the edge, which is one address: a limit by `$binary_remote_addr` is one that all
    visitors share, so that a busy one locks everybody out. `allow` and `deny` let in everybody or nobody.
    """,
    fix="""
    `real_ip_header X-Forwarded-For;` and `set_real_ip_from` for the networks of Docker: `10.0.0.0/8`, `172.16.0.0/12`,
    `192.168.0.0/16`. The edge throws away what clients say there themselves.
    """,
)
def limits_by_edge_address(subject: Subject) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, files in subject.nginx.items():
        if any(_BELIEVES.search(bare(file.text)) for file in files):
            continue
        for file in files:
            for number, line in enumerate(bare(file.text).splitlines(), start=1):
                place = f"{file.path}:{number}"
                if (what := _by_address(line)) and place not in seen:
                    seen.add(place)
                    yield Problem(
                        f"{name}: nginx has {what}, and sees the edge's address for every visitor",
                        "set_real_ip_from 172.16.0.0/12; real_ip_header X-Forwarded-For;",
                        path=at(subject.stack.services[name]),
                        place=place,
                    )


def _by_address(line: str) -> str:
    """The directive of a line that goes by the client's address; empty when it has none."""
    found = _DIRECTIVE.match(line)
    if not found:
        return ""
    word, rest = found[1], found[2].strip()
    if word.startswith("limit_"):
        return word if _CLIENT.search(rest) else ""
    if word == "geo":  # `geo $name {` goes by the client's address, `geo $address $name {` by another
        return word if len(rest.split()) == 1 and rest.startswith("$") else ""
    return f"{word} {rest}" if _is_foreign(rest) else ""


def _is_foreign(text: str) -> bool:
    """Whether it is an address or network other than the container's own."""
    try:
        return not ipaddress.ip_network(text, strict=False).is_loopback
    except ValueError:  # `all`, `unix:`
        return False


def bare(text: str) -> str:
    """Without comments; lines keep their numbers."""
    return re.sub(r"(^|[ \t])#.*", "", text, flags=re.MULTILINE)
