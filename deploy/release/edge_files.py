"""The files of the edge on a host, as one archive: configuration, maps, page, scripts, certificates to begin with."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.model.edge import (
    PLACEHOLDER,
    EdgeState,
    Tls,
    page_template,
    render_compose,
    render_config,
    render_maintenance,
    render_map,
    tls_of,
)
from deploy.model.edge.maintenance import DEFAULT_PAGE
from deploy.model.edge.paths import ON_A_NODE, ON_ONE_HOST
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine, Environment
from deploy.shell.packaged import script_text
from deploy.shell.reading import read_text

READABLE, SECRET = 0o644, 0o600
PLACEHOLDER_DAYS = 3650


def tls_for(environment: Environment, record: ReleaseRecord) -> Tls | None:
    """What the edge does about TLS for a release. Raises UsageError for settings that cannot be followed."""
    acme = environment.acme
    if acme is None:
        return None
    ca = read_text(Path(acme.ca), said="invoke.yaml: acme.ca") if acme.ca else ""
    return tls_of(record, environment.domains, email=acme.email, server=acme.server, ca=ca)


def maintenance_page(environment: Environment) -> str:
    """The page users get in maintenance, as HAProxy reads it. Raises UsageError when it cannot be one."""
    own = environment.maintenance_page
    page = read_text(Path(own), said="invoke.yaml: maintenance_page") if own else DEFAULT_PAGE
    paths = ON_A_NODE if environment.engine == Engine.SWARM else ON_ONE_HOST
    return page_template(page, where=own or "the page", paths=paths)


def edge_archive(state: EdgeState, layout: HostLayout, page: str) -> bytes:
    """Everything that stands in `edge/`, as a tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text, mode in _files(state, layout, page):
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), mode, int(time.time())
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _files(state: EdgeState, layout: HostLayout, page: str) -> Iterator[tuple[str, str, int]]:
    yield "etc/haproxy.cfg", render_config(state, layout), READABLE
    yield "etc/live.map", render_map(state), READABLE
    yield "etc/maintenance.map", render_maintenance(None), READABLE
    yield "etc/maintenance.html", page, READABLE
    yield "compose.yaml", json.dumps(render_compose(state, layout), indent=1), READABLE
    yield "state.json", state.to_json(), READABLE
    if state.tls:
        for name in ("edge-start.bash", "edge-runtime.bash"):
            yield f"etc/{name}", script_text("release", name), READABLE
        yield "acme/acme.sh", script_text("release", "acme.sh"), READABLE
        if state.tls.ca:
            yield "acme/ca.pem", state.tls.ca, READABLE
        for name in state.tls.names:
            yield f"certs/{name}.pem", placeholder(name), SECRET


def placeholder(name: str) -> str:
    """A self-signed certificate with its key, so that HAProxy can listen before the real one is there."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PLACEHOLDER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=PLACEHOLDER_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()
