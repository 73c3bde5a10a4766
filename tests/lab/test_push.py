"""Images to a host: what crosses the wire, what happens when it is cut, and both kinds of image store."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest

from deploy.engine.images import history, inspect, layers
from deploy.model.command import Command
from deploy.model.errors import LinkLostError
from deploy.model.layout import HostLayout
from deploy.push.archive import Member
from deploy.push.packing import Packing
from deploy.push.remade import Remade
from deploy.push.send import push_images
from deploy.push.stream import Archive, Saved
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.remote.connection import Host
from deploy.remote.target import resolve
from deploy.shell import LocalShell
from deploy.ui import Step
from tests.lab.conftest import RemoteHost, raise_host
from tests.project import Project, docker, eventually

MB = 1 << 20
CONTAINERD = '{"features": {"containerd-snapshotter": true}}'


@contextmanager
def site(shop: Project, host: RemoteHost) -> Iterator[Site]:
    shell = Host(resolve(host.spec, shop.root / ".windlass" / host.spec / "ssh_config"))
    try:
        yield Site(shell, HostLayout(shop.name, PurePosixPath(f"/home/deploy/{shop.name}")), host.address)
    finally:
        shell.close()


def image(shop: Project, folder: Path, tag: str, *parts: bytes, engine: LocalShell | None = None) -> str:
    """An image with a layer for each part, as two builds of one Dockerfile have them."""
    reference = f"{shop.name}/parts:{tag}"
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts):
        (folder / f"part{number}").write_bytes(part)
    copies = "".join(f"COPY part{number} /part{number}\n" for number in range(len(parts)))
    (folder / "Dockerfile").write_text(f"FROM scratch\n{copies}")
    (engine or LocalShell()).run(Command("docker", "build", "--quiet", "--tag", reference, str(folder)))
    return reference


def push(found: Site, reference: str, *earlier: str, step: Step | None = None, local: LocalShell | None = None) -> int:
    """The bytes that were sent; the host has the image then."""
    own = local or LocalShell()
    to = receiver(found, found.facts())
    sent = push_images(own, to, [reference], step or Step("push"), earlier={reference: earlier})
    assert layers(found.shell, [reference]) == layers(own, [reference])
    assert not sent.notes, "nothing had to be sent again"
    return sent.sent_bytes


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)  # noqa: S311


@pytest.fixture(scope="module", params=["classic", "containerd"])
def receiving(request: pytest.FixtureRequest, shop: Project) -> RemoteHost:
    """A host with either kind of image store."""
    host = raise_host(shop, request.param)
    if request.param == "containerd":
        use_containerd(host)
    return host


def use_containerd(host: RemoteHost) -> None:
    host.sh(f"mkdir -p /etc/docker && echo '{CONTAINERD}' >/etc/docker/daemon.json && pkill -TERM -x dockerd")
    eventually(lambda: "containerd" in host.run("docker", "info", "--format", "{{.DriverStatus}}", check=False))


def test_only_what_the_host_lacks_is_sent(shop: Project, receiving: RemoteHost, tmp_path: Path) -> None:
    base, top = noise(1, 12 * MB), noise(2, MB)
    first = image(shop, tmp_path / "first", "1", base, top)
    second = image(shop, tmp_path / "second", "2", base, noise(3, MB))
    with site(shop, receiving) as found:
        assert push(found, first) > 13 * MB
        assert push(found, second) < 1.1 * MB


@pytest.mark.parametrize("large", [True, False])
def test_for_hosts_that_lack_the_same_the_image_is_read_once(
    shop: Project, host: RemoteHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, large: bool
) -> None:
    """One host stands for two: it is told that it lacks the image although it has it."""
    reference = image(shop, tmp_path / "image", f"2{large:d}", noise(20 + large, 20 * MB if large else MB))
    kind: type[Archive] = Saved if large else Remade
    read, members = [], kind.members

    def counted(archive: Archive) -> Iterator[Member]:
        read.append(archive)
        return members(archive)

    monkeypatch.setattr(kind, "members", counted)
    with site(shop, host) as found, Packing(LocalShell(), for_several=True) as packing:
        to = receiver(found, found.facts())
        sent = [push_images(LocalShell(), to, [reference], Step("push"), earlier={}, packing=packing) for _ in range(2)]
        assert layers(found.shell, [reference]) == layers(LocalShell(), [reference])

    assert sent[0] == sent[1]
    assert not sent[0].notes
    assert len(read) == 1


def test_a_small_change_needs_no_docker_save(
    shop: Project, host: RemoteHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = noise(14, 20 * MB)
    first = image(shop, tmp_path / "first", "11", base, b"one line")
    second = image(shop, tmp_path / "second", "12", base, b"another")
    with site(shop, host) as found:
        push(found, first)
        monkeypatch.setattr(Saved, "members", lambda _: pytest.fail("the whole image was asked for"))
        assert push(found, second) < 20_000
        here, there = inspect(LocalShell(), [second]), inspect(found.shell, [second])
        assert there[second].essence == here[second].essence
        assert [one.created_by for one in history(found.shell, second)] == [
            one.created_by for one in history(LocalShell(), second)
        ]
    assert not any(tag.startswith("127.0.0.1:") for tag in here[second].tags), "nothing is left in the engine"


def test_a_layer_that_changed_a_little_is_sent_as_its_difference(
    shop: Project, receiving: RemoteHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = noise(4, 16 * MB)
    new = old[: 5 * MB] + noise(5, MB) + old[5 * MB :]
    first = image(shop, tmp_path / "first", "3", b"base", old)
    second = image(shop, tmp_path / "second", "4", b"base", new)
    third = image(shop, tmp_path / "third", "13", b"base", new + noise(15, MB))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with site(shop, receiving) as found:
        push(found, first)
        shutil.rmtree(tmp_path / "cache")
        assert push(found, second, first) < 1.2 * MB, "the old layer is the engine's"
        docker("image", "rm", second)
        assert push(found, third, second) < 1.2 * MB, "the old layer is the cache's"
    assert receiving.sh(f"ls /home/deploy/{shop.name}/incoming") == "", "nothing is left behind"


def test_a_host_that_has_another_layer_than_we_think_gets_all_of_it(
    shop: Project, receiving: RemoteHost, tmp_path: Path
) -> None:
    """The base of a difference is gone from the host by the time it is wanted."""
    old, new = noise(6, 8 * MB), noise(7, MB)
    first = image(shop, tmp_path / "first", "5", b"base", old)
    second = image(shop, tmp_path / "second", "6", b"base", old + new)
    with site(shop, receiving) as found:
        push(found, first)
        to = receiver(found, found.facts())
        receiving.run("docker", "image", "rm", first)
        sent = push_images(LocalShell(), to, [second], Step("push"), earlier={second: [first]})
        assert sent.sent_bytes > 10 * MB, "the refused attempt counts"
        assert "more was sent instead" in sent.notes[0]
        assert layers(found.shell, [second]) == layers(LocalShell(), [second])


class Cut(Step):
    """Cuts the connection, once, when so much has been sent."""

    def __init__(self, host: RemoteHost, after_bytes: int) -> None:
        super().__init__("push")
        self._host = host
        self._after = after_bytes
        self._shown = 0

    def show(self, text: str) -> None:
        super().show(text)
        self._shown += MB if " sent" in text else 0
        if self._after and self._shown >= self._after:
            self._after = 0
            self._host.sh("pkill -9 -u deploy -x 'sshd.*' || pkill -9 -f 'sshd.*deploy'")


def test_a_push_that_was_cut_goes_on_where_it_ended(shop: Project, host: RemoteHost, tmp_path: Path) -> None:
    reference = image(shop, tmp_path / "big", "7", noise(8, 40 * MB), noise(9, 30 * MB))
    with site(shop, host) as found, pytest.raises(LinkLostError, match="was lost"):
        push(found, reference, step=Cut(host, 50 * MB))
    kept = int(host.sh(f"cat /home/deploy/{shop.name}/incoming/*.stream | wc -c"))
    assert kept > 20 * MB

    with site(shop, host) as found:
        sent = push(found, reference)

    assert abs(sent + kept - 70 * MB) < MB
    assert host.sh(f"ls /home/deploy/{shop.name}/incoming") == ""


def test_what_is_left_of_a_cut_push_is_not_trusted(shop: Project, host: RemoteHost, tmp_path: Path) -> None:
    reference = image(shop, tmp_path / "big", "8", noise(10, 40 * MB))
    with site(shop, host) as found, pytest.raises(LinkLostError):
        push(found, reference, step=Cut(host, 25 * MB))
    host.sh(f"for file in /home/deploy/{shop.name}/incoming/*.stream; do printf x | dd of=$file conv=notrunc; done")
    with site(shop, host) as found:
        assert push(found, reference) > 40 * MB


def test_images_come_from_either_kind_of_store(shop: Project, host: RemoteHost, tmp_path: Path) -> None:
    """Another sandbox's engine, seen through its socket, is this machine's as one that keeps images in containerd."""
    other = raise_host(shop, "builder")
    use_containerd(other)
    pid = docker("container", "inspect", "--format", "{{.State.Pid}}", other.container)
    engine = LocalShell(env={"DOCKER_HOST": f"unix:///proc/{pid}/root/run/docker.sock"})
    base = noise(11, 8 * MB)
    first = image(shop, tmp_path / "first", "9", base, noise(12, MB), engine=engine)
    second = image(shop, tmp_path / "second", "10", base, noise(13, MB), engine=engine)
    with site(shop, host) as found:
        assert push(found, first, local=engine) > 9 * MB
        assert push(found, second, local=engine) < 1.2 * MB
