"""The registry inside a cluster, and the doors to it: how images reach every node without an outside registry.

The registry is one container with a volume. It asks whoever connects for a certificate of the cluster's own, so its
port may be open to the world. On every node a door, a small proxy in the node's own network, takes plain connections at
127.0.0.1, which an engine needs no setting for, and brings that certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.model.edge import IMAGE as PROXY_IMAGE

STACK = "windlass-registry"
REGISTRY_IMAGE = "registry:2"
DOOR_PORT = 5577
"""On every node, at 127.0.0.1 only."""
REGISTRY_PORT = 5578
"""On the registry's node, for those with a certificate."""
REGISTRY = f"127.0.0.1:{DOOR_PORT}"
SERVER_NAME = "windlass-registry"
SECRETS = ("ca.pem", "server.pem", "server.key", "client.pem")
PROXY_USER = "99"

_CONFIG = """\
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  relativeurls: true
  addr: :5000
  tls:
    certificate: /run/secrets/server.pem
    key: /run/secrets/server.key
    clientcas: [/run/secrets/ca.pem]
"""


def door_config(address: str) -> str:
    """HAProxy's configuration on every node; `address` is that of the registry's node."""
    host = f"[{address}]" if ":" in address else address
    return (
        "global\n  log stdout format raw local0 warning\n  maxconn 512\n"
        "defaults\n  log global\n  mode tcp\n  timeout connect 5s\n  timeout client 15m\n  timeout server 15m\n"
        f"frontend door\n  bind {REGISTRY}\n  default_backend registry\n"
        f"backend registry\n  server registry {host}:{REGISTRY_PORT} ssl verify required verifyhost {SERVER_NAME} "
        f"sni str({SERVER_NAME}) ca-file /run/secrets/ca.pem crt /run/secrets/client.pem\n"
    )


def registry_files(address: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """What stands beside the stack document while it is deployed: name to text. Some of it is secret."""
    return {"config.yml": _CONFIG, "door.cfg": door_config(address), **secrets}


def registry_stack(node: str, address: str, digests: Mapping[str, str], definition: str) -> dict[str, Any]:
    """The stack document; `node` is the id of the registry's node, `digests` tell the contents of its files."""
    logging = {"driver": "json-file", "options": {"max-size": "5m", "max-file": "2"}}
    label = {"windlass.definition": definition, "windlass.address": address}
    return {
        "services": {
            "registry": {
                "image": REGISTRY_IMAGE,
                "command": ["/etc/windlass/config.yml"],
                "entrypoint": ["registry", "serve"],
                "configs": [{"source": "config.yml", "target": "/etc/windlass/config.yml"}],
                "secrets": [{"source": name, "target": name} for name in ("ca.pem", "server.pem", "server.key")],
                "volumes": [{"type": "volume", "source": "content", "target": "/var/lib/registry"}],
                "ports": [{"target": 5000, "published": REGISTRY_PORT, "protocol": "tcp", "mode": "host"}],
                "logging": logging,
                "deploy": {
                    "labels": label,
                    "endpoint_mode": "dnsrr",
                    "placement": {"constraints": [f"node.id == {node}"]},
                    "restart_policy": {"condition": "any", "delay": "2s"},
                },
            },
            "door": {
                "image": PROXY_IMAGE,
                "command": ["haproxy", "-W", "-db", "-f", "/etc/windlass/door.cfg"],
                "configs": [{"source": "door.cfg", "target": "/etc/windlass/door.cfg"}],
                "secrets": [
                    {"source": name, "target": name, "uid": PROXY_USER, "mode": 0o400}
                    for name in ("ca.pem", "client.pem")
                ],
                "networks": ["node"],
                "logging": logging,
                "deploy": {
                    "mode": "global",
                    "labels": label,
                    "endpoint_mode": "dnsrr",
                    "restart_policy": {"condition": "any", "delay": "2s"},
                },
            },
        },
        "networks": {"node": {"name": "host", "external": True}},
        "volumes": {"content": {"name": STACK}},
        "configs": {name: _by_content(name, digests) for name in ("config.yml", "door.cfg")},
        "secrets": {name: _by_content(name, digests) for name in SECRETS},
    }


def _by_content(name: str, digests: Mapping[str, str]) -> dict[str, str]:
    return {"name": f"{STACK}_{name}-{digests[name][:12]}", "file": f"./{name}"}
