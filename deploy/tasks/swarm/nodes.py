"""The life of a cluster's nodes: one is taken out of work, comes back, or leaves for good."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deploy.model.errors import CommandError, UnreachableError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.swarm.reach import changing
from deploy.ui.units import count, names_of

if TYPE_CHECKING:
    from deploy.model.swarm.drain import Leaving, Share
    from deploy.model.swarm.found import Cluster, Node, SwarmService
    from deploy.release.site import Site
    from deploy.release.swarm.members import Member, Members

WITH_DATA = "--with-data"
TOO_FEW = 2
"""Managers of which none may be missing."""


def drain(app: App, name: str, host: str, *, with_data: bool, yes: bool) -> None:
    """Move what runs on a node to the others, then stop what is left there."""
    from deploy.model.swarm.drain import leaving
    from deploy.release.swarm.change import look_at_all

    environment = _swarm(app, name)
    with changing(app, environment, []) as (members, lead):
        site = lead.site
        cluster = look_at_all(site)
        node = _node(app, environment, cluster, host)
        if node.state != "ready":
            raise UsageError(
                f"{node.hostname} is {node.state}: what may run elsewhere does already",
                f"inv host.leave --host {host} removes a node that will not come back",
            )
        found = leaving(cluster, node)
        _tell(app, found)
        _require_room(cluster, found, with_data=with_data)
        if app.dry:
            return
        app.console.confirm(
            f"Drain {node.hostname}?", yes=yes, consequence=f"whoever asks {node.hostname} is refused from then on"
        )
        _take_out(app, members, lead, node)
        app.console.good(f"{node.hostname} rests: nothing of the cluster runs there, and nothing is started there.")
        if found.stops:
            app.console.warn(f"{_names(found.stops)} wait until {node.hostname} is back")
        app.console.say(f"Next: inv host.activate --host {host} --env {name} lets it take part again.")


def activate(app: App, name: str, host: str, *, yes: bool) -> None:
    """Let a node take part, and give it its share of the containers."""
    from deploy.model.swarm.drain import to_spread
    from deploy.release.lock import require_thawed
    from deploy.release.steps import run_all
    from deploy.release.swarm.change import look_at_all
    from deploy.release.swarm.drain import Activate, Spread, shares_of
    from deploy.release.swarm.lock import cluster_locked

    environment = _swarm(app, name)
    with changing(app, environment, []) as (members, lead):
        site = lead.site
        cluster = look_at_all(site)
        node = _node(app, environment, cluster, host)
        if node.state != "ready":
            raise UsageError(f"{node.hostname} is {node.state}", "start its engine, then run the command again")
        shares = to_spread(cluster, dataclasses.replace(node, availability="active"))
        app.console.say(f"{node.hostname} ({node.role}, {node.state}, {node.availability}, {node.address}):")
        for line in _share_lines(cluster, shares) or ["nothing has to move for its share"]:
            app.console.say(f"  {line}")
        if app.dry:
            return
        app.console.confirm(f"Activate {node.hostname}?", yes=yes, consequence="containers are replaced")
        with cluster_locked(lead, members, f"activating {node.hostname}", app.console) as hold:
            require_thawed(hold.facts)
            run_all([Activate(site, node)], app.console)
            if shares := shares_of(site, node):
                run_all([Spread(site, shares)], app.console)
        app.console.good(f"{node.hostname} takes part again and answers: a balancer may send to it.")
        app.console.say(f"Next: inv {name}.status.")


def _share_lines(cluster: Cluster, shares: Sequence[Share]) -> list[str]:
    """What moves to a node that is back."""
    from_one = [f"{one.service.full_name} (from {cluster.hostname(one.off)})" for one in shares if one.off]
    rolled = [one.service.full_name for one in shares if not one.off]
    return [
        f"{word:<7} {', '.join(sorted(which))}" for word, which in (("moves", from_one), ("rolls", rolled)) if which
    ]


def leave(app: App, name: str, host: str, *, with_data: bool, yes: bool) -> None:
    """Take a node out of the cluster for good."""
    from deploy.model.swarm.drain import leaving, require_leavable
    from deploy.release.steps import run_all
    from deploy.release.swarm.change import look_at_all
    from deploy.release.swarm.leave import Leave, StepDown

    environment = _swarm(app, name)
    with _other_manager(app, environment, host) as (members, lead):
        site = lead.site
        cluster = look_at_all(site)
        node = _node(app, environment, cluster, host)
        require_leavable(cluster, node)
        _require_another(site, node)
        found = leaving(cluster, node)
        lost = node.state == "down"
        with _own_site(app, environment, node, host) as own:
            if own is None and not lost:
                raise UsageError(
                    f"{host} cannot be logged in to, and {node.hostname} is {node.state} in the cluster",
                    "name it as it can be reached; one that is lost can leave when the cluster calls it down",
                )
            _tell(app, found, gone=True)
            _require_room(cluster, found, with_data=with_data, gone=True)
            if app.dry:
                return
            app.console.confirm(
                f"Let {node.hostname} leave?", yes=yes, consequence=f"{node.hostname} is taken out of the cluster"
            )
            if not lost:
                _take_out(app, members, lead, node)
            down = [StepDown(site, node)] if node.role == "manager" else []
            run_all([*down, Leave(site, None if lost else own, node)], app.console)
        left = count(len(cluster.nodes) - 1, "node")
        app.console.good(f"{node.hostname} is no part of the cluster any more, which has {left}.")
        if found.keeps:
            app.console.warn(f"{names_of(found.keeps)}: gone from the cluster with it; its disk has it yet")
        if node.role == "manager" and sum(one.role == "manager" for one in cluster.nodes) == TOO_FEW + 1:
            app.console.warn("two managers are left: the cluster takes no changes when either is away")
        rest = "inv host.setup --swarm --host … with all that are left"
        registry = any("registry" in one for one in found.keeps)
        again = f"{rest} makes a registry anew; then " if registry else ""
        app.console.say(
            f"Next: {again}take {host} out of deploy.environments.{name} in invoke.yaml. Its volumes and images stay "
            "on its disk."
        )


def _swarm(app: App, name: str) -> Environment:
    environment = app.settings.environment(name)
    if environment.engine != Engine.SWARM:
        raise UsageError(
            f"'{name}' runs on no cluster", "engine: swarm under deploy.environments says so, or another --env"
        )
    return environment


@contextlib.contextmanager
def _other_manager(app: App, environment: Environment, host: str) -> Iterator[tuple[Members, Member]]:
    """A manager, if possible another one than the host."""
    from deploy.remote.target import bare

    others = [one for one in environment.hosts if bare(one) != bare(host)]
    with changing(app, environment, others) as found:
        yield found


def _node(app: App, environment: Environment, cluster: Cluster, host: str) -> Node:
    """The node that a host is, or the one that is called so. Raises UsageError where there is none."""
    from deploy.model.swarm.drain import found_node
    from deploy.release.swarm.members import membership

    known = ", ".join(one.hostname for one in cluster.nodes)
    if not host:
        raise UsageError("which node?", f"name one: --host {known.partition(',')[0]} (there are {known})")
    said = f"{host} is no node of the cluster"
    node = None
    try:
        with app.site(environment, _spec(environment, host)) as site:
            node = cluster.node(membership(site).node)
    except (UnreachableError, CommandError) as error:
        said = f"{error.message}, and no node is called so"
    # a machine whose engine is down, or which has left already, knows of no cluster
    node = node or found_node(cluster, _called(app, environment, host))
    if node is None:
        raise UsageError(said, f"the nodes are {known}")
    return node


def _spec(environment: Environment, host: str) -> str:
    """As invoke.yaml has it, where it does: with the user to log in as."""
    from deploy.remote.target import bare

    return next((one for one in (*environment.hosts, *environment.nodes) if bare(one) == host), host)


def _called(app: App, environment: Environment, host: str) -> tuple[str, ...]:
    """Names and addresses that a host which cannot be reached may have in its cluster."""
    from deploy.remote.target import bare

    target = app.target(_spec(environment, host))
    return bare(host), target.hostname, target.address


@contextlib.contextmanager
def _own_site(app: App, environment: Environment, node: Node, host: str) -> Iterator[Site | None]:
    """The node itself, connected; None where it cannot be reached."""
    with contextlib.ExitStack() as opened:
        own: Site | None = None
        if node.state != "down":
            with contextlib.suppress(UnreachableError):
                own = opened.enter_context(app.site(environment, _spec(environment, host)))
        yield own


def _require_another(site: Site, node: Node) -> None:
    """Raises UsageError where what is to leave is what we work through."""
    from deploy.release.swarm.members import membership

    if membership(site).node == node.id:
        raise UsageError(
            f"{node.hostname} is the only manager that is known here, and cannot remove itself",
            "name another manager under hosts: in invoke.yaml",
        )


def _tell(app: App, found: Leaving, *, gone: bool = False) -> None:
    """What becomes of what runs on a node."""
    node = found.node
    app.console.say(f"{node.hostname} ({node.role}, {node.state}, {node.availability}, {node.address}):")
    first = [one for one in found.moves if not one.stops_first]
    later = [one for one in found.moves if one.stops_first]
    rows = {
        "moves": f"{_names(first)}: the new container is healthy before the old one stops",
        "moves ": f"{_names(later)}: stops before it starts elsewhere",
        "ends": f"{_names(found.ends)}: take {node.hostname} out of your balancer first",
        "stops": f"{_names(found.stops)}: no other node may have it",
        "loses" if gone else "keeps": names_of(found.keeps),
    }
    has = (first, later, found.ends, found.stops, found.keeps)
    for (word, text), there in zip(rows.items(), has, strict=True):
        if there:
            app.console.say(f"  {word:<7} {text}")


def _require_room(cluster: Cluster, found: Leaving, *, with_data: bool, gone: bool = False) -> None:
    """Raises UsageError for what would stop, or be lost, without having been said to."""
    node = found.node
    if not any(one.works and one.id != node.id for one in cluster.nodes):
        raise UsageError(f"{node.hostname} is the only node at work", "add another, or activate one, before")
    if with_data:
        return
    if found.stops or (gone and found.keeps):
        what = f"{_names(found.stops)} would stop" if found.stops else f"{names_of(found.keeps)} is on its disk"
        raise UsageError(
            f"{node.hostname}: {what}, and no other node can have it",
            f"add {WITH_DATA} to go on all the same"
            + ("" if gone else f"; it waits until inv host.activate --host {node.hostname}"),
        )


def _take_out(app: App, members: Members, lead: Member, node: Node) -> None:
    """Move what can be moved, then drain."""
    from deploy.release.lock import require_thawed
    from deploy.release.steps import run_all
    from deploy.release.swarm.drain import Drain, MoveOff
    from deploy.release.swarm.lock import cluster_locked

    with cluster_locked(lead, members, f"draining {node.hostname}", app.console) as hold:
        require_thawed(hold.facts)
        run_all([MoveOff(lead.site, node), Drain(lead.site, node)], app.console)


def _names(services: Sequence[SwarmService]) -> str:
    return ", ".join(sorted(one.full_name for one in services))
