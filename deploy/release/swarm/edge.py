"""The edge of a cluster: its files on the manager, its stack, and waiting until every node has what they say."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence

from deploy.model.command import Command, sequence
from deploy.model.edge import EMPTY, Tls, render_maintenance
from deploy.model.edge import IMAGE as EDGE_IMAGE
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names
from deploy.model.swarm.edge import SERVER_NAME, edge_config, state_of
from deploy.model.swarm.edge_stack import SCRIPTS, SECRETS, WHOLE, EdgeStack, secret_name
from deploy.model.swarm.edges import Edges, parse_edges
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.plan import controller_elsewhere
from deploy.model.swarm.render import StackDocument
from deploy.release.edge import wanted_tls
from deploy.release.edge_files import READABLE, SECRET, maintenance_page, placeholder
from deploy.release.site import Site
from deploy.release.stage import add_folder, add_text
from deploy.release.steps import Action
from deploy.release.swarm.certificates import own_certificates
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.members import membership
from deploy.release.swarm.roll import settle, watch_for
from deploy.shell.packaged import script_text
from deploy.ui import Step
from deploy.ui.certificates import certificate_problems
from deploy.ui.units import count

TAKEN_TIMEOUT_S = 30.0
GRACE_S = 5.0
"""How long an edge may take for what has just changed before that counts as wrong."""
EVERY_S = 0.5


def edge_stack(site: Site, record: ReleaseRecord, tls: Tls | None, endpoint: str, node: str = "") -> EdgeStack:
    """The edge's stack for a release; `node` is the id of the manager that is worked through."""
    scripts = {name: script_text("release", name) for name in SCRIPTS}
    return EdgeStack(record, tls, site.layout, node, endpoint, scripts)


class EdgeUp(Action):
    """Sees that the edge runs on every node with the release's ports and names.

    Containers are replaced only where ports that the nodes publish change. All else reaches them by the controller.
    """

    title = "Prepare the edge"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change
        self._before = change.edge

    def letting_go(self) -> Sequence[Command]:
        """What has the ports lets go of them."""
        return ()

    def run(self, step: Step) -> None:
        change = self._change
        if not change.record.public:
            _remove(change.site)
            change.edge = EMPTY
            step.result = "there is no public port"
            return
        tls = wanted_tls(change)
        on = bring(change, change.record, tls, step, then=self.letting_go())
        change.edge = state_of(change.record, tls)
        ports = ", ".join(str(one.port) for one in change.edge.listeners)
        said = f"; {', '.join(tls.names)}" if tls else ""
        step.result = f"{ports} on {count(len(on), 'node')}{said}"

    def undo(self) -> None:
        change, before = self._change, self._change.previous
        if before and before.public:
            bring(change, before, self._before.tls, Step("Return"))
        elif before or not change.facts.live:
            _remove(change.site)
        change.edge = self._before


def _remove(site: Site) -> None:
    site.run("swarm-down.sh", names.edge_stack(site.layout.project))
    site.run("edge-down.sh", str(site.layout.root))


def bring(
    change: SwarmChange, record: ReleaseRecord, tls: Tls | None, step: Step, *, then: Sequence[Command] = ()
) -> tuple[str, ...]:
    """Make the edge what a release needs; the nodes that have it then.

    `then` is run in the same go: what has its ports until the stack is there lets go of them.
    """
    site, cluster = change.site, change.cluster
    stack = names.edge_stack(site.layout.project)
    made = edge_stack(site, record, tls, cluster.endpoint, membership(site).node)
    there = cluster.service(stack, "edge")
    # one that stays keeps the very reference: another would restart it
    same = there is not None and there.definition == made.definition()
    image = there.image if there and same else change.pulled.get(EDGE_IMAGE, EDGE_IMAGE)
    place = site.bare("edge-place.sh", str(site.layout.root), EDGE_IMAGE, stack)
    document = made.document(change.pulled, image)
    whole = document.document["services"]["controller"]["deploy"]["labels"][WHOLE]
    words = (secret_name(site.layout.project, name) for name in SECRETS)
    up = site.bare("swarm-edge-up.sh", str(site.layout.root), stack, f"{WHOLE}={whole}", *words)
    files = _archive(made, document, maintenance_page(change.environment))
    both = site.guarded(sequence(place, up, *then, name="swarm-edge-up.sh"))
    done = site.shell.run(both, stdin=files, on_line=step.show)
    if then or "deployed" in done.stdout.split():
        # what failed while another had the port does not count
        settle(site, watch_for(look(site, stack) if then else cluster, stack, {}), step)
    on, behind = await_edges(site, step)
    change.notes += [_late(node, why) for node, why in behind.items()]
    if tls:
        # every edge lets challenges through now
        client = names.service_name(stack, "acme")
        site.shell.run(site.guarded(Command("docker", "service", "scale", "--detach", f"{client}=1")))
    return on


def _archive(made: EdgeStack, document: StackDocument, page: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in ("secrets", "stack", "stack/files"):
            add_folder(archive, folder)
        for name, text, mode in _files(made, page):
            add_text(archive, name, text, mode)
        for name, content in document.files.items():
            add_text(archive, f"stack/{name}", content.decode(), READABLE)
        add_text(archive, "stack/stack.json", json.dumps(document.document, indent=1), READABLE)
    return buffer.getvalue()


def _files(made: EdgeStack, page: str) -> Iterator[tuple[str, str, int]]:
    yield "etc/haproxy.cfg", edge_config(made.record, made.layout.project, made.tls), READABLE
    yield "etc/maintenance.map", render_maintenance(None), READABLE
    yield "etc/maintenance.html", page, READABLE
    yield "state.json", state_of(made.record, made.tls).to_json(), READABLE
    for name in made.tls.names if made.tls else ():
        yield f"certs/{name}.pem", placeholder(name), SECRET
    own = own_certificates(SERVER_NAME)
    yield "secrets/ca.pem", own["ca.pem"], SECRET
    yield "secrets/server.pem", own["server.pem"] + own["server.key"], SECRET
    yield "secrets/client.pem", own["client.pem"], SECRET


def await_edges(
    site: Site, step: Step, timeout_s: float = TAKEN_TIMEOUT_S
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Wait until the edge of every node has what the manager's files say.

    Returns the nodes that have it, and those that have not got it in time, with why. Raises DeployError when nobody
    hands it out.
    """
    until = time.monotonic() + timeout_s
    while True:
        nodes = edge_nodes(look(site, names.edge_stack(site.layout.project)), site.layout.project)
        late = time.monotonic() > until
        with contextlib.nullcontext() if late else contextlib.suppress(DeployError):  # it may be starting
            behind = edges(site).behind(nodes)
            on = tuple(node for node in nodes if node not in behind)
            step.show(f"{len(on)} of {count(len(nodes), 'node')}")
            if not behind or late:
                return on, behind
        time.sleep(EVERY_S)


def edge_nodes(cluster: Cluster, project: str) -> tuple[str, ...]:
    """The nodes on which the edge runs, as far as they can be reached."""
    service = cluster.service(names.edge_stack(project), "edge")
    found = (cluster.node(task.node) for task in cluster.tasks_of(service) if task.running) if service else ()
    return tuple(sorted(node.hostname for node in found if node and node.works))


def edges(site: Site) -> Edges:
    """What the controller says of the edges. Raises DeployError where it does not run."""
    done = site.shell.run(site.bare("swarm-edges.sh", names.edge_stack(site.layout.project)), check=False)
    if not done.ok:
        raise DeployError(
            f"{site.shell.name}: the edge's controller does not answer: what changes reaches no node until it does",
            "inv ENVIRONMENT.logs --service controller shows what it says",
            details=done.stderr,
        )
    return parse_edges(done.stdout)


def edge_problems(site: Site, facts: Facts, cluster: Cluster, node: str) -> Iterator[str]:
    """What is wrong with the edge of a cluster, in sentences; two round trips where all is well with it.

    `node` is the id of the manager that is worked through.
    """
    project = site.layout.project
    if facts.edge is None:
        return
    if where := controller_elsewhere(cluster, project, node):
        if not where.works:
            yield (
                f"the edge's controller is on {where.hostname}, which is {where.state}: every node keeps the "
                "certificates and the page that it has; the next deploy starts it anew"
            )
        return
    try:
        # what has just changed is on its way
        _, behind = await_edges(site, Step("Look at the edges"), GRACE_S)
        yield from (_late(node, why) for node, why in behind.items())
    except DeployError as error:
        yield error.message
    client = cluster.service(names.edge_stack(project), "acme")
    running = client is not None and any(task.running for task in cluster.tasks_of(client))
    yield from certificate_problems(facts, renewed=running)


def _late(node: str, why: str) -> str:
    return f"the edge of {node} has not got what the others have: {why}"
