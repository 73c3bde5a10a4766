"""Reaching hosts: what OpenSSH resolves, which host keys are trusted. With the real ssh and ssh-keygen, no server."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
from pathlib import Path
from typing import Any, cast

import paramiko
import pytest

from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.remote.agent import agent_of
from deploy.remote.connection import Host
from deploy.remote.hostkeys import CheckHostKey, known_keys
from deploy.remote.process import RemoteProcess
from deploy.remote.target import Target, resolve


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An SSH configuration of one's own. OpenSSH takes ~ from the password file, so tests name every path."""
    (tmp_path / "more").write_text("Host inside\n  HostName 10.1.2.3\n  User ada\n  Port 2222\n")
    (tmp_path / "key").write_text("")
    file = tmp_path / "config"
    file.write_text(
        f"Include {tmp_path}/more\n"
        f"Host jumped\n  HostName 10.9.9.9\n  ProxyJump first,user@second:2200\n"
        f"Host piped\n  ProxyCommand nc -X 5 %h %p\n"
        f"Host alias\n  HostName 10.0.0.1\n  HostKeyAlias the-one\n"
        f"Host *\n  IdentityFile {tmp_path}/key\n"
        f"  UserKnownHostsFile {tmp_path}/known_hosts\n  GlobalKnownHostsFile none\n"
    )
    return file


def test_includes_users_and_ports_are_those_of_ssh(config: Path) -> None:
    target = resolve("inside", config)

    assert (target.hostname, target.user, target.port) == ("10.1.2.3", "ada", 2222)
    assert target.identity_files == (config.parent / "key",)
    assert target.host_key_name == "[10.1.2.3]:2222"
    assert target.known_hosts == (config.parent / "known_hosts",)


def test_files_may_have_spaces_percent_signs_and_tokens_in_their_names(tmp_path: Path) -> None:
    """`ssh -G` prints known hosts without quotation marks, and identities with their tokens."""
    folder = tmp_path / "my pro'ject  100% é"
    folder.mkdir()
    for name in ("key of 10.1.2.3", "known hosts"):
        (folder / name).write_text("")
    quoted = str(folder).replace("%", "%%")
    (tmp_path / "config").write_text(
        f'Host a\n  HostName 10.1.2.3\n  IdentityFile "{quoted}/key of %h"\n'
        f'  UserKnownHostsFile "{quoted}/known hosts" {tmp_path}/second "{quoted}/none there"\n'
    )

    target = resolve("a", tmp_path / "config")

    assert target.identity_files == (folder / "key of 10.1.2.3",)
    assert target.known_hosts[:2] == (folder / "known hosts", tmp_path / "second")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("bob@app1.example.com", ("app1.example.com", "bob", 22)),
        ("bob@app1:2200", ("app1", "bob", 2200)),
        ("ssh://bob@app1:2200", ("app1", "bob", 2200)),
        ("bob@[2001:db8::1]:2200", ("2001:db8::1", "bob", 2200)),
    ],
)
def test_hosts_are_read_in_every_common_form(spec: str, expected: tuple[str, str, int], config: Path) -> None:
    target = resolve(spec, config)

    assert (target.hostname, target.user, target.port) == expected
    assert target.spec == spec


@pytest.mark.parametrize("spec", ["", "-oProxyCommand=x", "a b", "user@", "host:port", "a/b"])
def test_what_cannot_name_a_host_is_refused(spec: str, config: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read as a host"):
        resolve(spec, config)


def test_jump_hosts_are_left_to_ssh(config: Path) -> None:
    proxy = resolve("jumped", config).proxy

    assert proxy == Command(
        "ssh", "-F", str(config), "-J", "first", "-p", "2200", "-W", "[10.9.9.9]:22", "--", "user@second"
    )


def test_a_proxy_command_is_expanded(config: Path) -> None:
    assert resolve("piped", config).proxy == ("sh", "-c", "exec nc -X 5 piped 22")


def test_an_alias_names_the_host_key(config: Path) -> None:
    assert resolve("alias", config).host_key_name == "the-one"


def test_the_terminal_is_handed_to_ssh_with_the_same_options(config: Path) -> None:
    command = resolve("bob@app1:2200", config).interactive(Command("docker", "exec", "x", "echo a b"), tty=True)

    assert command == ("ssh", "-F", str(config), "-p", "2200", "-l", "bob", "-t", "app1", "docker exec x 'echo a b'")


def key(path: Path, kind: str = "ed25519") -> paramiko.PKey:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return paramiko.PKey.from_path(path)


def decide(target: Target, shown: paramiko.PKey) -> str:
    policy = CheckHostKey(target, known_keys(target))
    policy.missing_host_key(paramiko.SSHClient(), "", shown)
    return policy.accepted


def test_a_new_key_is_written_down_once_and_nothing_else_changes(config: Path, tmp_path: Path) -> None:
    target = resolve("app1", config)
    before = "# a comment\nother ssh-ed25519 AAAA\n"
    target.known_hosts[0].write_text(before)
    shown = key(tmp_path / "host")

    assert decide(target, shown) == shown.fingerprint
    text = target.known_hosts[0].read_text()
    assert text == f"{before}app1 ssh-ed25519 {shown.get_base64()}\n"
    assert decide(target, shown) == ""
    assert target.known_hosts[0].read_text() == text


def test_a_changed_key_is_refused_with_the_line_that_forgets_the_old_one(config: Path, tmp_path: Path) -> None:
    target = resolve("app1:2222", config)
    decide(target, key(tmp_path / "host"))

    with pytest.raises(DeployError, match="the host key has changed") as caught:
        decide(target, key(tmp_path / "intruder"))

    assert caught.value.remedy.endswith(f"ssh-keygen -f {target.known_hosts[0]} -R '[app1]:2222'")


def test_a_key_of_another_kind_is_no_way_around_a_known_one(config: Path, tmp_path: Path) -> None:
    target = resolve("app1", config)
    decide(target, key(tmp_path / "host"))

    with pytest.raises(DeployError, match="the host key has changed"):
        decide(target, key(tmp_path / "other", "ecdsa"))


def test_hashed_names_patterns_and_broken_lines_are_understood(config: Path, tmp_path: Path) -> None:
    target = resolve("app1", config)
    shown = key(tmp_path / "host")
    target.known_hosts[0].write_text(f"nonsense\napp*,!app9 ssh-ed25519 {shown.get_base64()}\n")
    assert decide(target, shown) == ""

    target.known_hosts[0].write_text(f"app1 ssh-ed25519 {shown.get_base64()}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(target.known_hosts[0])], check=True, capture_output=True)
    assert "app1" not in target.known_hosts[0].read_text()
    assert decide(target, shown) == ""


def test_a_revoked_key_is_refused(config: Path, tmp_path: Path) -> None:
    target = resolve("app1", config)
    shown = key(tmp_path / "host")
    target.known_hosts[0].write_text(f"@revoked app1 ssh-ed25519 {shown.get_base64()}\n")

    with pytest.raises(DeployError, match="marked as revoked"):
        decide(target, shown)


def test_strict_checking_refuses_new_keys(config: Path, tmp_path: Path) -> None:
    config.write_text(f"StrictHostKeyChecking yes\n{config.read_text()}")

    with pytest.raises(DeployError, match="is not known, and StrictHostKeyChecking is on"):
        decide(resolve("app1", config), key(tmp_path / "host"))


def test_names_are_hashed_when_the_user_wants_that(config: Path, tmp_path: Path) -> None:
    config.write_text(f"HashKnownHosts yes\n{config.read_text()}")
    target = resolve("app1", config)
    shown = key(tmp_path / "host")

    decide(target, shown)

    assert target.known_hosts[0].read_text().startswith("|1|")
    assert decide(target, shown) == ""


def test_hosts_with_agents_of_their_own_can_be_connected_to_at_once(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/the/usual")
    usual = resolve("inside", config)
    targets = [
        dataclasses.replace(usual, identity_agent=agent) for agent in ("", "/one", "/two", "/one", "none", "/two")
    ]
    seen: list[tuple[str, str | None]] = []

    def connect(target: Target) -> None:
        for _ in range(50):
            with agent_of(target):
                seen.append((target.identity_agent, os.environ.get("SSH_AUTH_SOCK")))

    threads = [threading.Thread(target=connect, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(seen) == {("", "/the/usual"), ("none", "/the/usual"), ("/one", "/one"), ("/two", "/two")}
    assert os.environ["SSH_AUTH_SOCK"] == "/the/usual"


class Wire:
    """A channel and its transport, as far as ending a command's input needs them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear_to_send = threading.Event()
        self.clear_to_send.set()
        self.sent: list[tuple[str, bool]] = []

    def settimeout(self, seconds: float) -> None: ...

    def get_transport(self) -> Wire:
        return self

    def is_active(self) -> bool:
        return True

    def _send_eof(self) -> str | None:
        return None if self.sent else "eof"

    def _send_user_message(self, message: str) -> None:
        self.sent.append((message, self.lock.locked()))


def test_the_end_of_input_is_sent_before_the_hosts_close_can_be_answered() -> None:
    """Under the channel's lock: OpenSSH hangs up on messages to a channel which is closed."""
    wire = Wire()
    process = RemoteProcess(cast("Any", wire), "app1", "true")
    process.close_stdin()
    process.close_stdin()

    assert wire.sent == [("eof", True)]


class InterruptedChannel:
    """A channel whose command Ctrl-C meets as it starts."""

    closed = False

    def exec_command(self, _: str) -> None:
        raise KeyboardInterrupt

    def close(self) -> None:
        self.closed = True


class Transport:
    """Opens channels, and remembers how many."""

    opened = 0

    def is_active(self) -> bool:
        return True

    def open_session(self, **_: float) -> InterruptedChannel:
        self.opened += 1
        self.last = InterruptedChannel()
        return self.last


class Connection:
    """What a host needs of Fabric's."""

    def __init__(self) -> None:
        self.transport = Transport()


def test_a_channel_that_ctrl_c_kept_from_being_opened_ahead_is_not_waited_for(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(resolve("alias", config))
    host._connection = connection = Connection()

    def interrupted(_: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            host._open_ahead()
    host._session()
    assert connection.transport.opened == 1

    host._open_ahead()
    host._session()
    assert connection.transport.opened == 2, "the one that was opened ahead is taken"


def test_a_command_that_ctrl_c_meets_as_it_starts_is_let_go_of(config: Path) -> None:
    """It would wait for its input for ever, and keep others that change the host from theirs."""
    host = Host(resolve("alias", config))
    host._connection = connection = Connection()

    with pytest.raises(KeyboardInterrupt):
        host.start(Command("cat"))

    assert connection.transport.last.closed
