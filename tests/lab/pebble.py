"""Pebble, an ACME authority of the test's own, beside the sandboxes: it asks the hosts for its challenges for real.

Its certificates are good for 20 days, so that whoever renews 30 days ahead renews whenever it looks.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.engine.sandbox import NETWORK
from tests.project import docker, eventually


@dataclass(frozen=True)
class Pebble:
    """A running authority."""

    address: str
    container: str
    ca: str
    """What its own address is trusted by, in PEM."""

    @property
    def directory(self) -> str:
        return f"https://{self.address}:14000/dir"

    def trust(self) -> ssl.SSLContext:
        """The rules of somebody who trusts what it issues."""
        here = ssl.create_default_context(cadata=self.ca)
        with urllib.request.urlopen(f"https://{self.address}:15000/roots/0", context=here, timeout=10) as answer:
            return ssl.create_default_context(cadata=answer.read().decode())


def start_pebble(name: str, names: Iterable[str], host: str, folder: Path) -> Pebble:
    """`names` are what it finds at the address `host`."""
    docker("build", "--quiet", "--tag", name, "--file", str(Path(__file__).with_name("pebble.Dockerfile")), str(folder))
    known = [word for one in names for word in ("--add-host", f"{one}:{host}")]
    docker("run", "--detach", "--name", name, "--network", NETWORK, *known, name)
    details = json.loads(docker("container", "inspect", name))[0]
    address = details["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    certificate, key = _certificate(address)
    for file, text in (("key.pem", key), ("cert.pem", certificate)):
        (folder / file).write_text(text)
        docker("cp", str(folder / file), f"{name}:/pebble/{file}")
    made = Pebble(address, name, certificate)
    eventually(made.trust)
    return made


def _certificate(address: str) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pebble")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
