"""What `host.setup` does when asked: a user to deploy as, updates, a firewall. In the order of a first day."""

from __future__ import annotations

import socket

from deploy.model.firewall import Opening, rules_of
from deploy.shell.packaged import packaged
from tests.lab.conftest import RemoteHost, public_key
from tests.project import Project, docker, eventually

HOST = ("--host", "sandbox")
# stands in for whatever keeps new connections out once the rules are in force
SHUTS_SSH = """#!/bin/sh
/usr/sbin/nft.real "$@" || exit
case $* in
    "--file "*new.nft) iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP ;;
    "--file "*old.nft) iptables -D INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP ;;
esac
"""
SEALED = "deploy: {environments: {prod: {sudo: true}}}\n"


def opens(host: RemoteHost, port: int) -> bool:
    """Whether a new connection comes through from this machine."""
    try:
        socket.create_connection((host.address, port), 2).close()
    except OSError:
        return False
    return True


def test_nothing_is_done_that_nobody_agreed_to(shop: Project, host: RemoteHost) -> None:
    done = shop.inv("host.setup", *HOST, "--user", "ship", "--updates", "--firewall", expect=2)

    assert "- the user ship is made, and is in the group docker: that account is as good as root there" in done.stderr
    assert "- from outside, only 80, 7000 and SSH (22) are let in; what Docker publishes is guarded too" in done.stderr
    assert "add --yes to go on unattended" in done.stderr
    assert host.run("id", "ship", check=False) == ""
    assert host.run("ls", "/etc/windlass", check=False) == ""


def test_a_user_is_made_that_deploys(shop: Project, host: RemoteHost) -> None:
    extra = public_key(shop.root.parent / "other")
    own = (shop.root / ".windlass" / "sandbox" / "key.pub").read_text().split()[1]
    keys = ("--key", str(shop.root.parent / "other.pub"), "--key", str(shop.root / ".windlass" / "sandbox" / "key.pub"))

    done = shop.inv("host.setup", *HOST, "--user", "ship", *keys, "--yes")

    assert "Connect as ship  logs in, writes, and the engine answers" in done.stderr
    assert "In invoke.yaml: environments: {prod: {hosts: [ship@sandbox]}}" in done.stderr
    let_in = host.sh("cat /home/ship/.ssh/authorized_keys")
    assert own in let_in
    assert extra in let_in
    assert host.sh("stat -c '%U %a' /home/ship/.ssh /home/ship/.ssh/authorized_keys").split() == [
        "ship",
        "700",
        "ship",
        "600",
    ]
    assert host.sh(f"stat -c '%U %a' /opt/{shop.name}") == "ship 750"
    shop.inv("prod.deploy", "--host", "ship@sandbox", "--yes")
    assert host.get() == (200, "v1 hello\n")
    assert host.sh(f"stat -c %U /opt/{shop.name}/current") == "ship"
    other = shop.inv("prod.plan", *HOST, expect=1).stderr
    assert f"/opt/{shop.name} is of user ship, and user deploy cannot look into it" in other


def test_a_firewall_guards_what_docker_publishes(shop: Project, host: RemoteHost) -> None:
    host.sh("docker run --detach --name forgotten --publish 5432:80 nginx:alpine")
    eventually(lambda: opens(host, 5432))

    done = shop.inv("host.setup", *HOST, "--firewall", "--yes")

    assert "- these will be shut, and are listened on now: 5432 (docker-proxy)" in done.stderr
    assert "Put the firewall in force  a new connection came through" in done.stderr
    assert not opens(host, 5432)
    assert (opens(host, 22), opens(host, 80), opens(host, 7000)) == (True, True, True)
    assert host.get() == (200, "v1 hello\n")


def test_doing_it_again_changes_nothing(shop: Project, host: RemoteHost) -> None:
    files = "/etc/passwd /etc/group /home/ship/.ssh/authorized_keys"
    look = f"sha256sum {files}; find /etc/windlass /etc/cron.d -printf '%p %T@\\n'"
    before = host.sh(look)

    done = shop.inv("host.setup", *HOST, "--user", "ship", "--firewall", "--yes")

    assert "Put the firewall in force  found as it should be" in done.stderr
    for said in ("made", "gave", "let in the key", "added", "cron loads"):
        assert f"  {said} " not in done.stderr, said
    assert host.sh(look) == before


def test_it_comes_back_after_a_restart(host: RemoteHost) -> None:
    host.sh("nft delete table inet windlass")
    assert opens(host, 5432)

    host.sh("$(sed -n 's/^@reboot root //p' /etc/cron.d/windlass-firewall)")

    assert not opens(host, 5432)
    assert opens(host, 80)


def test_a_port_that_is_not_let_in_is_told_by_a_plan(shop: Project, host: RemoteHost) -> None:
    shop.edit("compose.yaml", '"7000:7000"', '"7000:7000", "7001:7000"')
    try:
        told = shop.inv("prod.plan", "--host", "ship@sandbox").stderr
    finally:
        shop.edit("compose.yaml", '"7000:7000", "7001:7000"', '"7000:7000"')

    assert "! port 7001 (for nginx) is not let in by the firewall of host.setup" in told


def test_rules_that_lock_everybody_out_are_taken_back(host: RemoteHost) -> None:
    rules = rules_of([2222], [Opening(80)])
    words = packaged("engine", "firewall-try.sh", 4)
    docker("exec", host.container, "sh", "-c", f"printf '%s' \"$1\" | {words.shell()}", "try", rules)
    assert not opens(host, 22)

    late = host.run(*packaged("engine", "firewall-try.sh", 4), check=False)
    assert late == "", "two tries at once would take back each other's rules"
    eventually(lambda: opens(host, 22), 20)

    assert not opens(host, 5432), "those before are in force again"
    assert host.sh("ls -d /run/windlass-firewall.* 2>/dev/null || true") == ""


def test_a_firewall_that_keeps_us_out_is_not_kept(shop: Project, host: RemoteHost) -> None:
    host.sh("mv /usr/sbin/nft /usr/sbin/nft.real")
    host.sh(f"cat >/usr/sbin/nft <<'END'\n{SHUTS_SSH}END\nchmod +x /usr/sbin/nft")
    try:
        done = shop.inv("host.setup", *HOST, "--firewall", "--allow", "9999", "--yes", expect=1)
        eventually(lambda: opens(host, 22), 40)
    finally:
        host.sh("mv /usr/sbin/nft.real /usr/sbin/nft")

    assert "sandbox: no new connection came through the firewall; it is taken back after 30 s" in done.stderr
    assert "9999" not in host.sh("nft list table inet windlass; cat /etc/windlass/firewall.d/*")
    assert not opens(host, 5432), "the firewall before is in force"


def test_updates_are_turned_on_once(shop: Project, host: RemoteHost) -> None:
    done = shop.inv("host.setup", *HOST, "--updates", "--yes")
    assert "installed unattended-upgrades " in done.stderr
    assert 'Unattended-Upgrade "1"' in host.sh("apt-config dump APT::Periodic::Unattended-Upgrade")

    again = shop.inv("host.setup", *HOST, "--updates", "--yes")
    assert "installed unattended" not in again.stderr
    assert "turned on" not in again.stderr

    host.sh("echo 'APT::Periodic::Unattended-Upgrade \"0\";' >/etc/apt/apt.conf.d/20auto-upgrades")
    off = shop.inv("host.setup", *HOST, "--updates", "--yes")
    assert "turned on daily updates in /etc/apt/apt.conf.d/20auto-upgrades" in off.stderr
    assert 'Unattended-Upgrade "1"' in host.sh("apt-config dump APT::Periodic::Unattended-Upgrade")


def test_a_user_without_the_group_deploys_through_sudo(shop: Project, host: RemoteHost) -> None:
    shop.inv("host.setup", *HOST, "--user", "sue", "--sudo", "--yes")
    assert "docker" not in host.sh("id -nG sue")
    (shop.root / "invoke.yaml").write_text(SEALED)
    shop.edit("compose.yaml", "GREETING:-hello", "GREETING:-sealed")

    shop.inv("prod.deploy", "--host", "sue@sandbox", "--yes")

    assert host.get() == (200, "v1 sealed\n")
    assert shop.inv("prod.exec", "backend", "printenv GREETING", "--host", "sue@sandbox").stdout.strip() == "sealed"
    shop.inv("db.backup", "--env", "prod", "--host", "sue@sandbox")
    shop.inv("prod.rollback", "--host", "sue@sandbox", "--yes")
    assert host.get() == (200, "v1 hello\n")


def test_sudo_that_asks_for_a_password_is_told_with_what_to_do(shop: Project, host: RemoteHost) -> None:
    done = shop.inv("prod.status", "--host", "ship@sandbox", expect=1)

    assert "ship@sandbox: user ship has no sudo without a password, and `sudo: true` asks for it" in done.stderr
    assert "inv host.setup --host ship@sandbox --user ship --sudo" in done.stderr
    (shop.root / "invoke.yaml").unlink()


def test_the_group_takes_over_from_sudo(shop: Project, host: RemoteHost) -> None:
    assert host.sh(f"stat -c %U /opt/{shop.name}/current") == "root"

    done = shop.inv("host.setup", *HOST, "--user", "ship", "--yes")

    assert f"gave /opt/{shop.name} to ship; it was of sue" in done.stderr
    shop.edit("compose.yaml", "GREETING:-sealed", "GREETING:-open")
    shop.inv("prod.deploy", "--host", "ship@sandbox", "--yes")
    assert host.get() == (200, "v1 open\n")


def test_a_host_that_can_have_no_firewall_is_told_and_left_alone(shop: Project, host: RemoteHost) -> None:
    host.sh("nft delete table inet windlass && rm -r /etc/windlass")
    host.sh("mv /usr/sbin/nft /root/nft && mv /usr/bin/apt-get /root/apt-get")
    try:
        done = shop.inv("host.setup", *HOST, "--firewall", "--yes", expect=1)
        host.sh("mv /usr/sbin/cron /root/cron")
        without = shop.inv("host.setup", *HOST, "--firewall", "--yes", expect=1)
    finally:
        host.sh("mv /root/apt-get /usr/bin/apt-get && mv /root/nft /usr/sbin/nft && mv /root/cron /usr/sbin/cron")

    assert "there is no nft, and no apt-get to install it: install nftables by hand" in done.stderr
    assert "sandbox: the firewall could not be put in force" in done.stderr
    assert "there is neither systemd nor cron" in without.stderr
    assert host.run("ls", "/etc/windlass", check=False) == ""
    assert opens(host, 22)
