"""Remote hosts: sandboxes, each with a real sshd and an engine of its own."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import require_engine
from tests.project import Project, commit, copy_of_this_checkout, docker, swept, unique
from tests.stack.browser import browser  # noqa: F401  # a fixture of every module here

NUMBERS = itertools.count(1)
SHOP = Path(__file__).parent / "shop"


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    require_engine()


@dataclass(frozen=True)
class RemoteHost:
    """A host: what to give to --host, where it answers, and a way in that does not go through what is tested."""

    spec: str
    address: str
    container: str

    def run(self, *words: str, check: bool = True) -> str:
        return docker("exec", self.container, *words, check=check)

    def sh(self, script: str) -> str:
        return self.run("sh", "-c", script)

    def engine_answers(self) -> bool:
        """Whether the engine is up: its client has something to say without it."""
        return bool(self.run("docker", "info", "--format", "{{.ServerVersion}}", check=False))

    def stop_engine(self) -> None:
        """Stop the engine as a shutdown does, and keep it down until :meth:`start_engine`."""
        self.sh("touch /run/no-engine && pkill -TERM -x dockerd && while pgrep -x dockerd; do sleep 0.1; done")

    def start_engine(self) -> None:
        """Let the engine that was stopped start again; it may not answer yet."""
        self.sh("rm /run/no-engine")

    def cut_power(self) -> None:
        """Lose everything at once: nothing ends as it should, and nobody refuses a connection either."""
        self.sh(f"touch /run/no-engine; {_silence('-I')}; kill -9 -1")

    def return_power(self) -> None:
        """Let a host start again at the address it had; its engine may not answer yet."""
        self.sh(f"{_silence('-D')}; /usr/sbin/sshd -E /var/log/sshd.log; rm /run/no-engine")

    def unplug(self) -> None:
        """Let nothing of the network in or out; all that runs goes on."""
        self.sh(_silence("-I"))

    def plug_in(self) -> None:
        self.sh(_silence("-D"))

    def give_engine_memory(self, size: str) -> None:
        """Keep the engine's data in memory of a size, ``400m`` for example: what was there before is gone."""
        self.stop_engine()
        self.sh(f"mount -t tmpfs -o size={size} tmpfs /var/lib/docker")
        self.start_engine()

    def get(self, path: str = "/", port: int = 80) -> tuple[int, str]:
        """Status and body of a page."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def containers(self, project: str) -> dict[str, str]:
        """Running containers whose compose project begins so, name to id."""
        lines = self.run(
            "docker", "ps", "--no-trunc", "--format", '{{.Label "com.docker.compose.project"}} {{.Names}} {{.ID}}'
        )
        rows = [line.split() for line in lines.splitlines()]
        return {row[1]: row[2] for row in rows if len(row) == 3 and row[0].startswith(project)}


def _silence(how: str) -> str:
    """Begin (`-I`) or end (`-D`) to drop what comes in and what goes out."""
    return f"iptables -t raw {how} PREROUTING -i eth0 -j DROP; iptables -t mangle {how} POSTROUTING -o eth0 -j DROP"


def raise_host(project: Project, name: str = "") -> RemoteHost:
    """A new sandbox of a project."""
    project.inv("sandbox.up", *(["--name", name] if name else []))
    spec = f"sandbox-{name}" if name else "sandbox"
    container = f"{project.name}-{spec}"
    details = json.loads(docker("container", "inspect", container))[0]
    address = next(iter(details["NetworkSettings"]["Networks"].values()))["IPAddress"]
    return RemoteHost(spec, address, container)


@pytest.fixture(scope="module")
def timetracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A fresh clone of the TimeTracker stack."""
    name = unique("tt")
    with swept(name):
        yield Project(copy_of_this_checkout(tmp_path_factory.mktemp("clone")), name)


@contextmanager
def new_shop(folder: Path, kind: str) -> Iterator[Project]:
    """A small project of somebody else's, under a name of its own."""
    name = unique(kind)
    root = folder / "project"
    shutil.copytree(SHOP, root)
    commit(root, "As it is")
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small project of somebody else's."""
    with new_shop(tmp_path_factory.mktemp("shop"), "shop") as project:
        yield project


@pytest.fixture(scope="module")
def host(shop: Project) -> RemoteHost:
    """A host for the shop, with nothing on it."""
    return raise_host(shop)


@pytest.fixture(scope="module")
def project(shop: Project) -> Project:
    """What the tests of a module deploy: the shop, unless the module has its own."""
    return shop


@pytest.fixture
def text(project: Project) -> Iterator[str]:
    """What the page says once the release that is on its way in serves."""
    web = project.root / "app" / "web.py"
    good = web.read_text()
    said = f"release {next(NUMBERS)}"
    web.write_text(good.replace('"v1"', f'"{said}"'))
    yield said
    web.write_text(good)


def ssh_config(project: Project, text: str) -> Path:
    """Let a project's tasks read an SSH configuration of the test's own."""
    path = project.root / "ssh_config"
    path.write_text(text)
    project.env["INVOKE_SSH_CONFIG_PATH"] = str(path)
    return path


def public_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()
