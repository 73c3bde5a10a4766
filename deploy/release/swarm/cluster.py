"""Joining machines into a cluster, and giving it a registry of its own."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.bases import BaseImages
from deploy.model.command import Command
from deploy.model.edge import IMAGE as PROXY_IMAGE
from deploy.model.errors import CommandError, DeployError
from deploy.model.swarm.node import Membership, former, require_joinable
from deploy.model.swarm.progress import Watch
from deploy.model.swarm.registry import REGISTRY_IMAGE, SECRETS, SERVER_NAME, STACK, registry_files, registry_stack
from deploy.push.send import push_images
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.release.stage import add_text
from deploy.release.swarm.certificates import own_certificates
from deploy.release.swarm.change import look
from deploy.release.swarm.members import membership
from deploy.release.swarm.roll import settle
from deploy.shell import LocalShell, Shell
from deploy.ui import Console, Step

READY_TIMEOUT_S = 120.0
SECRET_MODE = 0o600
_NODES = Command("docker", "node", "ls", "--quiet")


@dataclass(frozen=True)
class Joined:
    """One machine of a cluster, and whether it was in it before."""

    spec: str
    membership: Membership
    new: bool


def join(sites: Mapping[str, Site], managers: int, advertise: str, console: Console) -> Sequence[Joined]:
    """Make one cluster of machines, the first `managers` of which manage it; the first is asked for everything.

    Those that are in it already stay as they are. Raises DeployError for one that is in another cluster.
    """
    found = {spec: membership(site) for spec, site in sites.items()}
    first = next(iter(sites))
    lead = found[first]
    known = sites[first].shell.run(_NODES).stdout.split() if lead.manager else []
    require_joinable(found, known)
    if not lead.inside:
        with console.step(f"Make {first} the first manager") as step:
            address = advertise or _reached(first, lead)
            init = Command("docker", "swarm", "init", "--advertise-addr", address)
            # what it listens on by itself is IPv4 only
            sites[first].shell.run(init.option("--listen-addr", "[::]:2377" if ":" in address else None))
            lead = membership(sites[first])
            step.result = lead.address
    joined = [Joined(first, lead, new=not found[first].inside)]
    for number, (spec, site) in enumerate(sites.items()):
        if spec == first:
            continue
        one = found[spec]
        role = "manager" if number < managers else "worker"
        if one.node not in known:
            with console.step(f"Join {spec} as a {role}") as step:
                if one.unfinished:
                    site.shell.run(Command("docker", "swarm", "leave", "--force"))
                _join(sites[first], site, role, lead.address, _reached(spec, one))
                step.result = membership(site).address
                if before := _take_place(sites[first], membership(site)):
                    step.result += f", in the place of {before}, which it was before"
        elif role == "manager" and not one.manager:
            with console.step(f"Make {spec} a manager too"):
                sites[first].shell.run(Command("docker", "node", "promote", one.node))
        joined.append(Joined(spec, membership(site), new=one.node not in known))
    return joined


def _take_place(lead: Site, one: Membership) -> str:
    """Let a machine that was in the cluster before have its labels again, among them which data it keeps; its old id.

    Only an entry that is down, of the same name and address, is its own; it is removed.
    """
    nodes = look(lead, STACK).nodes
    ours = next((node for node in nodes if node.id == one.node), None)
    old = former(nodes, ours) if ours else None
    if old is None:
        return ""
    if labels := [f"{key}={value}" for key, value in old.labels.items()]:
        lead.shell.run(Command("docker", "node", "update").each("--label-add", labels).then(one.node))
    if old.role == "manager":
        lead.shell.run(Command("docker", "node", "demote", old.id))
    lead.shell.run(Command("docker", "node", "rm", "--force", old.id))
    return old.id[:12]


def _reached(spec: str, one: Membership) -> str:
    if not one.reached:
        raise DeployError(f"{spec}: its own address cannot be told", "name it, or its interface: --advertise eth1")
    return one.reached


def _join(lead: Site, site: Site, role: str, manager: str, own: str) -> None:
    token = lead.shell.run(Command("docker", "swarm", "join-token", "--quiet", role)).stdout.strip()
    address = f"[{manager}]" if ":" in manager else manager
    try:
        site.shell.run(site.bare("swarm-join.sh", own, address), stdin=f"{token}\n".encode())
    except CommandError as error:
        raise DeployError(
            f"{site.shell.name} cannot join the cluster of {lead.shell.name} at {address}",
            "nodes must reach each other at TCP 2377, TCP and UDP 7946 and UDP 4789; then run the command again",
            details=error.stderr,
        ) from error


def label(lead: Site, joined: Sequence[Joined], labels: Mapping[str, Mapping[str, str]]) -> None:
    """Set labels of nodes, and remove those without a value; what they have besides stays."""
    for one in joined:
        if pairs := labels.get(one.spec):
            words = Command("docker", "node", "update")
            words = words.each("--label-add", (f"{key}={value}" for key, value in pairs.items() if value))
            node = look(lead, STACK).node(one.membership.node)
            has = node.labels if node else {}
            words = words.each("--label-rm", (key for key, value in pairs.items() if not value and key in has))
            lead.shell.run(words.then(one.membership.node))


def bring_images(sites: Mapping[str, Site], local: LocalShell, console: Console, root: Path) -> None:
    """Have the registry's image on the first machine and the door's on all: no registry is there yet to give them."""
    BaseImages(local, console, root).ensure([REGISTRY_IMAGE, PROXY_IMAGE])
    for number, (spec, site) in enumerate(sites.items()):
        wanted = [PROXY_IMAGE, *([REGISTRY_IMAGE] if number == 0 else [])]
        facts = site.facts()
        if absent := [image for image in wanted if image not in facts.images]:
            with console.step(f"Bring {', '.join(absent)} to {spec}") as step:
                push_images(local, receiver(site, facts), absent, step, earlier={})


def start_registry(lead: Site, one: Membership, console: Console) -> None:
    """See that the cluster has its registry: where it is while that node is there, else on the one that leads.

    One that stands as it should is left alone.
    """
    cluster = look(lead)
    stays = bool(cluster.registry) and not cluster.registry_away
    node, address = (cluster.registry, cluster.registry_address) if stays else (one.node, one.address)
    if _definition(lead.shell) == _shape(node, address):
        return
    with console.step("Start the cluster's registry") as step:
        place_registry(lead, node, address, step)
        step.result = f"on {cluster.hostname(node)}"


def _shape(node: str, address: str) -> str:
    """A digest of all that the registry's stack is made from, secrets left out."""
    public = registry_files(address, {})
    shape = registry_stack(node, address, dict.fromkeys((*public, *SECRETS), ""), "")
    return hashlib.sha256(json.dumps([shape, public]).encode()).hexdigest()[:16]


def place_registry(lead: Site, node: str, address: str, step: Step) -> None:
    """Start the registry on a node, and a door to it on all, with certificates of their own."""
    files = registry_files(address, own_certificates(SERVER_NAME))
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    document = registry_stack(node, address, digests, _shape(node, address))
    archive = _packed(files | {"stack.json": json.dumps(document)})
    lead.shell.run(lead.bare("swarm-stack.sh", STACK), stdin=archive, on_line=step.show)
    settle(lead, Watch(STACK), step)


def _definition(shell: Shell) -> str:
    """The digest that the registry's service carries; empty where there is none."""
    form = '{{index .Spec.Labels "windlass.definition"}}'
    done = shell.run(Command("docker", "service", "inspect", "--format", form, f"{STACK}_registry"), check=False)
    return done.stdout.strip() if done.ok else ""


def _packed(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in files.items():
            add_text(archive, name, text, SECRET_MODE)
    return buffer.getvalue()


def await_registry(sites: Mapping[str, Site], console: Console) -> None:
    """Wait until the registry answers on every machine. Raises DeployError for one on which it does not."""
    with console.step("Wait until every node reaches the registry") as step:
        until = time.monotonic() + READY_TIMEOUT_S
        for spec, site in sites.items():
            step.show(spec)
            while not site.shell.run(site.bare("swarm-door.sh"), check=False).ok:
                if time.monotonic() > until:
                    logs = site.shell.run(
                        Command("docker", "service", "ps", "--no-trunc", f"{STACK}_door"), check=False
                    )
                    raise DeployError(
                        f"{spec}: the cluster's registry does not answer there",
                        "can it reach the first node's TCP port 5578?",
                        details=logs.stdout,
                    )
                time.sleep(1)
