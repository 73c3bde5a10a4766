"""Names that tests have certificates for, and asking a host for them."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPResponse

from tests.lab.conftest import RemoteHost

NAME, SECOND = "shop.example.test", "www.example.test"


def connect(host: RemoteHost, trust: ssl.SSLContext, name: str = NAME) -> ssl.SSLSocket:
    return trust.wrap_socket(socket.create_connection((host.address, 443), 10), server_hostname=name)


def serial(host: RemoteHost, trust: ssl.SSLContext, name: str = NAME) -> str:
    """The number of the certificate that is served; an error when it is not trusted."""
    with connect(host, trust, name) as connection:
        certificate = connection.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def ask(connection: socket.socket, path: str, name: str = NAME) -> tuple[int, dict[str, str], bytes]:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    answer = HTTPResponse(connection)
    answer.begin()
    return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
