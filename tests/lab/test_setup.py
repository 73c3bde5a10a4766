"""`inv host.setup` on a server as a provider hands it over."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.engine.bases import BaseImages
from deploy.shell import LocalShell
from deploy.ui import Console
from tests.lab.conftest import RemoteHost, public_key, ssh_config
from tests.project import Project, docker, eventually, unique

IMAGE = "windlass/test-bare"


def _greeting(address: str) -> str:
    """What sshd says first."""
    with socket.create_connection((address, 22), timeout=5) as connection:
        return connection.recv(255).decode()


@pytest.fixture(scope="module")
def bare(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteHost]:
    """Debian 12, reachable as `new` through an SSH configuration of the test's own."""
    BaseImages(LocalShell(), Console(), shop.root).ensure(["debian:bookworm-slim"])
    here = Path(__file__).parent
    docker("build", "--quiet", "--tag", IMAGE, "--file", str(here / "bare.Dockerfile"), str(here))
    folder = tmp_path_factory.mktemp("keys")
    key = public_key(folder / "key")
    name = unique("bare")
    docker(
        "run",
        "--detach",
        "--name",
        name,
        "--privileged",
        "--volume",
        "/var/lib/docker",
        "--env",
        f"AUTHORIZED_KEY={key}",
        IMAGE,
    )
    try:
        address = json.loads(docker("container", "inspect", name))[0]["NetworkSettings"]["IPAddress"]
        ssh_config(
            shop,
            f"Host new\n  HostName {address}\n  User ops\n"
            f"  IdentityFile {folder}/key\n  UserKnownHostsFile {folder}/known_hosts\n",
        )
        host = RemoteHost("new", address, name)
        eventually(lambda: "OpenSSH" in _greeting(address))
        yield host
    finally:
        docker("rm", "--force", "--volumes", name)


def test_a_bare_server_is_named_as_such_before_anything_is_built(shop: Project, bare: RemoteHost) -> None:
    done = shop.inv("prod.deploy", "--host", "new", "--yes", expect=1)

    assert "new: new host key SHA256:" in done.stderr
    assert "no Docker engine answers to user ops" in done.stderr
    assert "→ inv host.setup --host new" in done.stderr
    assert "Build" not in done.stderr


def test_setup_makes_it_ready_and_says_what_it_did(shop: Project, bare: RemoteHost) -> None:
    done = shop.inv("host.setup", "--host", "new")

    for said in (
        "added Debian 13 as a source",
        "installed docker.io ",
        "installed docker-compose ",
        "started the engine",
        "added ops to the group docker",
        f"made /opt/{shop.name}",
        "new is ready.",
    ):
        assert said in done.stderr, said
    assert bare.sh("su ops -c 'docker compose version --short'").startswith("2.")
    assert bare.sh(f"stat -c '%U %a' /opt/{shop.name}") == "ops 750"
    assert "bookworm" in bare.sh("cat /etc/os-release"), "nothing else was upgraded"
    assert bare.sh("apt-get -s upgrade 2>/dev/null | grep -c '^Inst.*trixie' || true") == "0"


def test_setup_again_changes_nothing(shop: Project, bare: RemoteHost) -> None:
    packages = bare.sh("dpkg -l | sha256sum")

    done = shop.inv("host.setup", "--host", "new")

    assert "found Docker Engine, compose and buildx" in done.stderr
    for said in ("installed", "started", "added", "made"):
        assert said not in done.stderr, said
    assert bare.sh("dpkg -l | sha256sum") == packages


def test_a_release_can_be_deployed_to_it(shop: Project, bare: RemoteHost) -> None:
    shop.inv("prod.deploy", "--host", "new", "--yes")

    assert bare.get("/") == (200, "v1 hello\n")


def test_without_sudo_the_refusal_says_what_is_needed(shop: Project, bare: RemoteHost) -> None:
    bare.sh("mv /etc/sudoers.d/ops /root/ops && mv /usr/libexec/docker/cli-plugins/docker-buildx /root/")
    try:
        done = shop.inv("host.setup", "--host", "new", expect=1)
    finally:
        bare.sh("mv /root/ops /etc/sudoers.d/ops && mv /root/docker-buildx /usr/libexec/docker/cli-plugins/")
    assert "new: could not be set up" in done.stderr
    assert "sudo" in done.stderr
