"""The edge's own stack on a cluster: HAProxy on every node, the controller, and the ACME client beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.edge import ACME_IMAGE, Tls
from deploy.model.edge.compose import DEFINITION, HAPROXY_USER, ports_of
from deploy.model.edge.config import ADMIN_PORT
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names
from deploy.model.swarm.edge import HOME, INSIDE, controller_config, door_config, state_of
from deploy.model.swarm.render import StackDocument

SECRETS = ("ca.pem", "server.pem", "client.pem")
SCRIPTS = ("node-edge.bash", "edge-runtime.bash", "controller.bash", "controller.lua", "acme.sh")
"""Of `release/scripts`: what the containers run."""
_OF_EDGE = ("node-edge.bash", "edge-runtime.bash", "door.cfg")
WHOLE = "windlass.stack"
"""Label of the controller: a digest of the whole document that the cluster has, whichever manager it came through."""
FOUND_AFTER_S = "5"
"""How long it takes every edge to find a client that has just started, with some to spare."""
_LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
_HARDENED = {"read_only": True, "cap_drop": ["ALL"], "logging": _LOGGING}


@dataclass(frozen=True)
class EdgeStack:
    """What the edge's own stack is made from."""

    record: ReleaseRecord
    tls: Tls | None
    layout: HostLayout
    node: str
    """Id of the node that has the project's folder: the manager that is worked through."""
    endpoint: str
    scripts: Mapping[str, str] = field(repr=False)
    """The texts of SCRIPTS."""

    @property
    def project(self) -> str:
        return self.layout.project

    def definition(self) -> str:
        """A digest that differs when the edge's containers must be made anew. Their image is not in it."""
        configs = {name: text for name, text in self._configs().items() if name in _OF_EDGE}
        return digest_of([self._edge(""), configs])

    def document(self, images: Mapping[str, str], running: str) -> StackDocument:
        """The stack document; `images` are references that every node can pull, `running` is the edge's image."""
        stack = names.edge_stack(self.project)
        edge = self._edge(running)
        edge["deploy"]["labels"] = {DEFINITION: self.definition()}
        services = {"edge": edge, "controller": self._controller(running)}
        if self.tls:
            services["acme"] = self._acme(self.tls, images.get(ACME_IMAGE, ACME_IMAGE))
        files: dict[str, bytes] = {}
        configs = {}
        for name, text in self._configs().items():
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            files[f"files/{name}"] = text.encode()
            configs[name] = {"name": f"{stack}_{name}-{digest}"[-64:].lstrip("-_."), "file": f"./files/{name}"}
        document: Mapping[str, Any] = {
            "services": services,
            "networks": {
                "control": {"driver": "overlay"},
                **{name: {"name": names.network(self.project, name), "external": True} for name in self._public()},
            },
            "volumes": {"state": {"name": state_volume(self.project)}},
            "configs": configs,
            "secrets": {name: {"name": secret_name(self.project, name), "external": True} for name in SECRETS},
        }
        services["controller"]["deploy"]["labels"] = {WHOLE: digest_of(document)}
        return StackDocument(document, files)

    def _configs(self) -> dict[str, str]:
        """What the containers find at /etc/windlass."""
        made = {name: self.scripts[name] for name in SCRIPTS if self.tls or name != "acme.sh"}
        made |= {"door.cfg": door_config(self.project), "controller.cfg": controller_config()}
        return made | ({"acme-ca.pem": self.tls.ca} if self.tls and self.tls.ca else {})

    def _public(self) -> tuple[str, ...]:
        """A network of every public service."""
        public = {one.service for one in self.record.public}
        return tuple(
            sorted({min(one.networks) for name, one in self.record.services.items() if one.networks and name in public})
        )

    def _edge(self, image: str) -> dict[str, Any]:
        state = state_of(self.record, self.tls)
        return {
            "image": image,
            "command": ["bash", f"{INSIDE}/node-edge.bash"],
            "environment": {"NODE": "{{.Node.Hostname}}"},
            "configs": [*_given(*_OF_EDGE)],
            "secrets": [*_secret("ca.pem", "client.pem")],
            "volumes": [{"type": "volume", "source": "state", "target": HOME}],
            "networks": ["control", *self._public()],
            "ports": [
                {"target": target, "published": published, "protocol": "tcp", "mode": "host"}
                for target, published, _ in ports_of(state)
            ],
            **_HARDENED,
            # nobody new is answered on the node meanwhile
            "stop_grace_period": "5s",
            "healthcheck": {
                "test": ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{ADMIN_PORT}"],
                "interval": "5s",
                "start_period": "20s",
                "start_interval": "1s",
            },
            "deploy": {
                "mode": "global",
                "endpoint_mode": self.endpoint,
                # a port of the node can be held once
                "update_config": {
                    "parallelism": 1,
                    "order": "stop-first",
                    "failure_action": "rollback",
                    "monitor": "5s",
                },
                "restart_policy": {"condition": "any", "delay": "1s"},
            },
        }

    def _controller(self, image: str) -> dict[str, Any]:
        folders = ["etc", *(["certs"] if self.tls else [])]
        return {
            "image": image,
            "command": ["bash", f"{INSIDE}/controller.bash", "run"],
            "configs": [*_given("controller.bash", "controller.lua", "controller.cfg")],
            "secrets": [*_secret("ca.pem", "server.pem")],
            "volumes": [
                *(
                    {
                        "type": "bind",
                        "source": _escaped(self.layout.edge / one),
                        "target": f"/edge/{one}",
                        "read_only": True,
                    }
                    for one in folders
                ),
                {"type": "tmpfs", "target": "/state"},
            ],
            **self._on_the_manager(),
        }

    def _acme(self, tls: Tls, image: str) -> dict[str, Any]:
        """Not started with the others: an authority counts challenges that are not answered yet."""
        return {
            "image": image,
            "entrypoint": ["sh", f"{INSIDE}/acme.sh"],
            "command": [tls.server, tls.email, *tls.names],
            "user": HAPROXY_USER,
            "configs": [*_given("acme.sh", *(["acme-ca.pem"] if tls.ca else []))],
            "environment": {
                "FOUND_AFTER_S": FOUND_AFTER_S,
                **({"LEGO_CA_CERTIFICATES": f"{INSIDE}/acme-ca.pem"} if tls.ca else {}),
            },
            "volumes": [{"type": "bind", "source": _escaped(self.layout.edge / "certs"), "target": "/certs"}],
            **self._on_the_manager(replicas=0),
        }

    def _on_the_manager(self, *, replicas: int = 1) -> dict[str, Any]:
        return {
            "networks": ["control"],
            **_HARDENED,
            "deploy": {
                "replicas": replicas,
                "endpoint_mode": self.endpoint,
                "placement": {"constraints": [f"node.id == {self.node}"]},
                "update_config": {"order": "stop-first", "failure_action": "rollback", "monitor": "5s"},
                "restart_policy": {"condition": "any", "delay": "1s"},
            },
        }


def digest_of(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def state_volume(project: str) -> str:
    """The volume of every node in which its edge keeps what it has."""
    return f"{names.edge_stack(project)}-state"


def secret_name(project: str, name: str) -> str:
    """How one of SECRETS is called in the cluster. Made once, so not named by its content."""
    return f"{names.edge_stack(project)}_{name}"[-64:].lstrip("-_.")


def _given(*configs: str) -> Iterator[dict[str, Any]]:
    yield from ({"source": name, "target": f"{INSIDE}/{name}", "mode": 0o444} for name in configs)


def _secret(*secrets: str) -> Iterator[dict[str, Any]]:
    uid = HAPROXY_USER.partition(":")[0]
    yield from ({"source": name, "target": name, "uid": uid, "mode": 0o400} for name in secrets)


def _escaped(path: object) -> str:
    return str(path).replace("$", "$$")
