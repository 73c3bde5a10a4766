"""Reaching a cluster: through the first of its managers that answers and has the newest records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App

if TYPE_CHECKING:
    from deploy.release.site import Site
    from deploy.release.swarm.members import Member, Members

    Reach = tuple[Members, Member]
    """All that are known of a cluster, and the manager that is worked through."""


def is_swarm(app: App, name: str) -> bool:
    """Whether an environment's engine is a cluster."""
    return app.settings.environment(name).engine == Engine.SWARM


@contextlib.contextmanager
def manager(app: App, environment: Environment, given: list[str]) -> Iterator[tuple[Site, str]]:
    """A manager to look through, connected, and what it was called by: the first that has the newest records.

    Raises DeployError where there is none.
    """
    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        yield lead.site, lead.spec


@contextlib.contextmanager
def changing(app: App, environment: Environment, given: list[str]) -> Iterator[tuple[Members, Member]]:
    """All that are known of a cluster, and the manager to change it through: the first that can be reached.

    One whose records are old gets them from one that has the newest, before it is worked through.
    """
    with members_of(app, environment, given) as members:
        yield members, chosen(app, members, app.hosts(environment, given), catching_up=True)


@contextlib.contextmanager
def members_of(app: App, environment: Environment, given: list[str]) -> Iterator[Members]:
    """The hosts of a cluster, those that are named on the command line among them; none is connected yet."""
    from deploy.release.swarm.members import Members

    hosts = [*app.hosts(environment, given), *environment.hosts]
    with Members(lambda spec: app.site(environment, spec), hosts, environment.nodes) as members:
        yield members


def chosen(app: App, members: Members, specs: Sequence[str], *, catching_up: bool = False) -> Member:
    """The manager to work through. Raises DeployError where none of these hosts can be."""
    said: list[str] = []
    behind: list[Member] = []
    lead = _with_newest(members, specs, behind, said)
    if lead is None and behind:
        lead = _with_newest(members, [one for one in members.managers if one not in specs], [], [])
    before = specs[: specs.index(lead.spec)] if lead and lead.spec in specs else specs
    said += [why for spec in before if (why := members.why_not(spec))]
    if lead is None and not behind:
        raise DeployError(
            "no manager of a cluster can be worked through", "inv host.setup --swarm makes one", details="\n".join(said)
        )
    if lead is None:
        lead = max(behind, key=lambda one: one.membership.stamp)
        _tell_what_is_missing(app, lead, said)
        return lead
    for text in said:
        app.console.warn(f"{text}; working through {lead.spec}")
    if behind and catching_up:
        return _caught_up(app, members, behind[0], lead)
    if behind:
        app.console.note(f"the records of {behind[0].spec} are older, and those of {lead.spec} are read")
    return lead


def _with_newest(members: Members, specs: Sequence[str], behind: list[Member], said: list[str]) -> Member | None:
    """The first manager that has the newest records; those that have older ones are added to `behind`."""
    for member in members.answering(specs):
        one = member.membership
        if one.headless:
            said.append(f"{member.spec}: the cluster has lost the majority of its managers, and takes no changes")
        elif not one.manager:
            said.append(f"{member.spec} does not manage a cluster ({one.state or 'its engine does not answer'})")
        elif one.stamp < one.newest:
            behind.append(member)
        else:
            return member
    return None


def _tell_what_is_missing(app: App, lead: Member, said: Sequence[str]) -> None:
    one = lead.membership
    for text in said:
        app.console.warn(text)
    holders, newest = ", ".join(one.holders(one.newest)), one.newest
    lost = newest.number - one.stamp.number
    app.console.warn(
        f"the newest records are on {holders}, which cannot be reached: working through {lead.spec}, which lacks "
        f"{'the last change' if lost == 1 else f'the last {lost} changes'} of them"
        + (f", of {newest.release}" if newest.release else "")
    )


def _caught_up(app: App, members: Members, behind: Member, newest: Member) -> Member:
    """A manager that was away, with the records that it missed."""
    from deploy.release.swarm.lock import cluster_locked
    from deploy.release.swarm.records import Records

    with (
        cluster_locked(newest, members, f"giving {behind.spec} the records", app.console),
        app.console.step(f"Give {behind.spec} the records of {newest.spec}") as step,
    ):
        records = Records(newest, members)
        records.give([behind], step)
    if behind.spec in records.left_out:
        app.console.warn(f"{behind.spec}: {records.left_out[behind.spec]}; working through {newest.spec}")
        return newest
    return members.again(behind, behind.site.layout.project)


@contextlib.contextmanager
def data_and_lead(app: App, environment: Environment, given: list[str]) -> Iterator[tuple[Site, Site]]:
    """The node that has the project's data, stores and backups, and the manager that is worked through.

    Both are the manager before the first deploy. Raises DeployError where it is none of the hosts that are known.
    """
    from deploy.release.swarm.change import look

    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        home = home_of(members, lead)
        if home is None:
            node = look(lead.site).data_node(lead.site.layout.project)
            where = (node.hostname, node.address) if node else ("", "")
            raise unknown_node(environment, f"the data of {environment.project} is", *where)
        yield home, lead.site


def home_of(members: Members, lead: Member) -> Site | None:
    """The node with the project's data, the manager itself before the first deploy; None where nobody knows it here."""
    from deploy.release.swarm.change import look

    node = look(lead.site).data_node(lead.site.layout.project)
    if node is None or node.id == lead.node:
        return lead.site
    found = members.node(node)
    return found.site if found else None


def require_home(environment: Environment, members: Members, lead: Member, what: str) -> None:
    """Raises UsageError where the data is on another node than the manager that we work through."""
    if home_of(members, lead) is not lead.site:
        raise UsageError(
            f"{what}: the data of {environment.project} is not on {lead.spec}, which is worked through",
            "it works where a manager has the data, and that one is named first under hosts:, or by --host",
        )


def unknown_node(environment: Environment, what: str, hostname: str, address: str) -> UsageError:
    """The error for what is on a node that we cannot get to."""
    return UsageError(
        f"{what} on node {hostname} ({address}), which is none of the hosts that are known and can be reached",
        f"name it under nodes: in deploy.environments.{environment.name}, as user@{address} for example",
    )


def refuse(environment: Environment, what: str, remedy: str = "leave it out") -> None:
    """Raises UsageError for what has no meaning on a cluster."""
    raise UsageError(f"{what}: '{environment.name}' runs on a cluster (engine: swarm), which has no such thing", remedy)


def refuse_on(environment: Environment, what: str, remedy: str = "it works where engine: is compose") -> None:
    """Raises UsageError for what is not there yet where an environment's engine is a cluster."""
    if environment.engine == Engine.SWARM:
        refuse(environment, what, remedy)
