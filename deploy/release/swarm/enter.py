"""Moving a project from compose on a host to the cluster that it manages: the steps, all of which can be taken back.

The services start in the cluster beside the release that serves, with its data services lent to the cluster's networks.
Then data, ports and workers go over one after the other: what has them stops, and only then does the other start.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from deploy.model.command import Command, sequence
from deploy.model.edge import edge_networks, listeners_of
from deploy.model.errors import DeployError
from deploy.model.journal import DATA_STEP
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Engine
from deploy.model.swarm import names
from deploy.model.swarm.move import by_compose
from deploy.release.data_services import READY_TIMEOUT_S, lasting_triples
from deploy.release.edge import ANSWER_TIMEOUT_S, public_urls, start_edge
from deploy.release.edge_files import maintenance_page
from deploy.release.outside import SERVER_ERROR, ask
from deploy.release.start import TakeOverWorkers, run_workers
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange
from deploy.release.swarm.edge import EdgeUp
from deploy.release.swarm.roll import return_to, settle, up, watch_for
from deploy.release.swarm.take_back import leave, overlay_triples, workers_of
from deploy.ui import Step
from deploy.ui.units import count

LEND_TIMEOUT_S = 60
KEPT = "data.compose"
"""What compose had noted of the data services, while a move can be taken back."""


def compose_releases(change: SwarmChange) -> tuple[ReleaseRecord, ...]:
    """Releases of compose that serve, or run besides."""
    every = [*([change.previous] if change.previous else []), *change.others]
    return tuple({one.id: one for one in every if one.engine == Engine.COMPOSE}.values())


def borrowed(records: Iterable[ReleaseRecord], layout: HostLayout, services: Iterable[str]) -> tuple[str, ...]:
    """Service of the cluster, network and aliases in turn: where data services belong in releases of compose."""
    stack, wanted = names.data_stack(layout.project), tuple(services)
    return tuple(
        word
        for record in records
        for name in wanted
        if name in record.services
        for network, aliases in record.services[name].networks.items()
        if network in record.networks
        for word in (names.service_name(stack, name), layout.release_network(record.id, network), ",".join(aliases))
    )


class Lend(Action):
    """Puts the data services that compose runs into the cluster's networks, by the names they are known by."""

    title = "Lend the data services to the cluster"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change
        layout = change.site.layout
        running = {one.service: one.name for one in by_compose(change.facts, layout) if one.running}
        self._lent = tuple(name for name in change.data if running.get(name) == layout.data_container(name))

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        site.run("attach.sh", *overlay_triples(site, change.record, self._lent))
        step.result = ", ".join(self._lent) or "none runs"

    def undo(self) -> None:
        change, site = self._change, self._change.site
        if change.before_here:
            return  # what serves in the cluster goes on with them
        words = overlay_triples(site, change.record, self._lent)
        pairs = zip(words[::3], words[1::3], strict=True)
        site.run("detach.sh", *(word for pair in pairs for word in pair))
        leave(change, [change.record])


class RollBeside(Action):
    """Starts the services in the cluster that may run twice, and waits until all are healthy. Users notice nothing."""

    title = "Start the services in the cluster, beside what serves"

    def __init__(self, change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> None:
        self._change = change
        self._needs = needs

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        stack = names.app_stack(site.layout.project)
        # what a move that was killed has left, on either side; of any other there is nothing to end
        stop = TakeOverWorkers(change).stopping() if change.before_here else []
        end = site.bare("swarm-end.sh", stack, *workers_of(change))
        site.shell.run(site.guarded(sequence(*stop, end, name="swarm-end.sh")), on_line=step.show)
        if not any(name not in change.jobs for name in change.record.app(exclusive=False)):
            step.result = "there is none that may run twice"
            return
        up(site, change.record.id, "beside", stack, step)
        found = settle(site, watch_for(change.cluster, stack, self._needs), step)
        step.result = ", ".join(f"{one.service} {one.words}" for one in found)

    def undo(self) -> None:
        change, stack = self._change, names.app_stack(self._change.site.layout.project)
        return_to(change, "app", stack, self._needs)
        taken = {names.service_name(stack, name) for name in workers_of(change)} & change.facts.cluster.services
        if taken and change.previous and change.before_here is None:
            run_workers(change.site, change.previous)


class TakeData(Action):
    """Stops the data services of compose, sees that they stopped, and starts the cluster's on their volumes.

    One script on the host does so, which nobody has to wait for. The release that serves reaches them as before.
    """

    title = DATA_STEP

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change, site, layout = self._change, self._change.site, self._change.site.layout
        change.held.add("data")
        rest = site.bare("compose-rest.sh", layout.data_project)
        if change.data:
            stack = names.data_stack(layout.project)
            start = site.bare("swarm-up.sh", folder_of(change, "data"), stack)
            words = borrowed(compose_releases(change), layout, change.data)
            lend = site.bare("swarm-lend.sh", LEND_TIMEOUT_S, *words)
            site.shell.run(site.guarded(sequence(rest, start, lend, name="swarm-up.sh")), on_line=step.show)
            settle(site, watch_for(change.cluster, stack, {}), step)
        else:
            site.shell.run(site.guarded(rest), on_line=step.show)
        step.result = count(len(change.data), "service")

    def undo(self) -> None:
        change, site, layout = self._change, self._change.site, self._change.site.layout
        before = change.previous
        if "data" not in change.held:
            return
        if before and before.engine == Engine.COMPOSE:
            end = site.bare("swarm-end.sh", names.data_stack(layout.project), "--all")
            back = site.bare("compose-back.sh", str(layout.root), READY_TIMEOUT_S)
            lend = site.bare("attach.sh", *lasting_triples(site, before, change.facts.data))
            site.shell.run(site.guarded(sequence(end, back, lend, name="compose-back.sh")))
        else:
            return_to(change, "data", names.data_stack(layout.project), {})
        change.give_back("data")


class TakePorts(EdgeUp):
    """Starts the cluster's edge; the one of compose lets go of its ports when the rest is ready.

    Asks for every page that answered before.
    """

    title = "Hand the ports over to the cluster's edge"

    def letting_go(self) -> Sequence[Command]:
        layout = self._change.site.layout
        ours = {layout.edge_container, layout.acme_container}
        there = sorted(one.name for one in self._change.facts.containers if one.name in ours)
        controller = names.service_name(names.edge_stack(layout.project), "controller")
        return [self._change.site.bare("swarm-edge-take.sh", LEND_TIMEOUT_S, controller, *there)]

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        urls = [url for one in listeners_of(change.record) if one.port.http for url in public_urls(change, one)]
        answering = [url for url in dict.fromkeys(urls) if _answers(url, site.host_address)]
        change.held.add("ports")
        super().run(step)
        until = time.monotonic() + ANSWER_TIMEOUT_S
        while silent := [url for url in answering if not _answers(url, site.host_address)]:
            step.show(f"asking for {', '.join(silent)}")
            if time.monotonic() > until:
                raise DeployError(
                    f"{site.shell.name}: {', '.join(silent)} answered before and does not by the cluster's edge",
                    f"inv {change.environment.name}.logs shows what services say; mend it and deploy again",
                )
            time.sleep(0.5)

    def undo(self) -> None:
        change, site = self._change, self._change.site
        before = change.previous
        if "ports" not in change.held:
            return
        if before and before.engine == Engine.COMPOSE:
            change.edge = self._before
            site.run("swarm-edge-down.sh", str(site.layout.root), names.edge_stack(site.layout.project))
            if before.public:
                networks = edge_networks(site.layout, [before])
                start_edge(site, change.edge, maintenance_page(change.environment), networks)
        else:
            super().undo()
        change.give_back("ports")


def _answers(url: str, at: str) -> bool:
    return 0 < ask(url, at) < SERVER_ERROR


def folder_of(change: SwarmChange, part: str) -> str:
    """Where a stack of the release stands on the manager."""
    return str(change.site.layout.release(change.record.id) / "swarm" / part)


class TakeWorkers(TakeOverWorkers):
    """Stops what never runs twice and starts it in the cluster: never both."""

    title = "Hand over to the cluster's workers"

    def __init__(self, change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> None:
        super().__init__(change)
        self._moving = change
        self._needs = needs

    def run(self, step: Step) -> None:
        change, site = self._moving, self._moving.site
        change.held.add("workers")
        stack = names.app_stack(site.layout.project)
        start = site.bare("swarm-up.sh", folder_of(change, "app"), stack)
        site.shell.run(site.guarded(sequence(*self.stopping(), start, name="swarm-up.sh")), on_line=step.show)
        settle(site, watch_for(change.cluster, stack, self._needs), step)
        step.result = ", ".join(change.record.app(exclusive=True)) or "there are none"

    def undo(self) -> None:
        change, site = self._moving, self._moving.site
        if change.before_here is None:
            if ends := change.record.app(exclusive=True):
                site.run("swarm-end.sh", names.app_stack(site.layout.project), *ends)
            self.start_old()
        change.give_back("workers")


class NoteData(Action):
    """Notes what the data services are made of now, and keeps what compose had noted until the release stands."""

    title = "Note the data services"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site, layout = self._change.site, self._change.site.layout
        keep = Command("cp", "-a", str(layout.data), str(layout.root / KEPT))
        stands = site.bare("swarm-stands.sh", str(layout.root), folder_of(self._change, "data"))
        old = Command("rm", "-rf", str(layout.root / KEPT))
        site.shell.run(site.guarded(sequence(old, keep, stands, name="swarm-stands.sh")))
        step.result = ", ".join(self._change.data) or "there are none"

    def undo(self) -> None:
        site, layout = self._change.site, self._change.site.layout
        back = Command("sh", "-c", 'if [ -d "$1" ]; then rm -rf "$2" && mv "$1" "$2"; fi', "back")
        site.shell.run(site.guarded(back.then(str(layout.root / KEPT), str(layout.data))))


class EndCompose(Action):
    """Removes the edge, the releases and the data services that compose ran. Volumes and the project's folder stay."""

    title = "End what compose ran"

    def __init__(self, change: SwarmChange) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        left = by_compose(change.facts, site.layout)
        releases = [one.id for one in change.facts.releases.values() if one.engine == Engine.COMPOSE]
        site.run("compose-end.sh", str(site.layout.root), site.layout.data_project, *releases, on_line=step.show)
        step.result = f"{count(len(left), 'container')} removed"
