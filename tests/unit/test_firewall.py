"""The firewall's rules, and what they would shut."""

from __future__ import annotations

import pytest

from deploy.model.errors import UsageError
from deploy.model.firewall import Opening, parse_found, parse_opening, rules_of, shut_by

LOOK = """\
@@about
nft=yes
loaded=yes
starter=cron
@@listening
tcp 0.0.0.0:2222 sshd
tcp 0.0.0.0:80 docker-proxy
tcp [::]:80 docker-proxy
tcp 127.0.0.1:5432 docker-proxy
tcp [::1]:6379 redis-server
tcp *:9100 node_exporter
udp 0.0.0.0:68 dhclient
udp 127.0.0.53%lo:53 systemd-resolve
udp 0.0.0.0:51820
@@projects
shop 80 443
blog 8443 53/udp
@@rules
# rules
table inet windlass
"""


def test_what_a_host_has_is_read() -> None:
    found = parse_found(LOOK)

    assert (found.nft, found.loaded, found.starter, found.trouble) == (True, True, "cron", "")
    assert found.ssh == {2222}
    assert found.listening == {
        "2222": "sshd",
        "80": "docker-proxy",
        "9100": "node_exporter",
        "68/udp": "dhclient",
        "51820/udp": "",
    }
    assert found.projects == {
        "shop": {Opening(80), Opening(443)},
        "blog": {Opening(8443), Opening(53, "udp")},
    }
    assert found.rules == "# rules\ntable inet windlass"


def test_what_will_be_shut_is_named_with_its_program() -> None:
    assert shut_by(parse_found(LOOK), [Opening(80)]) == ["51820/udp", "9100 (node_exporter)"]
    assert shut_by(parse_found(LOOK), [Opening(9100), Opening(51820, "udp")]) == ["80 (docker-proxy)"]


def test_rules_look_at_the_port_that_was_asked_for_wherever_docker_leads_it() -> None:
    assert rules_of([2222], [Opening(443), Opening(80), Opening(443, "udp")]).splitlines()[1:] == [
        "table inet windlass",
        "delete table inet windlass",
        "table inet windlass {",
        "    chain input {",
        "        type filter hook input priority filter - 5; policy drop;",
        "        ct state established,related accept",
        '        iifname "lo" accept',
        '        iifname "docker0" accept',
        '        iifname "br-*" accept',
        "        meta l4proto { icmp, ipv6-icmp } accept",
        "        udp dport { 68, 546 } accept",
        "        tcp dport { 80, 443, 2222 } accept",
        "        udp dport { 443 } accept",
        "    }",
        "    chain forward {",
        "        type filter hook forward priority filter - 5; policy accept;",
        "        ct state established,related accept",
        '        iifname "docker0" accept',
        '        iifname "br-*" accept',
        "        ct status dnat meta l4proto tcp ct original proto-dst { 80, 443 } accept",
        "        ct status dnat meta l4proto udp ct original proto-dst { 443 } accept",
        "        ct status dnat drop",
        '        oifname "docker0" drop',
        '        oifname "br-*" drop',
        "    }",
        "}",
    ]


def test_ssh_alone_leaves_no_empty_set() -> None:
    rules = rules_of([22], [])

    assert "{  }" not in rules
    assert "ct original" not in rules
    assert "tcp dport { 22 } accept" in rules


@pytest.mark.parametrize(
    ("text", "opening"), [("443", Opening(443)), (" 53/udp ", Opening(53, "udp")), ("1/tcp", Opening(1))]
)
def test_ports_are_read(text: str, opening: Opening) -> None:
    assert parse_opening(text, "--allow") == opening


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "http", "80,443", "80/icmp", "-1", "8 0", "80; reboot", "\u0664\u0664"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="that is no port"):
        parse_opening(text, "--allow")
