"""What `host.setup` may be asked for, and the keys that let somebody in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.keys import PublicKey, parse_public_key
from deploy.remote.connection import Host
from deploy.remote.target import resolve
from deploy.tasks.hardening import Hardening


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada at home", "-f", str(path)], check=True)
    return path


def asked(**changes: Any) -> Hardening:
    nothing: dict[str, Any] = {
        "user": "",
        "keys": (),
        "sudo": False,
        "updates": False,
        "firewall": False,
        "allow": (),
        "has_host": True,
    }
    return Hardening.of(**nothing | changes)


def test_a_public_key_is_read_and_shown_as_ssh_keygen_does(key: Path) -> None:
    file = key.with_suffix(".pub")
    found = parse_public_key(file.read_text(), str(file))

    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(file)], check=True, capture_output=True, text=True).stdout
    assert found.fingerprint == shown.split()[1]
    assert found.comment == "ada at home"
    assert found.line == file.read_text().strip()


def test_a_private_key_is_refused_and_never_shown(key: Path) -> None:
    with pytest.raises(UsageError, match="a private key, which never leaves this machine") as caught:
        asked(user="deploy", keys=[str(key)])

    assert caught.value.remedy == f"name {key}.pub"
    assert key.read_text().splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 public keys"),
        ("ssh-ed25519 AAAA a\nssh-ed25519 AAAA b\n", "holds 2 public keys"),
        ("ssh-ed25519 AAAA a", "is no public SSH key"),
        ("ssh-ed25519 !!!! a", "is no public SSH key"),
        ('command="reboot" ssh-ed25519 AAAA', "is no public SSH key"),
        ("hello", "is no public SSH key"),
    ],
)
def test_what_is_no_key_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_public_key(text, "key.pub")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"user": "deploy", "has_host": False}, "--user is for a host, and none is named"),
        ({"firewall": True, "has_host": False}, "--firewall is for a host, and none is named"),
        ({"keys": ["x.pub"]}, "--key says who may log in as a user, and none is named"),
        ({"allow": ["80"]}, "--allow opens a port of the firewall, which was not asked for"),
        ({"user": "root"}, "--user root: that cannot be the name of a user to deploy as"),
        ({"user": "ada lovelace"}, "--user ada lovelace: that cannot be"),
        ({"user": "x; reboot"}, "--user x; reboot: that cannot be"),
        ({"user": "a.b"}, "--user a.b: that cannot be"),
        ({"user": "deploy", "keys": ["/nowhere/key.pub"]}, "--key /nowhere/key.pub cannot be read: No such file"),
        ({"firewall": True, "allow": ["http"]}, "--allow http: that is no port"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_touched(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(**options)

    assert said in caught.value.message
    assert caught.value.remedy


def test_another_user_of_a_host_is_reached_as_ssh_reaches_it(tmp_path: Path, key: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host app1\n  HostName 192.0.2.7\n  User root\n  Port 2222\n")

    target = resolve("app1", config).as_user("deploy", [key])

    assert (target.spec, target.user, target.hostname, target.port) == ("deploy@app1", "deploy", "192.0.2.7", 2222)
    assert target.identity_files[0] == key
    assert target.ssh == Command("ssh", "-F", str(config), "-l", "deploy", "-i", str(key))
    assert resolve("root@app1", config).as_user("deploy").spec == "deploy@app1"


def test_everything_goes_through_sudo_where_that_is_said_and_nobody_is_root(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host app1\n  HostName 192.0.2.7\n")
    command = Command("docker", "info")

    assert Host(resolve("ada@app1", config), sudo=True).elevated(command) == ("sudo", "-n", "docker", "info")
    assert Host(resolve("root@app1", config), sudo=True).elevated(command) == command
    assert Host(resolve("ada@app1", config)).elevated(command) == command
    assert Host(resolve("ada@app1", config), sudo=True).interactive(command, tty=True)[-1] == "sudo -n docker info"


def test_a_key_without_a_comment_is_one_word_shorter() -> None:
    assert PublicKey("ssh-ed25519", "AAAA").line == "ssh-ed25519 AAAA"
