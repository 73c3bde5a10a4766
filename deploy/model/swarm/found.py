"""What was found on a cluster: its nodes, a project's services, and their tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.edge import DEFINITION
from deploy.model.errors import DeployError
from deploy.model.facts import sections_of
from deploy.model.swarm import names

_NAMESPACE = "com.docker.stack.namespace"
_NOT_DIRTY = frozenset({"Placement", "Runtime"})
"""Parts of a task's specification for another value of which a running task is left alone, or that it does not have."""
_USUAL_GRACE_NS = 10_000_000_000
"""What the engine tells of a service that does not say how long its containers may take to stop, not of its tasks."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster."""

    id: str
    hostname: str
    state: str
    """ready, down, unknown, disconnected"""
    availability: str
    """active, pause, drain"""
    role: str
    address: str
    labels: Mapping[str, str]
    leader: bool = False

    @property
    def works(self) -> bool:
        return self.state == "ready" and self.availability == "active"


@dataclass(frozen=True)
class Task:
    """One container of a service, or the attempt at one."""

    id: str
    service: str
    """Id of its service."""
    slot: str
    """Its number; of a global service its node."""
    node: str
    state: str
    """new, pending, assigned, preparing, starting, running, complete, failed, rejected, …"""
    desired: str
    error: str
    created: str
    """When, so that later ones sort last."""
    container: str
    spec: Mapping[str, Any] = field(repr=False)

    @property
    def running(self) -> bool:
        return self.state == "running" and self.desired == "running"

    @property
    def broke(self) -> bool:
        return self.state in {"failed", "rejected"}


@dataclass(frozen=True)
class SwarmService:
    """A service of one of the project's stacks."""

    id: str
    name: str
    """As the compose file has it."""
    stack: str
    wanted: int | None
    """How many tasks it is to have; of a global service as many as there are nodes for it: None."""
    image: str
    release: str
    update: str
    """How its last update stands: updating, paused, completed, rollback_started, …; empty after none."""
    update_message: str
    spec: Mapping[str, Any] = field(repr=False)
    """What its tasks are to be."""
    stops_first: bool = False
    """Whether an update stops a container before the new one is there."""
    labels: Mapping[str, str] = field(default_factory=dict, repr=False)
    definition: str = ""
    """Of the edge: the digest of what its containers are made from."""
    ports: tuple[Mapping[str, Any], ...] = ()
    """As the engine tells of those that are published."""

    @property
    def full_name(self) -> str:
        """As the whole cluster knows it."""
        return names.service_name(self.stack, self.name) if self.stack else self.name

    @property
    def may_end(self) -> bool:
        """Whether a container that ended with status 0 is as it should be: it is not started again."""
        return (self.spec.get("RestartPolicy") or {}).get("Condition") in {"none", "on-failure"}

    def tied_to(self, label: str) -> bool:
        """Whether its tasks run on nodes with a label only."""
        constraints = (self.spec.get("Placement") or {}).get("Constraints") or ()
        return any(one.replace(" ", "") == f"node.labels.{label}==yes" for one in constraints)

    def fits(self, task: Task) -> bool:
        """Whether a task is what the service is to have now."""
        return bool(_comparable(self.spec) == _comparable(task.spec))


@dataclass(frozen=True)
class Cluster:
    """What one look found."""

    nodes: tuple[Node, ...]
    services: tuple[SwarmService, ...]
    tasks: tuple[Task, ...]
    ip_vs: bool = False
    """Whether the kernel can balance a service behind one address."""
    registry: str = ""
    """Id of the node that the cluster's registry is bound to; empty where there is none."""
    registry_address: str = ""
    """At which the other nodes reach it."""
    held: Mapping[int, str] = field(default_factory=dict)
    """UDP ports that services publish on nodes, each with its service, as far as was asked for them."""

    def of(self, stack: str) -> tuple[SwarmService, ...]:
        return tuple(one for one in self.services if one.stack == stack)

    def service(self, stack: str, name: str) -> SwarmService | None:
        return next((one for one in self.of(stack) if one.name == name), None)

    def tasks_of(self, service: SwarmService) -> tuple[Task, ...]:
        return tuple(sorted((one for one in self.tasks if one.service == service.id), key=lambda one: one.created))

    def node(self, node_id: str) -> Node | None:
        return next((one for one in self.nodes if one.id == node_id), None)

    def hostname(self, node_id: str) -> str:
        node = self.node(node_id)
        return node.hostname if node else node_id[:12]

    def data_node(self, project: str) -> Node | None:
        """The node that keeps a project's volumes."""
        label = names.data_label(project)
        return next((one for one in self.nodes if one.labels.get(label) == "yes"), None)

    @property
    def registry_away(self) -> bool:
        """Whether the cluster's registry is bound to a node that is lost."""
        node = self.node(self.registry)
        return bool(self.registry) and (node is None or node.state != "ready")

    @property
    def endpoint(self) -> str:
        """How a service is found by others where it does not say itself."""
        return "vip" if self.ip_vs else "dnsrr"


def _comparable(spec: Mapping[str, Any]) -> Any:
    """A specification without what the engine adds to a service's when it is asked, and not to a task's."""
    container = dict(spec.get("ContainerSpec") or {})
    if container.get("StopGracePeriod") == _USUAL_GRACE_NS:
        del container["StopGracePeriod"]
    rest = {key: value for key, value in spec.items() if key not in _NOT_DIRTY}
    return _filled({**rest, "ContainerSpec": container})


def _filled(value: Any) -> Any:
    """Without what is empty, at any depth."""
    if isinstance(value, Mapping):
        found = {key: _filled(one) for key, one in value.items()}
        return {key: one for key, one in found.items() if one not in (None, {}, [], "", 0, False)}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def parse_cluster(text: str, host: str) -> Cluster:
    """From what `swarm-look.sh` printed. Raises DeployError when the text is not whole."""
    sections = sections_of(text)
    if "end" not in sections:
        raise DeployError(f"{host}: the cluster could not be looked at", "run the command again")
    about = sections.get("about", "").splitlines()
    registry = next((line.split() for line in about if line.startswith("registry ")), [])
    return Cluster(
        nodes=tuple(_nodes(_list(sections, "nodes"))),
        services=tuple(_services(_list(sections, "services"))),
        tasks=tuple(_tasks(_list(sections, "tasks"))),
        ip_vs="ip_vs" in about,
        registry=registry[-1] if registry else "",
        registry_address=registry[1] if registry else "",
        held={int(port): name for name, port in (line.split() for line in sections.get("held", "").splitlines())},
    )


def _list(sections: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    text = sections.get(name, "").strip()
    found: list[dict[str, Any]] = json.loads(text) if text else []
    return found


def _nodes(raw: list[dict[str, Any]]) -> Iterator[Node]:
    for one in raw:
        yield Node(
            id=one["ID"],
            hostname=(one.get("Description") or {}).get("Hostname", ""),
            state=(one.get("Status") or {}).get("State", ""),
            availability=one["Spec"].get("Availability", ""),
            role=one["Spec"].get("Role", ""),
            address=(one.get("Status") or {}).get("Addr", ""),
            labels=one["Spec"].get("Labels") or {},
            leader=bool((one.get("ManagerStatus") or {}).get("Leader")),
        )


def _services(raw: list[dict[str, Any]]) -> Iterator[SwarmService]:
    for one in raw:
        spec = one["Spec"]
        if not {*(spec.get("Mode") or {})} & {"Replicated", "Global"}:
            continue  # a job of somebody's, which ends by itself
        labels = spec.get("Labels") or {}
        stack = labels.get(_NAMESPACE, "")
        mode = spec.get("Mode") or {}
        update = one.get("UpdateStatus") or {}
        yield SwarmService(
            id=one["ID"],
            name=spec["Name"].removeprefix(f"{stack}_"),
            stack=stack,
            wanted=int(mode["Replicated"].get("Replicas", 1)) if "Replicated" in mode else None,
            image=spec["TaskTemplate"].get("ContainerSpec", {}).get("Image", ""),
            release=labels.get(names.RELEASE, ""),
            update=update.get("State", ""),
            update_message=update.get("Message", ""),
            spec=spec["TaskTemplate"],
            stops_first=(spec.get("UpdateConfig") or {}).get("Order") != "start-first",
            labels=labels,
            definition=labels.get(DEFINITION, ""),
            ports=tuple((spec.get("EndpointSpec") or {}).get("Ports") or ()),
        )


def _tasks(raw: list[dict[str, Any]]) -> Iterator[Task]:
    for one in raw:
        status = one.get("Status") or {}
        yield Task(
            id=one["ID"],
            service=one["ServiceID"],
            slot=str(one.get("Slot") or one.get("NodeID", "")),
            node=one.get("NodeID", ""),
            state=status.get("State", ""),
            desired=one.get("DesiredState", ""),
            error=status.get("Err", "") or "",
            created=one.get("CreatedAt", ""),
            container=(status.get("ContainerStatus") or {}).get("ContainerID", ""),
            spec=one.get("Spec") or {},
        )
