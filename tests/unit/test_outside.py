"""What the watch of public addresses counts, against a server that fails when it is told to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.model.journal import Probes
from deploy.release.edge_files import placeholder
from deploy.release.outside import Watch, ask
from deploy.ui.reports import seen
from tests.project import eventually


class Server(ThreadingHTTPServer):
    """Answers with `status`; counts."""

    status = 200
    asked = 0


class Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Answer) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/"


def test_every_answer_is_counted_and_failures_are_failures(server: Server) -> None:
    watch = Watch((url(server),))
    eventually(lambda: server.asked > 3)
    server.status = 503
    before = server.asked
    eventually(lambda: server.asked > before + 2)
    server.status = 404
    probes = watch.stop()

    assert probes.sent >= 6
    assert 2 <= probes.failed < probes.sent
    assert watch.stop() == probes


def test_an_address_that_does_not_answer_is_not_watched(server: Server) -> None:
    server.status = 500
    nobody = "http://127.0.0.1:1/"

    assert ask(nobody) == 0
    assert Watch((url(server), nobody)).urls == ()
    assert Watch((nobody,)).stop() == Probes(0, 0, 0)


def test_an_answer_that_is_no_http_is_none() -> None:
    """It must be counted as a failure, and not end the watch."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 12)
                connection.sendall(b"what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(f"http://127.0.0.1:{listener.getsockname()[1]}/") == 0
        thread.join()


def test_a_name_is_asked_for_at_the_hosts_address_whoever_signed_its_certificate(
    server: Server, tmp_path: Path
) -> None:
    pem = tmp_path / "shop.pem"
    pem.write_text(placeholder("shop.example.test"))
    rules = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    rules.load_cert_chain(pem)
    asked_for: list[str | None] = []
    rules.sni_callback = lambda _, name, __: asked_for.append(name)
    server.socket = rules.wrap_socket(server.socket, server_side=True)
    address = f"https://shop.example.test:{server.server_address[1]}/"

    assert ask(address, "127.0.0.1") == 200
    assert set(asked_for) == {"shop.example.test"}
    assert Watch((address,), "127.0.0.1").stop().failed == 0


def test_the_last_line_says_what_was_seen() -> None:
    assert seen(Probes(212, 0, 41)) == "; 0 of 212 probes failed, slowest 41 ms"
    assert seen(Probes(0, 0, 0)) == ""
    assert seen(None) == ""
