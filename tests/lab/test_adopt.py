"""Somebody else's project that uses much of what a compose file can say, unmodified: in, on, and back."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import RemoteHost, raise_host, ssh_config
from tests.load import Load, Request
from tests.project import Project, commit, docker, swept, unique

BOARD = Path(__file__).parent / "board"
TO_SANDBOX = ("--host", "sandbox")
DEPLOY = ("prod.deploy", *TO_SANDBOX, "--yes")
REQUESTS = (Request("/"), Request("/api/"), Request("/", str))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    name = unique("board")
    root = tmp_path_factory.mktemp("board") / "project"
    shutil.copytree(BOARD, root)
    allow = {"example-secret": "its token opens nothing"}
    (root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": {"prod": {"allow": allow}}}}))
    (root / "data" / "from-development").write_text("not for production\n")
    commit(root, "As it is")
    docker("tag", "python:3.13-slim", "acme/pages:1")  # a foreign image, as good as any
    with swept(name):
        yield Project(root, name)


@pytest.fixture(scope="module")
def host(board: Project) -> RemoteHost:
    return raise_host(board)


@pytest.fixture(scope="module")
def refused(board: Project, host: RemoteHost) -> str:
    """What a deploy says while the host lacks what the stack takes to be there."""
    done = board.inv(*DEPLOY, expect=1)
    assert host.containers(board.name) == {}
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def live(board: Project, host: RemoteHost, refused: str) -> RemoteHost:
    """The host with a first release."""
    host.sh("docker volume create board_archive && mkdir /srv/board && echo 'of the host' >/srv/board/here.txt")
    board.inv(*DEPLOY)
    return host


WIKI = """\
services:
  wiki:
    image: acme/pages:1
    command: python -m http.server --directory /pages 8080
    init: true
    environment: {COLOUR: "${COLOUR:-green}"}
    restart: always
    volumes: ["pages:/pages"]
    ports: ["8090:8080"]
volumes:
  pages:
"""


@pytest.fixture(scope="module")
def wiki(board: Project, live: RemoteHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project all of which lives on, on the same host."""
    root = tmp_path_factory.mktemp("wiki")
    (root / "compose.yaml").write_text(WIKI)
    shutil.copy(BOARD / "tasks.py", root)
    project = Project(root, unique("wiki"))
    ssh_config(
        project, (board.root / ".windlass/sandbox/ssh_config").read_text().replace("Host sandbox", "Host beside")
    )
    with swept(project.name):
        yield project


def kept(board: Project, host: RemoteHost, name: str) -> list[str]:
    """Lines of a file in the folder of data."""
    return host.run("cat", f"/opt/{board.name}/shared/data/{name}").splitlines()


def running(board: Project, host: RemoteHost, service: str) -> list[str]:
    """Ids of a service's containers, of whichever release."""
    return [one for name, one in host.containers(board.name).items() if name.rpartition("-")[0].endswith(f"-{service}")]


def facts(host: RemoteHost) -> Any:
    return json.loads(host.get("/facts")[1])


def test_what_a_host_lacks_is_said_with_its_line_before_anything_runs(refused: str) -> None:
    lines = (BOARD / "docker-compose.yml").read_text().splitlines()
    archive, srv = (
        1 + next(n for n, line in enumerate(lines) if text in line) for text in ("board_archive: {", "- /srv")
    )
    assert f"docker-compose.yml:{archive}: web: the external volume board_archive is not on the host" in refused
    assert f"docker-compose.yml:{srv}: web: /srv/board is not on the host" in refused
    assert "Build" not in refused


def test_services_find_each_other_by_every_name(live: RemoteHost) -> None:
    """`board_web` is a container_name, `front` a link."""
    assert live.get("/") == (200, "v1 first page\n")
    assert live.get("/api/peer")[0] == 200


def test_the_service_gets_what_its_compose_file_says(live: RemoteHost) -> None:
    given = facts(live)
    mounts = {words[1]: words for words in (line.split() for line in given["mounts"].splitlines())}
    assert given["token"] == "pa$$word-in-a-variable"
    assert given["door"] == "a key of many doors\n"
    assert given["motd"] == "for ${you}, from a compose file"
    assert given["greeting"] == "good morning"
    assert given["notice"] == given["notice as a config"] == "a file of its own\n"
    assert given["shared"] == "shared between builds\n"
    assert given["flavour"] == "vanilla\n"
    assert given["srv"] == "of the host\n"
    assert given["env"] == {"COLOUR": "green", "STAGE": "production"}
    assert given["files"] == [4000, 5000]
    assert given["scratch"]
    assert "size=8192k" in mounts["/tmp"][3]
    assert "size=32768k" in mounts["/dev/shm"][3]
    assert given["capabilities"].split()[1] == f"{2:016x}", "DAC_OVERRIDE alone"
    assert "203.0.113.7\telsewhere.example" in given["hosts"]
    assert "init" in given["first process"]


def test_ports_of_every_form_answer(live: RemoteHost) -> None:
    assert [live.get("/", port) for port in (8001, 8002)] == [(200, "one\n"), (200, "two\n")]
    ask = r"exec 3<>/dev/tcp/127.0.0.1/8003; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3"
    assert "one" in live.run("bash", "-c", ask)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((live.address, 8003), 5)
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(b"hello", (live.address, 9999))
        assert asking.recv(100) == b"echo hello"
    assert live.get("/web.py", 9100)[0] == 200, "on the host's network"
    assert live.get("/", 8085)[0] == 200, "the page of a service that lives on"


def test_a_profile_is_on_when_the_env_file_says_so(board: Project, live: RemoteHost) -> None:
    assert len(running(board, live, "counter")) == 1
    assert running(board, live, "debugger") == []


def test_replicas_and_one_shots(board: Project, live: RemoteHost) -> None:
    assert len(running(board, live, "api")) == 2
    assert running(board, live, "setup") == running(board, live, "tidy") == []
    assert len(kept(board, live, "setups")) == 1
    board.inv("prod.status", *TO_SANDBOX)


def test_folders_of_data_begin_empty_and_files_of_the_project_are_there(board: Project, live: RemoteHost) -> None:
    found = live.run("ls", "-A", f"/opt/{board.name}/shared/data").split()
    assert sorted(found) == ["setups", "starts"]


def test_the_same_again_is_nothing_to_do(board: Project, live: RemoteHost) -> None:
    before = live.containers(board.name)
    assert "nothing to do, nothing restarted" in board.inv(*DEPLOY).stderr
    assert live.containers(board.name) == before


def test_a_release_under_load_loses_nothing_and_keeps_data(board: Project, live: RemoteHost) -> None:
    lasting = running(board, live, "pages")
    board.edit("site/page.txt", "first", "second")
    board.edit("app/web.py", '"v1"', '"v2"')
    with Load(live.address, 80, REQUESTS) as load:
        board.inv(*DEPLOY)
    assert load.failed == {}
    assert load.sent > 100
    assert live.get("/") == (200, "v2 second page\n")
    assert len(kept(board, live, "setups")) == 2, "once for each release"
    assert kept(board, live, "starts") == ["v1", "v2"]
    assert running(board, live, "pages") == lasting
    assert [len(running(board, live, name)) for name in ("agent", "beacon", "counter")] == [1, 1, 1]


def test_a_rollback_under_load_goes_back_without_the_one_shots(board: Project, live: RemoteHost) -> None:
    with Load(live.address, 80, REQUESTS) as load:
        board.inv("prod.rollback", *TO_SANDBOX, "--yes")
    assert load.failed == {}
    assert live.get("/") == (200, "v1 first page\n")
    assert len(kept(board, live, "setups")) == 2
    assert kept(board, live, "starts") == ["v1", "v2", "v1"]
    board.inv("prod.status", *TO_SANDBOX)
    board.inv("prod.drift", *TO_SANDBOX)


def test_a_project_all_of_which_lives_on_is_served_too(wiki: Project, live: RemoteHost) -> None:
    deploy = ("prod.deploy", "--host", "beside", "--yes")
    wiki.inv(*deploy)
    assert live.get("/", 8090)[0] == 200
    first = running(wiki, live, "wiki")
    assert "nothing to do, nothing restarted" in wiki.inv(*deploy).stderr

    (wiki.root / ".env.prod").write_text("COLOUR=blue\n")
    wiki.inv(*deploy)

    assert live.get("/", 8090)[0] == 200
    assert len(running(wiki, live, "wiki")) == 1
    assert running(wiki, live, "wiki") != first
