"""The edge of a project: started once, then pointed at one release after the other."""

from __future__ import annotations

import json
import time

from deploy.model.edge import (
    EMPTY,
    FIRST_PORT,
    NONE,
    EdgeState,
    Listener,
    Target,
    empty_commands,
    fill_commands,
    listeners_of,
    render_compose,
    render_config,
    render_map,
    servers_of,
    target_of,
)
from deploy.model.errors import CommandError, DeployError
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.outside import NO_ANSWER, SERVER_ERROR, Watch, ask
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step

ANSWER_TIMEOUT_S = 30


def start_edge(site: Site, state: EdgeState) -> None:
    """Bring the edge to a state: start it, reload it, or replace it, whichever the difference asks for."""
    compose = json.dumps(render_compose(state, site.layout), indent=1)
    site.run(
        "edge-up.sh",
        str(site.layout.root),
        site.layout.edge_container,
        compose,
        render_config(state, site.layout),
        render_map(state),
        state.to_json(),
    )


def point_edge(site: Site, state: EdgeState, slot: str, *, fill: Target | None, current: str) -> EdgeState:
    """Make a slot live, after filling it when `fill` is given; the new state.

    Raises DeployError when a server of the slot does not answer: nothing has been switched then.
    """
    wanted = (state.with_target(slot, fill) if fill else state).switched(slot)
    target = wanted.slots.get(slot)
    try:
        site.run(
            "switch.sh",
            str(site.layout.root),
            site.layout.edge_container,
            slot,
            render_config(wanted, site.layout),
            render_map(wanted),
            wanted.to_json(),
            current,
            "; ".join(fill_commands(slot, fill, site.layout)) if fill else "",
            ANSWER_TIMEOUT_S,
            *(servers_of(slot, target) if target else ()),
        )
    except CommandError as error:
        raise DeployError(f"{site.shell.name}: the edge could not be switched", details=error.stderr) from error
    return wanted


def public_url(change: Change, listener: Listener) -> str:
    """The health page of a public port, as it is reached from here."""
    host = f"[{change.site.address}]" if ":" in change.site.address else change.site.address
    return f"http://{host}:{listener.port.published}{change.record.services[listener.service].health_path}"


class WatchFromHere(Action):
    """Begins to watch the public addresses; the change says at its end what was seen."""

    title = "Watch the public addresses"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        watch = Watch(tuple(public_url(change, one) for one in listeners_of(change.record) if one.port.http))
        change.watch = watch
        step.result = ", ".join(watch.urls) or "none answers yet"

    def undo(self) -> None:
        self._change.stop_watching()


class PrepareEdge(Action):
    """Sees that the edge runs with the release's ports, and puts it into the release's networks."""

    title = "Prepare the edge"

    def __init__(self, change: Change) -> None:
        self._change = change
        self._before = change.edge

    def run(self, step: Step) -> None:
        change = self._change
        wanted = change.edge.listening(listeners_of(change.record))
        start_edge(change.site, wanted)
        change.edge = wanted
        join_networks(change.site, change.record)
        if change.previous:
            join_networks(change.site, change.previous)  # a replaced container starts with its own network only
        step.result = ", ".join(str(listener.port) for listener in wanted.listeners)

    def undo(self) -> None:
        change = self._change
        if self._before == EMPTY:
            change.site.run("edge-down.sh", str(change.site.layout.root))
        elif self._before.listeners != change.edge.listeners:
            start_edge(change.site, self._before)
        change.edge = self._before


def join_networks(site: Site, record: ReleaseRecord) -> None:
    """Put the edge into one network of every public service of a release."""
    networks = {
        min(service.networks)
        for name, service in record.services.items()
        if service.networks and any(public.service == name for public in record.public)
    }
    triples = [
        word
        for network in sorted(networks)
        for word in (site.layout.edge_container, site.layout.release_network(record.id, network), "")
    ]
    if triples:
        site.run("attach.sh", *triples)


class Switch(Action):
    """The one moment that users notice nothing of: every public port goes over to the new release at once."""

    title = "Switch"

    def __init__(self, change: Change) -> None:
        self._change = change
        self._before: EdgeState | None = None

    def run(self, step: Step) -> None:
        change = self._change
        site, record = change.site, change.record
        self._before = before = change.edge
        slot = before.slot_of(record.id) or before.spare
        change.edge = point_edge(site, before, slot, fill=target_of(record, site.layout), current=record.id)
        step.result = probe(change, step)

    def undo(self) -> None:
        change, before = self._change, self._before
        if before is None:
            return
        # whatever `run` came to: a switch that we were interrupted in goes on to its end on the host
        previous = before.live_release
        change.edge = point_edge(change.site, before, before.live if previous else NONE, fill=None, current=previous)
        change.edge = empty_slot(change.site, change.edge, change.edge.spare)


def empty_slot(site: Site, state: EdgeState, slot: str) -> EdgeState:
    """Take a release out of its slot; the new state."""
    wanted = state.with_target(slot, None)
    site.run(
        "empty.sh",
        str(site.layout.root),
        site.layout.edge_container,
        render_config(wanted, site.layout),
        wanted.to_json(),
        "; ".join(empty_commands(slot, state.listeners, site.layout)),
    )
    return wanted


def probe(change: Change, step: Step) -> str:
    """Ask every HTTP port for a page, first on the host, then from here.

    Raises DeployError when the host itself gets no answer below 500. A port that answers there and not here is behind a
    firewall as often as not: it is noted, not an error.
    """
    answers = []
    for number, listener in enumerate(change.edge.listeners):
        if not listener.port.http:
            continue
        path = change.record.services[listener.service].health_path
        step.show(f"asking for {path}")
        status = _probe_on_host(change.site, FIRST_PORT + number, path)
        if status == NO_ANSWER or status >= SERVER_ERROR:
            found = f"answers {status}" if status else "does not answer"
            raise DeployError(f"{change.site.shell.name}: port {listener.port} {found} after the switch")
        url = public_url(change, listener)
        started = time.monotonic()
        outside = ask(url)
        if outside == NO_ANSWER:
            change.notes.append(f"{url} does not answer from this machine, only on the host: is a firewall between?")
        answers.append(f"{url} → {outside or status} in {(time.monotonic() - started) * 1000:.0f} ms")
    return "; ".join(answers)


def _probe_on_host(site: Site, port: int, path: str) -> int:
    """The status of an answer, asked for inside the edge's container at the port that is published."""
    done = site.run("probe.sh", site.layout.edge_container, port, path, site.address, check=False)
    words = done.stdout.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else NO_ANSWER
