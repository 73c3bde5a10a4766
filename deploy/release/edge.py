"""The edge of a project: started once, then pointed at one release after the other."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from deploy.model.command import sequence
from deploy.model.edge import (
    EMPTY,
    FIRST_PORT,
    IMAGE,
    NONE,
    EdgeState,
    Listener,
    Target,
    Tls,
    definition,
    edge_networks,
    empty_commands,
    fill_commands,
    listeners_of,
    probes_of,
    published,
    render_config,
    render_map,
    servers_of,
    target_of,
)
from deploy.model.errors import CommandError, DeployError
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.data_services import with_known_networks
from deploy.release.edge_files import edge_archive, maintenance_page, tls_for
from deploy.release.outside import NO_ANSWER, SERVER_ERROR, Watch, ask
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step

ANSWER_TIMEOUT_S = 30


def start_edge(
    site: Site, state: EdgeState, page: str, networks: Iterable[str] = (), holders: Iterable[str] = ()
) -> None:
    """Bring the edge to a state, and into networks: start it, reload it, or replace it, as the difference asks for.

    `holders` are containers that have its ports: they are stopped when everything else is ready.
    """
    layout = site.layout
    words = (str(layout.root), layout.edge_container, IMAGE, definition(state), ",".join(holders), *networks)
    place = site.bare("edge-place.sh", str(layout.root), IMAGE)
    both = site.guarded(sequence(place, site.bare("edge-up.sh", *words), name="edge-up.sh"))
    files = edge_archive(state, layout, page)
    with_known_networks(site, [layout.edge_container], lambda: site.shell.run(both, stdin=files))


def point_edge(
    site: Site, state: EdgeState, slot: str, *, fill: Target | None, current: str
) -> tuple[EdgeState, Mapping[int, int]]:
    """Make a slot live, after filling it when `fill` is given and not what is live there already.

    Returns the new state, and what each HTTP port answered on the host to a question for its health page: its port
    inside the container to a status. Raises DeployError when a server of the slot does not answer: nothing has been
    switched then.
    """
    wanted = (state.with_target(slot, fill) if fill else state).switched(slot)
    target = wanted.slots.get(slot)
    # filling a slot takes its servers out of service first: never one that answers users
    filling = fill_commands(slot, fill, site.layout) if fill and wanted != state else ()
    try:
        done = site.run(
            "switch.sh",
            str(site.layout.root),
            site.layout.edge_container,
            slot,
            render_config(wanted, site.layout),
            render_map(wanted),
            wanted.to_json(),
            current,
            "; ".join(filling),
            ANSWER_TIMEOUT_S,
            site.address,
            *(servers_of(slot, target) if target else ()),
            "--",
            *(probes_of(wanted) if fill else ()),
        )
    except CommandError as error:
        raise DeployError(f"{site.shell.name}: the edge could not be switched", details=error.stderr) from error
    return wanted, _statuses(done.stdout)


def _statuses(text: str) -> dict[int, int]:
    """From lines of a port and a status."""
    rows = (line.split() for line in text.splitlines())
    return {int(row[0]): int(row[1]) if row[1].isdigit() else NO_ANSWER for row in rows if len(row) == 2}  # noqa: PLR2004


def public_urls(change: Change, listener: Listener) -> tuple[str, ...]:
    """The health page of a public port, as users reach it: by each of its names, else by the host's own.

    None for a port that only the host itself is to reach.
    """
    tls = change.edge.tls
    names = [name for name, service in tls.names.items() if service == listener.service] if tls else []
    if names:
        return tuple(f"https://{name}{listener.health_path}" for name in names)
    if listener.port.local:
        return ()
    host = f"[{change.site.address}]" if ":" in change.site.address else change.site.address
    return (f"http://{host}:{listener.port.published}{listener.health_path}",)


def wanted_tls(change: Change) -> Tls | None:
    """What the edge is to do about TLS for the release on its way in.

    What goes back to a release takes the edge's names as they are: it brings no image of a client for new ones.
    """
    returning = change.record.id in change.facts.releases
    return change.edge.tls if returning else tls_for(change.environment, change.record)


class WatchFromHere(Action):
    """Begins to watch the public addresses; the change says at its end what was seen."""

    title = "Watch the public addresses"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        change = self._change
        if change.facts.maintenance:
            step.result = "in maintenance: users get the page"
            return
        urls = [url for one in listeners_of(change.record) if one.port.http for url in public_urls(change, one)]
        tls = change.edge.tls
        watch = Watch(tuple(dict.fromkeys(urls)), change.site.host_address, tls.ca if tls else "")
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
        wanted = change.edge.listening(listeners_of(change.record), wanted_tls(change))
        # the release before is there too: a replaced container starts with its own network only
        before = self.serving()
        serving = [change.record, *([before] if before else [])]
        page, networks = maintenance_page(change.environment), edge_networks(change.site.layout, serving)
        holders = self.holders(published(wanted))
        if holders and not before:
            # whoever had the ports answers no more: an edge that starts with the release in it answers at once
            slot = wanted.spare
            wanted = wanted.with_target(slot, target_of(change.record, change.site.layout)).switched(slot)
        start_edge(change.site, wanted, page, networks, holders)
        change.edge = wanted
        names = ", ".join(wanted.tls.names) if wanted.tls else ""
        step.result = ", ".join(str(listener.port) for listener in wanted.listeners) + (f"; {names}" if names else "")

    def undo(self) -> None:
        change = self._change
        if self._before == EMPTY:
            change.site.run("edge-down.sh", str(change.site.layout.root))
            change.site.run("by-hand.sh", "start", *self.holders(published(change.edge)))
        elif (self._before.listeners, self._before.tls) != (change.edge.listeners, change.edge.tls):
            previous = [change.previous] if change.previous else []
            page = maintenance_page(change.environment)
            start_edge(change.site, self._before, page, edge_networks(change.site.layout, previous))
        change.edge = self._before

    def serving(self) -> ReleaseRecord | None:
        """The release before, where it is one that the edge serves."""
        return self._change.previous

    def holders(self, ports: Collection[int]) -> tuple[str, ...]:
        """Containers started by hand that have the edge's ports."""
        return tuple(one.id for one in self._change.by_hand if any(one.publishes(port) for port in ports))


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
        fill = target_of(record, site.layout)
        change.edge, statuses = point_edge(site, before, slot, fill=fill, current=record.id)
        step.result = probe(change, statuses, step)

    def undo(self) -> None:
        change, before = self._change, self._before
        if before is None:
            return
        # whatever `run` came to: a switch that we were interrupted in goes on to its end on the host
        previous = before.live_release
        slot = before.live if previous else NONE
        change.edge, _ = point_edge(change.site, before, slot, fill=None, current=previous)
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


def probe(change: Change, statuses: Mapping[int, int], step: Step) -> str:
    """Judge what every HTTP port answered on the host, and ask for the same from here.

    Raises DeployError when the host itself got no answer below 500. A port that answers there and not here is behind a
    firewall as often as not: it is noted, not an error.
    """
    answers = []
    tls = change.edge.tls
    for number, listener in enumerate(change.edge.listeners):
        if not listener.port.http:
            continue
        status = statuses.get(FIRST_PORT + number, NO_ANSWER)
        if status == NO_ANSWER or status >= SERVER_ERROR:
            found = f"answers {status}" if status else "does not answer"
            raise DeployError(f"{change.site.shell.name}: port {listener.port} {found} after the switch")
        if change.facts.maintenance:
            answers.append(f"port {listener.port} → {status} on the host; users get the maintenance page")
            continue
        urls = public_urls(change, listener)
        if not urls:
            answers.append(f"port {listener.port} → {status} on the host")
        for url in urls:
            step.show(f"asking for {url}")
            started = time.monotonic()
            outside = ask(url, change.site.host_address, tls.ca if tls else "")
            if outside == NO_ANSWER:
                change.notes.append(
                    f"{url} does not answer from this machine, only on the host: is a firewall between?"
                )
            answers.append(f"{url} → {outside or status} in {(time.monotonic() - started) * 1000:.0f} ms")
    return "; ".join(dict.fromkeys(answers))
