"""The edge on a cluster: HAProxy on every node, which finds the containers of a service by the engine's DNS.

Nothing is switched: a rolling update changes what stands behind a name. A container gets into the DNS when it is
healthy and leaves it two seconds before its stop signal; the edge asks every half second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from deploy.model.edge import FIRST_PORT, Listener, listeners_of
from deploy.model.edge.config import ADMIN_PORT, HEADER, TCP_LOG, described, forwarded
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names
from deploy.model.swarm.render import StackDocument

SERVERS = 48
"""Containers of one service that the edge can tell apart. Its configuration does not change with their number."""


_ASK_AGAIN = """\
  retry-on conn-failure empty-response 502
  http-request disable-l7-retry if !{ method GET HEAD }
"""
"""A proxy of the stack may have asked containers that an update has just taken away: a read is asked again."""


def edge_config(record: ReleaseRecord, project: str) -> str:
    """`haproxy.cfg`, which depends on the public ports only."""
    parts = [HEADER]
    for number, listener in enumerate(listeners_of(record)):
        parts.append(_frontend(listener, FIRST_PORT + number))
        parts.append(_backend(listener, record, project))
    return "\n".join(parts)


def _frontend(listener: Listener, port: int) -> str:
    mode, told = ("http", described("http")) if listener.port.http else ("tcp", TCP_LOG)
    more = forwarded("http", listener.port.published) if listener.port.http else ""
    return f"frontend {listener.name}\n  mode {mode}\n  bind :{port}\n{told}{more}  default_backend {listener.name}\n"


def _backend(listener: Listener, record: ReleaseRecord, project: str) -> str:
    mode = "http" if listener.port.http else "tcp"
    lasting = record.services[listener.service].kind == Kind.DATA
    stack = names.data_stack(project) if lasting else names.app_stack(project)
    where = f"tasks.{names.service_name(stack, listener.service)}:{listener.port.target}"
    again = _ASK_AGAIN if listener.port.http else ""
    servers = f"  balance roundrobin\n  server-template s 1-{SERVERS} {where}\n"
    return f"backend {listener.name}\n  mode {mode}\n{again}{servers}"


def render_edge(record: ReleaseRecord, project: str, image: str, endpoint: str) -> StackDocument | None:
    """The edge's own stack; None where a release has no public port."""
    listeners = listeners_of(record)
    if not listeners:
        return None
    config = edge_config(record, project)
    digest = hashlib.sha256(config.encode()).hexdigest()[:12]
    networks = sorted(
        {min(one.networks) for name, one in record.services.items() if one.networks and _public(name, record)}
    )
    service: dict[str, Any] = {
        "image": image,
        "command": ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        "configs": [{"source": "haproxy", "target": "/usr/local/etc/haproxy/haproxy.cfg", "mode": 0o444}],
        "networks": networks,
        "ports": [
            {
                "target": FIRST_PORT + number,
                "published": listener.port.published,
                "protocol": "tcp",
                "mode": "host",
            }
            for number, listener in enumerate(listeners)
        ],
        "read_only": True,
        "cap_drop": ["ALL"],
        "stop_grace_period": "30s",
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
        "healthcheck": {
            "test": ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{ADMIN_PORT}"],
            "interval": "5s",
            "start_period": "10s",
        },
        "deploy": {
            "mode": "global",
            "endpoint_mode": endpoint,
            # a port of the node can be held once
            "update_config": {"parallelism": 1, "order": "stop-first", "failure_action": "rollback", "monitor": "5s"},
            "restart_policy": {"condition": "any", "delay": "1s"},
        },
    }
    document: Mapping[str, Any] = {
        "services": {"edge": service},
        "networks": {name: {"name": names.network(project, name), "external": True} for name in networks},
        "configs": {
            "haproxy": {"name": f"{names.edge_stack(project)}_haproxy-{digest}"[-64:], "file": f"./files/{digest}"}
        },
    }
    return StackDocument(document, {f"files/{digest}": config.encode()})


def _public(name: str, record: ReleaseRecord) -> bool:
    return any(one.service == name for one in record.public)
