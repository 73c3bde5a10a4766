"""The edge's own compose document: HAProxy, and beside it the ACME client when names are to have certificates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from deploy.model.edge.config import ADMIN_PORT, MASTER_PORT
from deploy.model.edge.frontends import FIRST_PORT, PLAIN_PORT, SECURE_PORT, answers_plain_http
from deploy.model.edge.paths import ON_ONE_HOST
from deploy.model.edge.state import EdgeState
from deploy.model.edge.tls import HTTP_PORT, HTTPS_PORT, Tls
from deploy.model.layout import HostLayout

IMAGE = "haproxy:3.0"
ACME_IMAGE = "goacme/lego:v4.9.1"
HAPROXY_USER = "99:99"
"""Who HAProxy runs as in its image, and so who certificates belong to."""
DEFINITION = "windlass.edge"
"""Label of the running container: the digest of the document it was made from."""
_HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def images(tls: Tls | None) -> tuple[str, ...]:
    """Images that the edge runs."""
    return (IMAGE, ACME_IMAGE) if tls else (IMAGE,)


def published(state: EdgeState) -> frozenset[int]:
    """Ports of the host that the edge holds."""
    return frozenset(port for _, port, _ in ports_of(state))


def definition(state: EdgeState) -> str:
    """A digest that differs when the edge's container must be made anew."""
    services = _services(state)
    return hashlib.sha256(json.dumps(services["edge"], sort_keys=True).encode()).hexdigest()[:16]


def render_compose(state: EdgeState, layout: HostLayout) -> dict[str, Any]:
    """The edge's own compose document."""
    services = _services(state)
    services["edge"]["labels"] = {DEFINITION: definition(state)}
    return {
        "name": layout.edge_project,
        "services": services,
        "networks": {"edge": {"name": layout.lasting_network("edge")}},
    }


def _services(state: EdgeState) -> dict[str, Any]:
    return {"edge": _edge(state), **({"acme": _acme(state.tls)} if state.tls else {})}


def ports_of(state: EdgeState) -> Iterator[tuple[int, int, str]]:
    """Ports inside the edge's container, outside of it, and the address that each is to be reached at, if not all."""
    for number, listener in enumerate(state.listeners):
        yield FIRST_PORT + number, listener.port.published, listener.port.host_ip
    if state.tls:
        yield SECURE_PORT, HTTPS_PORT, ""
        if not answers_plain_http(state.listeners):
            yield PLAIN_PORT, HTTP_PORT, ""


def _edge(state: EdgeState) -> dict[str, Any]:
    haproxy = ["haproxy", "-W", "-db", "-S", f"ipv4@127.0.0.1:{MASTER_PORT}", "-f", f"{ON_ONE_HOST.config}/haproxy.cfg"]
    answers = f"exec 3<>/dev/tcp/127.0.0.1/{ADMIN_PORT}"
    volumes = [f"./etc:{ON_ONE_HOST.config}:ro"]
    command = haproxy
    if state.tls:
        volumes.append(f"./certs:{ON_ONE_HOST.certificates}:ro")
        command = ["bash", f"{ON_ONE_HOST.config}/edge-start.bash", *haproxy]
    return {
        "image": IMAGE,
        "pull_policy": "never",
        "command": command,
        "restart": "unless-stopped",
        "ports": [_port(*one) for one in ports_of(state)],
        "volumes": volumes,
        "networks": ["edge"],
        **_HARDENED,
        "stop_grace_period": "30s",
        "logging": _LOGGING,
        "healthcheck": {
            "test": ["CMD", "bash", "-c", answers],
            "interval": "5s",
            "start_period": "10s",
            "start_interval": "1s",
        },
    }


def _acme(tls: Tls) -> dict[str, Any]:
    return {
        "image": ACME_IMAGE,
        "pull_policy": "never",
        "entrypoint": ["sh", "/etc/acme/acme.sh"],
        "command": [tls.server, tls.email, *tls.names],
        "user": HAPROXY_USER,
        **({"environment": {"LEGO_CA_CERTIFICATES": "/etc/acme/ca.pem"}} if tls.ca else {}),
        "restart": "unless-stopped",
        "depends_on": {"edge": {"condition": "service_healthy"}},
        "volumes": ["./acme:/etc/acme:ro", f"./certs:{ON_ONE_HOST.certificates}"],
        "networks": ["edge"],
        **_HARDENED,
        "logging": _LOGGING,
    }


def _port(target: int, published: int, host_ip: str) -> dict[str, Any]:
    address = {"host_ip": host_ip} if host_ip else {}
    return {"target": target, "published": str(published), "protocol": "tcp", **address}
