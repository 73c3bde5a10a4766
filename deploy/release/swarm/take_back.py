"""Taking a project back from a cluster to compose on the node with its data: the steps that differ from any deploy.

The release starts beside what serves, with the cluster's data services lent to its networks. Then data, ports and
workers go over one after the other: what has them ends, on every node, and only then does the other start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deploy.model.command import Command, sequence
from deploy.model.edge import images
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine
from deploy.model.swarm import names
from deploy.model.swarm.move import data_containers
from deploy.model.swarm.progress import Watch
from deploy.model.swarm.registry import REGISTRY
from deploy.release.change import Change
from deploy.release.data_services import READY_TIMEOUT_S, DataUp, MakeNetworks, lasting_triples
from deploy.release.edge import PrepareEdge
from deploy.release.records import record_current
from deploy.release.site import Site
from deploy.release.start import run_workers
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.edge import bring
from deploy.release.swarm.registry import into_registry
from deploy.release.swarm.roll import settle, up
from deploy.ui import Step

NOTED = "state.cluster.json"
"""What was noted of the cluster's data services, while a move can be taken back."""


def of_cluster(change: Change) -> tuple[ReleaseRecord, ...]:
    """Releases on the host that were made for a cluster."""
    return tuple(one for one in change.facts.releases.values() if one.engine == Engine.SWARM)


def workers_of(change: Change) -> tuple[str, ...]:
    """Services that never run twice, of the release and of those that the cluster may have of it."""
    every = (change.record, *of_cluster(change))
    return tuple(dict.fromkeys(name for one in every for name in one.app(exclusive=True)))


def before_there(change: Change) -> ReleaseRecord | None:
    """The release that serves in the cluster, and is given back to it when the change fails."""
    live = change.facts.live
    return live if live and live.engine == Engine.SWARM else None


class MakeNetworksBeside(MakeNetworks):
    """The same, for data services that the cluster runs yet."""

    def __init__(self, change: Change) -> None:
        super().__init__(change)
        self._there = data_containers(change.facts, change.site.layout)

    def triples(self) -> tuple[str, ...]:
        return lasting_triples(self._change.site, self._change.record, self._there, self._there)

    def undo(self) -> None:
        words = self.triples()
        pairs = zip(words[::3], words[1::3], strict=True)
        self._change.site.run("detach.sh", *(word for pair in pairs for word in pair))
        super().undo()


class TakeDataBack(DataUp):
    """Ends the cluster's data services, sees that they ended, and starts ours on their volumes.

    What serves in the cluster reaches them by the same names. Taken back, unlike the step that this is otherwise.
    """

    def run(self, step: Step) -> None:
        self._change.held.add("data")
        super().run(step)

    def command(self) -> Command:
        end = self._change.site.bare("swarm-end.sh", names.data_stack(self._change.site.layout.project), "--all")
        data = self._change.site.layout.data
        keep = Command("cp", "-f", str(data / "state.json"), str(data / NOTED))
        return sequence(keep, end, super().command(), name="data-up.sh")

    def lent(self) -> tuple[str, ...]:
        change, before = self._change, before_there(self._change)
        theirs = overlay_triples(change.site, before, change.data) if before else ()
        # and to the release that serves, where a move to the cluster was cut short
        serving = [change.record, *([change.previous] if change.previous and not before else [])]
        ours = [word for one in serving for word in lasting_triples(change.site, one, change.data)]
        return (*ours, *theirs)

    def undo(self) -> None:
        change, site = self._change, self._change.site
        if "data" not in change.held:
            return
        if before_there(change):
            stack, layout = names.data_stack(site.layout.project), site.layout
            rest = site.bare("compose-rest.sh", layout.data_project)
            down = site.compose_data.then("down", "--remove-orphans")
            back = Command("cp", "-f", str(layout.data / NOTED), str(layout.data / "state.json"))
            start = site.bare("swarm-up.sh", str(layout.data), stack)
            site.shell.run(site.guarded(sequence(rest, down, back, start, name="swarm-up.sh")))
            settle(site, Watch(stack), Step("Return"))
        elif live := change.facts.live:
            end = site.bare("swarm-end.sh", names.data_stack(site.layout.project), "--all")
            back = site.bare("compose-back.sh", str(site.layout.root), READY_TIMEOUT_S)
            lend = site.bare("attach.sh", *lasting_triples(site, live, change.facts.data))
            site.shell.run(site.guarded(sequence(end, back, lend, name="compose-back.sh")))
        change.give_back("data")


class TakePortsBack(PrepareEdge):
    """Removes the cluster's edge from every node and starts ours with the release in it."""

    title = "Take the ports back from the cluster's edge"

    def run(self, step: Step) -> None:
        self._change.held.add("ports")
        super().run(step)

    def serving(self) -> ReleaseRecord | None:
        # a move that was killed has left files that name none
        return super().serving() if self._change.edge.live_release else None

    def holders(self, ports: Collection[int]) -> tuple[str, ...]:  # noqa: ARG002  # the stack holds all of them
        return (f"stack:{names.edge_stack(self._change.site.layout.project)}",)

    def undo(self) -> None:
        change, site = self._change, self._change.site
        if "ports" not in change.held:
            return
        if before := before_there(change):
            site.run("edge-down.sh", str(site.layout.root))
            record_current(site, before.id)
            change.edge = self._before
            if before.public:
                step, tls = Step("Return"), self._before.tls
                there = SwarmChange(site, change.environment, change.facts, before, cluster=look(site))
                there.pulled |= into_registry(site, images(tls), step)
                bring(there, before, tls, step)
        else:
            super().undo()
        change.give_back("ports")


class EndWorkers(Action):
    """Ends what never runs twice, wherever it is in the cluster."""

    title = "End the cluster's workers"

    def __init__(self, change: Change) -> None:
        self._change = change
        self._workers = workers_of(change)

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        change.held.add("workers")
        if self._workers:
            site.run("swarm-end.sh", names.app_stack(site.layout.project), *self._workers, on_line=step.show)
        step.result = ", ".join(self._workers) or "there are none"

    def undo(self) -> None:
        change, site = self._change, self._change.site
        before = before_there(change)
        if before and self._workers:
            return_stack(site, before, "app", names.app_stack(site.layout.project))
        elif live := change.facts.live:
            run_workers(site, live)
        change.give_back("workers")


class LeaveCluster(Action):
    """Removes what the cluster has of the project, from every node. Volumes stay."""

    title = "Leave the cluster"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        leave(self._change, (self._change.record, *of_cluster(self._change)))
        data, edge = self._change.site.layout.data, self._change.site.layout.edge
        self._change.site.shell.run(
            Command("rm", "-rf", str(data / "stack.json"), str(data / NOTED), str(edge / "stack"))
        )
        step.result = "no node has any of it but its volumes"


def return_stack(site: Site, release: ReleaseRecord, part: str, stack: str) -> None:
    """Make one of the stacks again what a release has it as."""
    step = Step("Return")
    up(site, release.id, part, stack, step)
    settle(site, Watch(stack), step)


def overlay_triples(site: Site, record: ReleaseRecord, services: Iterable[str]) -> tuple[str, ...]:
    """Container, network of the cluster and aliases in turn: where our data services belong there, for `attach.sh`."""
    return tuple(
        word
        for name in services
        if name in record.services
        for network, aliases in record.services[name].networks.items()
        for word in (
            site.layout.data_container(name),
            names.network(site.layout.project, network),
            ",".join(aliases),
        )
    )


def leave(change: Change, records: Iterable[ReleaseRecord]) -> None:
    """Let nothing of a project stay in the cluster but its volumes. `records` tell its networks."""
    site, project = change.site, change.site.layout.project
    networks = {
        names.network(project, network)
        for record in records
        for service in record.services.values()
        for network in service.networks
    }
    lasting = [site.layout.data_container(name) for name in change.facts.data]
    site.run("detach.sh", *(word for one in lasting for network in networks for word in (one, network)))
    stacks = (names.edge_stack(project), names.app_stack(project), names.data_stack(project))
    labels = f"{names.data_label(project)},{names.records_label(project)}"
    words = (labels, REGISTRY, project, *stacks, "--", *sorted(networks))
    site.run("swarm-leave.sh", *words)
