"""The registry that takes an image's top layers from the engine, with a client that behaves as an engine does."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from deploy.model.image import Image
from deploy.push import tops
from deploy.push.tops import MOST_LAYERS, top_layers
from deploy.shell import LocalShell

TOP, LOWER = b"the top layer" * 1000, b"a lower one" * 1000
DOCKER = """\
#!{python}
import gzip, http.client, json, os, re, sys, threading, time
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] != "push":
    sys.exit()
port = int(re.search(r":(\\d+)/", sys.argv[-1])[1])
def upload(content):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for method, path, body in (("GET", "/v2/", None), ("POST", "/v2/x/blobs/uploads/", b"")):
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
    half = len(content) // 2
    connection.request("PATCH", answer.headers["Location"], iter([content[:half], content[half:]]), encode_chunked=True,
                       headers={{"Transfer-Encoding": "chunked"}})
    connection.getresponse()
    open({log!r} + ".acknowledged", "w").close()
threads = [threading.Thread(target=upload, args=(one,), daemon=True) for one in {layers!r}]
[thread.start() for thread in threads]
[thread.join({seconds}) for thread in threads]
"""


def diff_id(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image(*tags: str) -> Image:
    return Image({"Id": "sha256:" + "1" * 64, "RepoTags": ["app:1", *tags], "RootFS": {"Layers": [diff_id(TOP)]}})


class Engine:
    """A machine whose `docker push` uploads these layers."""

    def __init__(self, folder: Path, *layers: bytes, seconds: int = 30) -> None:
        self._log = folder / "log"
        docker = folder / "docker"
        packed = [gzip.compress(one) for one in layers]
        docker.write_text(DOCKER.format(python=sys.executable, log=str(self._log), layers=packed, seconds=seconds))
        docker.chmod(docker.stat().st_mode | stat.S_IXUSR)
        self.shell = LocalShell(env={"PATH": f"{folder}:{os.environ['PATH']}"})

    @property
    def commands(self) -> list[list[str]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def acknowledged(self) -> bool:
        return Path(f"{self._log}.acknowledged").exists()


@pytest.fixture(autouse=True)
def _the_fake_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(tops, "PATIENCE_S", 60)  # a machine with other work must not look like a silent engine


def test_the_layers_that_are_wanted_come_and_none_is_acknowledged(tmp_path: Path) -> None:
    engine = Engine(tmp_path, LOWER, TOP)

    assert top_layers(engine.shell, image(), [diff_id(TOP)]) == {diff_id(TOP): TOP}

    tag, push, remove = engine.commands
    reference = push[-1]
    assert re.fullmatch(r"127\.0\.0\.1:\d+/windlass-push:1{16}", reference)
    assert tag == ["tag", "sha256:" + "1" * 64, reference]
    assert remove == ["image", "rm", "--no-prune", reference], "nothing is left in the engine"
    assert not engine.acknowledged


def test_layers_that_do_not_come_are_none(tmp_path: Path) -> None:
    engine = Engine(tmp_path, LOWER, seconds=0)
    assert top_layers(engine.shell, image(), [diff_id(TOP)]) is None
    assert engine.commands[-1][:2] == ["image", "rm"]


def test_an_engine_elsewhere_and_more_layers_than_come_at_once_are_not_tried(tmp_path: Path) -> None:
    engine = Engine(tmp_path, TOP)
    elsewhere = LocalShell(env={"DOCKER_HOST": "ssh://build@big"})
    many = [f"sha256:{number}" for number in range(MOST_LAYERS + 1)]

    assert top_layers(elsewhere, image(), [diff_id(TOP)]) is None
    assert top_layers(engine.shell, image(), many) is None
    assert not (tmp_path / "log").exists()


def test_tags_that_a_killed_push_left_are_taken_away(tmp_path: Path) -> None:
    engine = Engine(tmp_path, TOP)
    left, others = "127.0.0.1:1/windlass-push:1", "127.0.0.1:5000/app:1"

    top_layers(engine.shell, image(left, others), [diff_id(TOP)])

    assert left in engine.commands[-1]
    assert others not in engine.commands[-1]
