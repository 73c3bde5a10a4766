"""Reaching hosts as `ssh` does: keys, agents, jump hosts, and terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import RemoteHost, public_key, raise_host, ssh_config
from tests.lab.terminal import Terminal
from tests.project import Project, eventually


@pytest.fixture(scope="module")
def far(shop: Project) -> RemoteHost:
    return raise_host(shop, "far")


@pytest.fixture
def keys(tmp_path: Path, shop: Project, host: RemoteHost, far: RemoteHost) -> Iterator[Path]:
    """A folder for keys and known hosts; what is put on the hosts and into the project is taken away again."""
    yield tmp_path
    shop.env.clear()
    for one in (host, far):
        one.sh("sed -i '/test-key/d' /home/deploy/.ssh/authorized_keys")


def admit(host: RemoteHost, public: str) -> None:
    host.sh(f"echo '{public} test-key' >>/home/deploy/.ssh/authorized_keys")


def config(shop: Project, keys: Path, host: RemoteHost, more: str = "") -> None:
    ssh_config(
        shop,
        f"Host one\n  HostName {host.address}\n{more}\nHost *\n  User deploy\n  IdentityFile {keys}/key\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {keys}/known_hosts\n  StrictHostKeyChecking accept-new\n",
    )


def test_a_new_host_key_is_accepted_once_and_recorded(shop: Project, host: RemoteHost, keys: Path) -> None:
    admit(host, public_key(keys / "key"))
    config(shop, keys, host)

    first = shop.inv("prod.releases", "--host", "one")
    second = shop.inv("prod.releases", "--host", "one")

    fingerprint = host.sh("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    assert f"one: new host key {fingerprint}, written to {keys}/known_hosts" in first.stderr
    assert "new host key" not in second.stderr
    assert len((keys / "known_hosts").read_text().splitlines()) == 1
    assert (
        subprocess.run(
            ["ssh", "-F", shop.root / "ssh_config", "-o", "StrictHostKeyChecking=yes", "one", "true"], check=False
        ).returncode
        == 0
    ), "OpenSSH finds what we wrote"


def test_a_changed_host_key_is_refused_before_a_key_of_ours_is_shown(
    shop: Project, host: RemoteHost, keys: Path
) -> None:
    admit(host, public_key(keys / "key"))
    config(shop, keys, host)
    other = public_key(keys / "other").split()
    (keys / "known_hosts").write_text(f"{host.address} {other[0]} {other[1]}\n")
    host.sh(": >/var/log/sshd.log")

    done = shop.inv("prod.releases", "--host", "one", expect=1)

    assert "one: the host key has changed" in done.stderr
    assert f"ssh-keygen -f {keys}/known_hosts -R '{host.address}'" in done.stderr
    assert "publickey" not in host.sh("cat /var/log/sshd.log")


def test_a_host_known_by_another_kind_of_key_is_asked_for_that_kind(
    shop: Project, host: RemoteHost, keys: Path
) -> None:
    admit(host, public_key(keys / "key"))
    config(shop, keys, host)
    ecdsa = host.sh("cut -d' ' -f1,2 /etc/ssh/ssh_host_ecdsa_key.pub")
    (keys / "known_hosts").write_text(f"{host.address} {ecdsa}\n")

    assert "new host key" not in shop.inv("prod.releases", "--host", "one").stderr


def test_jump_hosts_are_gone_through(shop: Project, host: RemoteHost, far: RemoteHost, keys: Path) -> None:
    public = public_key(keys / "key")
    admit(host, public)
    admit(far, public)
    config(shop, keys, host, f"Host behind\n  HostName {far.address}\n  ProxyJump one\n")
    far.sh(": >/var/log/sshd.log")
    shop.inv("prod.deploy", "--host", "behind", "--yes")

    assert far.get("/") == (200, "v1 hello\n")
    came_from = set(re.findall(r"Accepted publickey for deploy from (\S+)", far.sh("cat /var/log/sshd.log")))
    assert came_from == {host.address}
    assert shop.inv("prod.exec", "backend", "echo through", "--host", "behind").stdout == "through\n"


def test_an_agent_holds_the_key(shop: Project, host: RemoteHost, keys: Path) -> None:
    admit(host, public_key(keys / "agents"))
    socket = keys / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        eventually(socket.exists)
        subprocess.run(["ssh-add", "-q", keys / "agents"], env={**os.environ, "SSH_AUTH_SOCK": str(socket)}, check=True)
        (keys / "agents").unlink()
        ssh_config(
            shop,
            f"Host one\n  HostName {host.address}\n  User deploy\n  UserKnownHostsFile {keys}/known_hosts\n"
            f"  IdentityFile {keys}/none\n  IdentityAgent {socket}\n",
        )
        shop.inv("prod.releases", "--host", "one")
    finally:
        agent.terminate()
        agent.wait()


def test_a_refused_key_says_what_was_tried(shop: Project, host: RemoteHost, keys: Path) -> None:
    public_key(keys / "key")
    config(shop, keys, host)

    done = shop.inv("prod.releases", "--host", "one", expect=1)

    assert f"one: the host refused every key for user 'deploy' (tried the agent and {keys}/key)" in done.stderr
    assert "→ check it with: ssh -F" in done.stderr


def test_an_encrypted_key_without_anybody_to_ask_is_no_traceback(shop: Project, host: RemoteHost, keys: Path) -> None:
    admit(host, public_key(keys / "key"))
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "opensesame", "-f", keys / "key"], check=True)
    config(shop, keys, host)

    done = shop.inv("prod.releases", "--host", "one", expect=1)

    assert "the host refused every key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def live(shop: Project, host: RemoteHost) -> RemoteHost:
    shop.inv("prod.deploy", "--host", "sandbox", "--yes")
    return host


def test_a_shell_behaves_as_under_ssh_t(shop: Project, live: RemoteHost) -> None:
    terminal = Terminal(shop, "prod.exec", "backend", "sh", "--host", "sandbox")
    terminal.expect(r"\$ ")
    terminal.type("stty size; tty\r")
    terminal.expect(r"/dev/pts/")
    terminal.type("printf 'é🙂' | od -An -tx1\r")
    terminal.expect(r"c3 a9 f0 9f 99 82")
    terminal.expect(r"\$ ")
    terminal.type("sleep 60\r")
    eventually(lambda: live.sh("ps axo args | grep '^[s]leep 60' || true"))
    terminal.type("\x03")
    terminal.expect(r"\$ ")
    terminal.type("echo still $((40 + 2))\r")
    terminal.expect(r"still 42")
    terminal.type("exit 7\r")

    assert terminal.end() == 7


def test_following_logs_ends_with_ctrl_c_here_and_there(shop: Project, live: RemoteHost) -> None:
    terminal = Terminal(shop, "prod.logs", "--service", "backend", "--follow", "--host", "sandbox")
    terminal.expect("started v1")
    assert "logs" in live.sh("ps axo args | grep '[d]ocker compose.*logs'")
    terminal.type("\x03")
    terminal.end()

    eventually(lambda: not live.sh("ps axo args | grep '[d]ocker compose.*logs' || true"))


def test_psql_opens_on_the_live_database(shop: Project, live: RemoteHost) -> None:
    terminal = Terminal(shop, "db.shell", "--env", "prod", "--host", "sandbox")
    terminal.expect("postgres=#")
    terminal.type("select 6 * 7 as answer;\r")
    terminal.expect("42")
    terminal.type("\\q\r")

    assert terminal.end() == 0


def test_a_deploy_asks_on_a_terminal_and_takes_no_for_an_answer(shop: Project, live: RemoteHost) -> None:
    web = shop.root / "app" / "web.py"
    good = web.read_text()
    web.write_text(good.replace('"v1"', '"v9"'))
    try:
        terminal = Terminal(shop, "prod.deploy", "--host", "sandbox")
        terminal.expect(r"Deploy this\? \[y/N\]")
        terminal.type("n\r")
        terminal.expect("stopped: nothing was changed")
        assert terminal.end() == 1
    finally:
        web.write_text(good)
    assert live.get("/") == (200, "v1 hello\n")


def test_ctrl_c_in_a_deploy_undoes_what_was_begun(shop: Project, live: RemoteHost) -> None:
    web = shop.root / "app" / "web.py"
    good = web.read_text()
    web.write_text(good.replace('"v1"', '"v10"'))
    before = live.containers(shop.name)
    try:
        terminal = Terminal(shop, "prod.deploy", "--host", "sandbox", "--yes")
        terminal.expect("Start the release")
        terminal.type("\x03")
        terminal.expect("interrupted")
        assert terminal.end() == 128 + signal.SIGINT
    finally:
        web.write_text(good)
    assert live.containers(shop.name) == before
    shop.inv("prod.status", "--host", "sandbox")
