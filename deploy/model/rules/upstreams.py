"""Proxies of the stack that look names up once: on a cluster containers come and go behind a name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.kinds import Kind
from deploy.model.rules.proxies import bare
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import ConfigFile, Subject, at
from deploy.model.stack import Service, Stack

STALE_UPSTREAM = "stale-upstream"
MOST_VALID_S = 1.0
"""How long a name may be kept: a container leaves the engine's DNS two seconds before its stop signal."""
_PASS = re.compile(r"\b(?:proxy|grpc|fastcgi|uwsgi|scgi|memcached)_pass\s+([^;\s]+)\s*;")
_UPSTREAM = re.compile(r"\bupstream\s+(\S+?)\s*\{")
_SERVER = re.compile(r"\bserver\s+([^;\s{]+)([^;{]*);")
_RESOLVER = re.compile(r"\bresolver\s+127\.0\.0\.11\b([^;]*);")
_VALID = re.compile(r"\bvalid=(\d+)(ms|s|m|h|d|w|M|y)?(?=\s|$)")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


@rule(
    STALE_UPSTREAM,
    Severity.WARNING,
    "A name is looked up once by nginx, and containers of a cluster change their addresses",
    why="""
    A name in `proxy_pass`, or a `server` of an `upstream`, is looked up when nginx starts. On a cluster a service is
    updated container by container while nginx stays, and soon none of the addresses that it knows has anybody behind
    it. Where the kernel of the nodes has `ip_vs` a service has an address that stays, and nothing needs to be done;
    where it has none, or the service asks for `deploy.endpoint_mode: dnsrr`, every request fails after an update. A
    plan for nodes without it stops here.
    """,
    fix="""
    `resolver 127.0.0.11 valid=1s ipv6=off;`, and a variable: `set $backend http://backend:8000; proxy_pass $backend;`.
    A path behind such a variable replaces the whole path of a request: `rewrite` takes a prefix off. From nginx 1.27.3
    on, `zone backend 64k; server backend:8000 resolve;` within an `upstream` does it, too.
    """,
)
def stale_upstream(subject: Subject) -> Iterator[Problem]:
    if subject.cluster:
        yield from stale_upstreams(subject.stack, subject.nginx)


def stale_upstreams(stack: Stack, nginx: Mapping[str, tuple[ConfigFile, ...]]) -> Iterator[Problem]:
    """Each place at which nginx keeps an address of containers that an update replaces."""
    rolling = {
        name: one.name
        for one in stack.services.values()
        if one.kind not in {Kind.DATA, Kind.JOB} and _endpoint(one) != "vip"
        for name in _names(one)
    }
    seen: set[str] = set()
    for service, files in nginx.items():
        if service not in stack.services:
            continue
        asks = any("$" in target for file in files for target in _PASS.findall(bare(file.text)))
        for file in files:
            for line, what, remedy in _stale(file, rolling, asks=asks):
                place = f"{file.path}:{line}"
                if place not in seen:
                    seen.add(place)
                    yield Problem(
                        f"{service}: nginx {what}",
                        remedy,
                        path=at(stack.services[service]),
                        place=place,
                        rule=STALE_UPSTREAM,
                    )


def _endpoint(service: Service) -> str:
    return str((service.definition.get("deploy") or {}).get("endpoint_mode") or "")


def _names(service: Service) -> Iterator[str]:
    """What others in its networks find a service by."""
    yield service.name
    if alias := service.definition.get("container_name"):
        yield str(alias)
    networks = service.definition.get("networks")
    for options in (networks if isinstance(networks, Mapping) else {}).values():
        yield from map(str, (options or {}).get("aliases") or ())


def _stale(file: ConfigFile, rolling: Mapping[str, str], *, asks: bool) -> Iterator[tuple[int, str, str]]:
    """Line, what is wrong, and what mends it. `asks` is whether names are looked up while nginx runs."""
    own = {name for name, _ in _blocks(bare(file.text))}
    inside = {line for _, lines in _blocks(bare(file.text)) for line in lines}
    for number, line in enumerate(bare(file.text).splitlines(), start=1):
        for target in _PASS.findall(line):
            name = _host(target)
            if name in rolling and name not in own:
                yield number, f"looks {name} up once, as it starts", _mended(name, target)
        for target, more in _SERVER.findall(line) if number in inside else ():
            name = _host(target)
            if name in rolling and "resolve" not in more.split():
                yield number, f"looks {name} up once, as it starts", f"server {target} resolve; or a variable"
        for options in _RESOLVER.findall(line) if asks else ():
            if _valid_s(options) > MOST_VALID_S:
                yield number, "keeps what the engine's DNS said for too long", "resolver 127.0.0.11 valid=1s ipv6=off;"


def _mended(name: str, target: str) -> str:
    word = re.sub(r"\W", "_", name)
    origin = re.sub(r"^(\w+://[^/]*).*", r"\1", target)
    return f"resolver 127.0.0.11 valid=1s ipv6=off; set ${word} {origin}; and ${word} in its place"


def _blocks(text: str) -> Iterator[tuple[str, range]]:
    """The `upstream` blocks of a text: the name of each, and its lines."""
    for found in _UPSTREAM.finditer(text):
        end = text.find("}", found.end())
        first = text.count("\n", 0, found.start()) + 1
        yield found[1], range(first, text.count("\n", 0, end if end >= 0 else len(text)) + 2)


def _host(target: str) -> str:
    """The host name of an address as nginx has it; empty for a variable, a socket, an address in brackets."""
    if "$" in target or target.startswith(("unix:", "[")):
        return ""
    return re.sub(r"^\w+://", "", target).partition("/")[0].partition(":")[0]


def _valid_s(options: str) -> float:
    """How long a resolver's answers are kept; as long as the engine's own DNS says, where it does not say."""
    found = _VALID.search(options)
    return float(found[1]) * _UNITS_S.get(found[2] or "s", 86400) if found else 600
