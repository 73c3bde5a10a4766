"""Checks of the way from users to a host: the names that should lead there, the firewalls in between."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts
from deploy.model.stack import Port

EVERYWHERE = frozenset({"", "0.0.0.0", "::", "[::]"})  # noqa: S104  # what is looked for, not listened on


def check_names(
    facts: Facts, domains: Mapping[str, tuple[str, ...] | None], addresses: Collection[str]
) -> Iterator[Problem]:
    """Public names, each with the addresses that the DNS gives for it, and those of the host as they are known here.

    A name without addresses is known to be in no DNS; None stands for one that nothing could be found out about. The
    two families are looked at each for itself: who has IPv6 goes by that one alone.
    """
    own = {*addresses, *facts.machine.addresses}
    for name, leads_to in domains.items():
        if leads_to is None:
            continue
        if not leads_to:
            yield Problem(
                f"{name} leads nowhere: no DNS has it, or not yet",
                f"let it lead to {', '.join(sorted(addresses)) or facts.host}",
                fatal=False,
                rule="host-dns",
            )
        for version in (4, 6):
            found = [one for one in leads_to if _version(one) == version]
            if found and not own.intersection(found):
                mine = sorted(one for one in addresses if _version(one) == version)
                yield Problem(
                    f"{name} leads to {', '.join(found)}, and this host is {', '.join(mine or sorted(addresses))}",
                    "fine where a proxy or a CDN stands before it; else correct the name in the DNS",
                    fatal=False,
                    rule="host-dns",
                )


def check_firewall(
    facts: Facts, wanted: Mapping[int, str], data_ports: Mapping[str, tuple[Port, ...]], silent: Collection[int]
) -> Iterator[Problem]:
    """Whether users get in where they should, and nobody else.

    `wanted` are public TCP ports and what they are for, `data_ports` what data services publish themselves, `silent`
    those of the public ports that are listened on, and did not answer from here.
    """
    guarded = facts.machine.guarded
    setup = f"inv host.setup --host {facts.host} --firewall"
    shut = [port for port in sorted(wanted) if guarded is not None and port not in guarded]
    for port in shut:
        yield Problem(
            f"port {port} (for {wanted[port]}) is not let in by the firewall of host.setup",
            setup,
            fatal=False,
            rule="host-firewall",
        )
    for port in sorted(set(silent) - set(shut)):
        yield Problem(
            f"port {port} (for {wanted.get(port, 'the edge')}) is listened on there, and cannot be reached from here",
            "let it in where a firewall of the host, or of its provider, keeps it out",
            fatal=False,
            rule="host-firewall",
        )
    if guarded is None and facts.machine.firewalls:
        for service, ports in data_ports.items():
            for one in ports:
                if one.host_ip in EVERYWHERE:
                    yield Problem(
                        f"{' and '.join(facts.machine.firewalls)} cannot guard port {one} of {service}: what Docker "
                        "publishes goes past it",
                        f'publish it as "127.0.0.1:{one.published}:{one.target}", or not at all; or {setup}',
                        fatal=False,
                        path=("services", service, "ports", str(one.published)),
                        rule="host-firewall",
                    )


def _version(address: str) -> int:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).version
    except ValueError:
        return 0
