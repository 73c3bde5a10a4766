"""Which nodes a service may run on, and how many containers it is to have."""

from __future__ import annotations

import re

from deploy.model.swarm.found import Cluster, Node, SwarmService

_CONSTRAINT = re.compile(r"\s*(node\.\S+?)\s*(==|!=)\s*(.*?)\s*")


def may_run_on(service: SwarmService, node: Node) -> bool:
    """Whether a service's constraints allow a node, as far as they ask for what is known of it."""
    for text in (service.spec.get("Placement") or {}).get("Constraints") or ():
        found = _CONSTRAINT.fullmatch(text)
        if not found:
            continue
        key, operator, value = found.groups()
        if key.startswith("node.labels."):
            own: str | None = node.labels.get(key.removeprefix("node.labels."), "")
        else:
            known = {"node.id": node.id, "node.hostname": node.hostname, "node.role": node.role}
            own = known.get(key)
        if own is not None and (own.lower() == value.lower()) != (operator == "=="):
            return False
    return True


def wanted_of(service: SwarmService, cluster: Cluster) -> int:
    """How many tasks a service is to have; of a global one as many as there are nodes at work for it."""
    if service.wanted is not None:
        return service.wanted
    return sum(node.works and may_run_on(service, node) for node in cluster.nodes)
