"""The top layers of images, without a `docker save`, which writes all of an image before its first byte.

An engine that is told to push an image begins with its top layers, five at once, and gives a registry on its own
machine each as it is. So we are that registry, for as long as it takes to have the layers we want: none is ever
acknowledged, and the push ends unfinished. Nothing is left in the engine: it notes what a registry has only when that
says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.image import Image
from deploy.shell import LocalShell

MOST_LAYERS = 5
"""What an engine pushes at once: the next would come only after an acknowledgement."""
MOST_BYTES = 64 << 20
"""Of one layer. What is larger is none of those that are worth this."""
PATIENCE_S = 4.0
"""With a silent engine. One in a virtual machine or elsewhere does not reach us, and most say so at once."""
POLL_S = 0.01
CHUNK_BYTES = 1 << 18
REPOSITORY = "windlass-push"
_OURS = re.compile(rf"127\.0\.0\.1:(\d+)/{REPOSITORY}:.*")


def top_layers(shell: LocalShell, image: Image, wanted: Collection[str]) -> Mapping[str, bytes] | None:
    """The layers `wanted`, which are the uppermost of the image, by diff id. None when they cannot be had this way."""
    if not wanted:
        return {}
    if len(wanted) > MOST_LAYERS or not shell.environ().get("DOCKER_HOST", "unix:").startswith("unix:"):
        return None
    with contextlib.suppress(DeployError, OSError), _serving(wanted) as registry:
        reference = f"127.0.0.1:{registry.port}/{REPOSITORY}:{image.document['Id'].rpartition(':')[2][:16]}"
        try:
            shell.run(Command("docker", "tag", image.document["Id"], reference))
            with shell.start(Command("docker", "push", "--quiet", reference)) as push:
                return registry.found if registry.wait(lambda: push.running) else None
        finally:
            shell.run(Command("docker", "image", "rm", "--no-prune", *_stale(image.tags), reference), check=False)
    return None


def _stale(tags: Iterable[str]) -> Iterator[str]:
    """Tags of ours that nobody took away: whoever was to do it was killed."""
    for tag in tags:
        if ours := _OURS.fullmatch(tag):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(ours[1]))):
                    yield tag


class _Registry(ThreadingTCPServer):
    """As much of a registry (OCI distribution specification) as an engine needs to upload layers to it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Upload)
        self._wanted = frozenset(wanted)
        self._changed = threading.Condition()
        self._heard_at = time.monotonic()
        self.over = threading.Event()
        self.found: dict[str, bytes] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def hear(self) -> None:
        """Note that the engine is at work."""
        self._heard_at = time.monotonic()

    def wait(self, going_on: Callable[[], bool]) -> bool:
        """Wait for all layers. False when they will not come."""
        with self._changed:
            while self.found.keys() < self._wanted:
                if not going_on() or time.monotonic() - self._heard_at > PATIENCE_S:
                    return False
                self._changed.wait(POLL_S)
        return True

    def take(self, chunks: Iterable[bytes]) -> None:
        """A layer from the wire, kept when it is one that is wanted. One that is too large is not read to its end."""
        inflate, digest = zlib.decompressobj(wbits=31), hashlib.sha256()
        content = bytearray()
        for chunk in chunks:
            plain = inflate.decompress(chunk)
            digest.update(plain)
            content += plain
            self.hear()
            if len(content) > MOST_BYTES or self.over.is_set():
                return
        diff_id = f"sha256:{digest.hexdigest()}"
        if inflate.eof and diff_id in self._wanted:
            with self._changed:
                self.found[diff_id] = bytes(content)
                self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """The engine ends its connections without a word when its push is called off."""


class _Upload(BaseHTTPRequestHandler):
    """A request of the engine."""

    server: _Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Whether this is a registry."""
        self.server.hear()
        self._answer(200)

    def do_HEAD(self) -> None:
        """Whether it has a layer."""
        self._answer(404)

    def do_POST(self) -> None:
        """The begin of an upload."""
        self._answer(202, Location=self.path.rstrip("/") + "/1")

    def do_PATCH(self) -> None:
        """The layer. There is no answer: the connection stays open until the push is called off."""
        self.server.take(self._body())
        self.server.over.wait()
        self.close_connection = True

    def _body(self) -> Iterator[bytes]:
        rest = int(self.headers.get("Content-Length", 0))
        while rest and (chunk := self.rfile.read(min(rest, CHUNK_BYTES))):
            yield chunk
            rest -= len(chunk)
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return
        while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the method that it replaces
        """Nothing: the engine's requests are no news."""


@contextlib.contextmanager
def _serving(wanted: Collection[str]) -> Iterator[_Registry]:
    with _Registry(wanted) as registry:
        threading.Thread(target=registry.serve_forever, args=(POLL_S,), daemon=True).start()
        try:
            yield registry
        finally:
            registry.over.set()
            registry.shutdown()
