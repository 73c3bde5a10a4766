"""What of a stack a cluster refuses, leaves out without a word, or does otherwise than one host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts
from deploy.model.kinds import Kind
from deploy.model.places import Place, Places
from deploy.model.settings import Engine, Environment
from deploy.model.stack import Service, Stack
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.render import MountedFile, own_constraints, pinned
from deploy.model.swarm.service import AS_THEY_ARE, CONVERTED, MEANINGLESS

_IMPOSSIBLE = {
    "privileged": "no container of a cluster is privileged",
    "devices": "a container of a cluster gets no devices",
    "device_cgroup_rules": "a container of a cluster gets no devices",
    "gpus": "a container of a cluster gets no devices by this name",
    "network_mode": "a container of a cluster is in the networks of its stack only",
    "pid": "a container of a cluster has processes of its own",
    "ipc": "a container of a cluster has memory of its own",
    "userns_mode": "it has no effect on a cluster",
    "cgroup_parent": "it has no effect on a cluster",
    "volumes_from": "containers of a cluster share no volumes by each other's name",
    "provider": "it is made on this machine",
    "post_start": "a cluster runs no hooks",
    "pre_stop": "a cluster runs no hooks",
    "group_add": "a cluster refuses it",
    "runtime": "a cluster refuses it",
}
"""Keys without which a service is likely not to work, each with what becomes of it."""
_SECURITY = "security_opt"
_HARMLESS = frozenset({"post_start", "pre_stop", "group_add", "userns_mode", "cgroup_parent"})


def check_swarm(stack: Stack, places: Places, environment: Environment) -> Iterator[Problem]:
    """Everything in a stack that would not be on a cluster what it is on one host."""
    for service in stack.services.values():
        yield from _keys(service)
        yield from _mounts(service, stack, places)
        yield from _networks(service, stack)
        yield from _ports(service)
    yield from _security(stack)
    for name in ("keep_warm_s",):
        if getattr(environment, name):
            yield Problem(f"{name} has no effect on a cluster yet", "leave it out", fatal=False)


def check_sizes(files: Mapping[str, tuple[MountedFile, ...]]) -> Iterator[Problem]:
    """Files that are too large to be configs."""
    for source, found in files.items():
        for file in found:
            if len(file.content) > names.MOST_BYTES:
                name = f"{source}/{file.inside}" if file.inside else source
                yield Problem(
                    f"{name} has {len(file.content) / 1e3:.0f} kB, and a config of a cluster at most "
                    f"{names.MOST_BYTES / 1e3:.0f} kB",
                    "put it into an image, or into a volume",
                )


def _keys(service: Service) -> Iterator[Problem]:
    for key, value in service.definition.items():
        if key in AS_THEY_ARE | CONVERTED | MEANINGLESS | {_SECURITY} or key.startswith("x-") or not value:
            continue
        if service.receives and key == "network_mode":  # rendered in a way of its own
            continue
        path = ("services", service.name, key)
        why = _IMPOSSIBLE.get(key, "it is left out on a cluster")
        fatal = key in _IMPOSSIBLE and key not in _HARMLESS
        yield Problem(f"{service.name}: {key}: {why}", "do without it, or stay on one host", fatal=fatal, path=path)


def _security(stack: Stack) -> Iterator[Problem]:
    """Once for all services: hardened stacks have it everywhere."""
    having = {name: one.definition[_SECURITY] for name, one in stack.services.items() if one.definition.get(_SECURITY)}
    if having:
        options = dict.fromkeys(str(option) for listed in having.values() for option in listed)
        yield Problem(
            f"a cluster has no {_SECURITY}: {', '.join(options)} of {', '.join(having)} is left out",
            'for no-new-privileges set "no-new-privileges": true in each node\'s /etc/docker/daemon.json',
            fatal=False,
            path=("services", next(iter(having)), _SECURITY),
        )


def _mounts(service: Service, stack: Stack, places: Places) -> Iterator[Problem]:
    for mount in service.definition.get("volumes") or ():
        target = str(mount.get("target", ""))
        if mount.get("type") == "bind" and places.of(mount).place == Place.HOST and not service.receives:
            yield Problem(
                f"{service.name} mounts {mount['source']}, which must be there on every node that it may run on",
                "a volume of a network file system, or deploy.placement.constraints",
                fatal=False,
                path=("services", service.name, "volumes", target),
            )
    why = pinned(service, stack, places)
    if why and service.kind != Kind.DATA and not own_constraints(service):
        yield Problem(
            f"{service.name} runs on the node with the data only, for {why}, which each node would have its own of",
            "a volume with driver_opts of type nfs is the same on all nodes",
            fatal=False,
            path=("services", service.name, "volumes"),
        )


def _ports(service: Service) -> Iterator[Problem]:
    for port in service.ports:
        if port.local:
            yield Problem(
                f"{service.name}: port {port} is left out: a cluster publishes a port at every address of a node",
                "inv ENVIRONMENT.exec reaches the container; leave the address out to let everybody in",
                fatal=False,
                path=("services", service.name, "ports"),
            )


def _networks(service: Service, stack: Stack) -> Iterator[Problem]:
    for link in service.definition.get("links") or ():
        name, _, alias = str(link).partition(":")
        if alias and alias != name:
            yield Problem(
                f"{service.name}: a cluster has no links, and {name} would not be found as {alias}",
                f"give {name} the alias {alias} in a network of both",
                path=("services", service.name, "links"),
            )
    for name in service.networks:
        raw = (stack.document.get("networks") or {}).get(name) or {}
        if not raw.get("external") and str(raw.get("driver") or "bridge") not in {"bridge", "overlay"}:
            yield Problem(
                f"the network {name} is of the driver {raw['driver']}, which reaches over no cluster",
                "leave its driver out",
                path=("networks", name),
            )


def check_cluster(cluster: Cluster, facts: Facts, stack: Stack, project: str) -> Iterator[Problem]:
    """What is wrong with the cluster itself."""
    if not cluster.registry:
        yield Problem(
            "the cluster has no registry that its nodes could take images from",
            "inv host.setup --swarm --host … with all its hosts makes one",
        )
    if facts.live is None and any(one.release for one in cluster.services):
        releases = {one.release for one in cluster.services if one.release}
        yield Problem(
            f"the cluster runs {', '.join(sorted(releases))} of {project}, which this manager knows nothing of",
            "name all managers under hosts: in deploy.environments, among them the one that it was deployed through",
        )
    for node in cluster.nodes:
        if not node.works:
            yield Problem(
                f"node {node.hostname} is {node.state}, {node.availability}: nothing is started on it", fatal=False
            )
    data = cluster.data_node(project)
    if data and not data.works and stack.data:
        yield Problem(
            f"node {data.hostname}, which keeps the data of {project}, is {data.state}, {data.availability}",
            f"bring it back: inv host.activate --host {data.hostname}",
        )
    if data is None and facts.live and facts.live.engine == Engine.SWARM:
        yield Problem(
            f"no node of the cluster is the one with the data of {project} any more: it would begin with empty volumes",
            "let the machine that has it join again, and name it: inv host.setup --swarm --host … "
            f"--label HOST={names.data_label(project)}=yes",
        )
    if not cluster.ip_vs:
        yield Problem(
            "the kernel has no ip_vs, so services have no address that outlives their containers: a proxy of the stack "
            "must look names up again and again (nginx: resolver 127.0.0.11 valid=1s, and a variable in proxy_pass)",
            fatal=False,
        )
