"""A deploy to a cluster: from a plan to services that have been rolled over."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from deploy.engine.nginx import nginx_files
from deploy.model.backup import Label
from deploy.model.checks import Problem, check_host, require_none
from deploy.model.edge import images as edge_images
from deploy.model.edge import listeners_of
from deploy.model.errors import DeployError
from deploy.model.facts import Facts, parse_mounted
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plan import Action as PlanAction
from deploy.model.plan import Plan
from deploy.model.rules.upstreams import stale_upstreams
from deploy.model.stack import Stack
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.move import by_compose, check_entering, enters_cluster, with_entering
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.refused import check_cluster, check_sizes, check_swarm
from deploy.model.swarm.render import keeping, own_networks
from deploy.release.by_hand import BackUpFirst
from deploy.release.change import told_of_move
from deploy.release.checking import other_majors, proof_problems, wanted_of
from deploy.release.current import MakeCurrent
from deploy.release.definitions import explained
from deploy.release.deploy import Deployed, encrypts, purpose, require_unchanged
from deploy.release.edge import WatchFromHere
from deploy.release.edge_files import maintenance_page, tls_for
from deploy.release.lock import Hold, locked
from deploy.release.migrate import BackUpBeforeMigrating, CheckMigrations, Migrate, Pending
from deploy.release.prepare import Prepared, whoami
from deploy.release.push import Push
from deploy.release.records import keep_journal
from deploy.release.rehearse import Rehearse
from deploy.release.schedule import outdated
from deploy.release.site import Site
from deploy.release.steps import Action, run_all
from deploy.release.swarm.change import Keeper, SwarmChange, look
from deploy.release.swarm.compare import with_rendering
from deploy.release.swarm.edge import EdgeUp, edge_stack
from deploy.release.swarm.enter import EndCompose, Lend, NoteData, RollBeside, TakeData, TakePorts, TakeWorkers
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.release.swarm.once import FetchOnce, RunJobs
from deploy.release.swarm.prune import PruneCluster
from deploy.release.swarm.records import Records, records_kept
from deploy.release.swarm.registry import Distribute, MoveRegistry, have_registry_image
from deploy.release.swarm.roll import LastingUp, Roll
from deploy.release.swarm.stage import StageForCluster, mounted_files
from deploy.release.tools import bring_age
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.reports import seen


def plan_swarm(
    prepared: Prepared, members: Members, lead: Member, local: LocalShell, *, no_proof: str = ""
) -> tuple[Plan, Cluster]:
    """Check a cluster through the manager that leads, and say what a deploy would do. Changes nothing.

    `no_proof` is why there need be no backup that was proved lately.
    Raises DeployError with every problem found.
    """
    site = lead.site
    facts, cluster = site.first_look, look(site)
    tls = tls_for(prepared.environment, prepared.record)
    maintenance_page(prepared.environment)  # what cannot be shown is better known now
    wanted = wanted_of(prepared, facts, local, edge_images(tls), tls)
    definition = edge_stack(site, prepared.record, tls, cluster.endpoint).definition()
    plan = make_swarm_plan(wanted, facts, cluster, site.layout, definition, lead.node)
    plan = with_rendering(plan, prepared, site, facts, cluster)
    entering = enters_cluster(facts, site.layout)
    plan = with_entering(plan, prepared.record, facts) if entering else plan
    plan = explained(plan, prepared, site, facts)
    keeper = keeper_of(prepared, members, lead, cluster)
    home = keeper.site if keeper else site
    problems = (
        *check_host(
            _without_edge(facts, cluster, prepared, site),
            prepared.record,
            site.layout,
            architecture=prepared.platform.partition("/")[2].partition("/")[0],
            incoming_bytes=plan.push_bytes,
            now=datetime.now(UTC),
            tls=tls,
        ),
        *check_cluster(cluster, facts, prepared.stack, site.layout.project),
        *check_keeper(prepared, cluster, keeper, lead),
        *(_entering_problems(prepared, lead, facts, cluster) if entering else ()),
        *check_swarm(prepared.stack, prepared.places, prepared.environment),
        *check_sizes(mounted_files(prepared)),
        *proof_problems(prepared, plan, home, anyway=bool(no_proof)),
        *other_majors(prepared, plan, home, local),
        *outdated(home.first_look, prepared.environment),
        *_stale(prepared, cluster),
    )
    notes = require_none(problems, site.shell.name, prepared.lines.locate)
    return dataclasses.replace(plan, warnings=plan.warnings + notes, unproved=no_proof), cluster


def _entering_problems(prepared: Prepared, lead: Member, facts: Facts, cluster: Cluster) -> Iterator[Problem]:
    """What keeps the project from moving here; a round trip."""
    site = lead.site
    mounted = parse_mounted(site.shell.run(site.bare("swarm-mounts.sh", site.layout.data_project)).stdout)
    yield from check_entering(facts, cluster, prepared.stack, site.layout, lead.node, mounted)


def _stale(prepared: Prepared, cluster: Cluster) -> Iterator[Problem]:
    """Where nginx would go on asking containers that are gone, on nodes whose services have no address that stays."""
    if cluster.ip_vs:
        return
    for one in stale_upstreams(prepared.stack, nginx_files(prepared.stack, prepared.root)):
        own = prepared.stack.services[one.service].options.allow.get(one.rule)
        yield dataclasses.replace(one, allowed=own or prepared.environment.allow.get(one.rule, ""))


def _without_edge(facts: Facts, cluster: Cluster, prepared: Prepared, site: Site) -> Facts:
    """What was found, without the ports that the cluster's own edge holds."""
    if cluster.service(names.edge_stack(site.layout.project), "edge") is None:
        return facts
    held = {one.port.published for one in listeners_of(facts.live or prepared.record)}
    return dataclasses.replace(facts, listening=facts.listening - held)


def deploy_swarm(
    prepared: Prepared,
    plan: Plan,
    members: Members,
    lead: Member,
    local: LocalShell,
    console: Console,
    *,
    under: Hold | None = None,
    rotates: str = "",
    before_return: Callable[[], None] = lambda: None,
) -> Deployed:
    """Carry out a plan, under a lock of the cluster that is held already or one of its own.

    `rotates` is for the journal; `before_return` is done before services go back to the release before. Raises
    DeployError when the plan cannot be carried out; every service is then as the release before had it.
    """
    began = time.monotonic()
    site = lead.site
    have_registry_image(local, console, prepared.root, look(site))
    with contextlib.ExitStack() as held:
        hold = under or held.enter_context(cluster_locked(lead, members, purpose(plan), console))
        require_unchanged(hold.facts, plan)
        change = SwarmChange(
            site,
            prepared.environment,
            hold.facts,
            prepared.record,
            cluster=look(site),
            before_return=before_return,
        )
        change.keeping = keeping(prepared.stack, prepared.places)
        if keeper := keeper_of(prepared, members, lead, change.cluster):
            there = held.enter_context(locked(keeper.site, purpose(plan), datetime.now(UTC), console))
            change.keeper = Keeper(keeper.site, there.facts)
        if encrypts(prepared, plan):
            bring_age(change.data_site, local, console, prepared.root)
        records = Records(lead, members, change.cluster.data_node(site.layout.project))
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=prepared.record.id,
            by=whoami(),
            revision=str(prepared.record.revision),
            previous=plan.previous,
            unproved=plan.unproved,
            rotated=rotates,
        )
        following = records_kept(records, prepared.record.id, change.notes, console)
        with told_what_came_of(change), told_of_move(change), following, keep_journal(hold, entry, change) as seconds:
            carry_out(_actions(prepared, plan, change, records, lead, local), change, console, seconds)
    return Deployed(
        plan.release, plan.previous, time.monotonic() - began, change.bytes_sent, change.probes, tuple(change.notes)
    )


@contextlib.contextmanager
def told_what_came_of(change: SwarmChange) -> Iterator[None]:
    """Let an error of the block say what users get now, where a rolling update had begun."""
    try:
        yield
    except DeployError as error:
        if change.entering or not change.rolling:
            raise
        before = change.previous.id if change.previous else ""
        gone = f"every service is as {before} had it again" if before else "none of its services is left"
        now = gone if change.returned else f"not all of it went back to {before or 'nothing'}: inv ENVIRONMENT.status"
        raise DeployError(f"{error.message}; {now}", error.remedy, details=error.details, code=error.code) from error


def carry_out(actions: Sequence[Action], change: SwarmChange, console: Console, seconds: dict[str, float]) -> None:
    """Run the steps that can be taken back, then those after the point of no return, which can only be told of."""
    try:
        seconds.update(run_all(actions, console, before_undo=change.raise_fences))
        change.stands = True
        left = by_compose(change.facts, change.site.layout)
        for action in (*([EndCompose(change)] if left else []), PruneCluster(change)):
            try:
                seconds.update(run_all([action], console))
            except DeployError as error:
                change.notes.append(f"'{action.title}' failed: {error.message}; the next deploy does it again")
    except KeyboardInterrupt:
        if change.stands:
            change.stop_watching()
            console.warn(f"{change.record.id} is live{seen(change.probes)}; the next deploy removes what is old")
        raise
    finally:
        change.stop_watching()


def _actions(
    prepared: Prepared, plan: Plan, change: SwarmChange, records: Records, lead: Member, local: LocalShell
) -> Sequence[Action]:
    pending, migrating = Pending(), plan.migrate
    found = [name for name in migrating if "migrate" in prepared.stack.services[name].options.found]
    lasting = [LastingUp(change)] if any(one.action != PlanAction.KEEP for one in plan.data) else []
    backup = BackUpFirst(change, change.site.layout.data_project, Label.PRE_MOVE, "before the move")
    return [
        *([MoveRegistry(change, local, lead.membership)] if change.cluster.registry_away else []),
        Push(change, plan.push, local),
        *([Rehearse(change, prepared, migrating, found=found)] if prepared.environment.rehearse else []),
        Distribute(change),
        MakeOverlays(change, prepared.stack),
        StageForCluster(change, prepared, plan),
        *([] if records.alone else [ShareRelease(change, records)]),
        *([FetchOnce(change, once)] if change.keeper and (once := [*migrating, *change.jobs]) else []),
        *([Lend(change), backup] if change.entering else lasting),
        *([CheckMigrations(change, migrating, pending)] if migrating else []),
        *([BackUpBeforeMigrating(change, pending), Migrate(change, pending, found)] if migrating else []),
        *([RunJobs(change)] if change.jobs else []),
        *(_entering if change.entering else _rolling)(change, needs_of(prepared.stack)),
        MakeCurrent(change),
    ]


def _rolling(change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> Sequence[Action]:
    return [WatchFromHere(change), Roll(change, needs), *([EdgeUp(change)] if has_edge(change) else [])]


def _entering(change: SwarmChange, needs: Mapping[str, frozenset[str]]) -> Sequence[Action]:
    data = [TakeData(change)] if change.data or change.facts.data else []
    notes = [NoteData(change)] if data else []
    return [
        RollBeside(change, needs),
        WatchFromHere(change),
        *data,
        TakePorts(change),
        TakeWorkers(change, needs),
        *notes,
    ]


def has_edge(change: SwarmChange) -> bool:
    """Whether the release is to have an edge, or there is one that it has no port for."""
    there = change.cluster.service(names.edge_stack(change.site.layout.project), "edge")
    return there is not None or bool(change.record.public)


def needs_of(stack: Stack) -> Mapping[str, frozenset[str]]:
    """For each service that rolls, those of the others that it depends on."""
    rolling = {one.name for one in stack.app if one.kind != Kind.JOB}
    return {
        name: frozenset(one for one in stack.services[name].definition.get("depends_on") or () if one in rolling)
        for name in rolling
    }


def keeper_of(prepared: Prepared, members: Members, lead: Member, cluster: Cluster) -> Member | None:
    """The node with the data, connected, where it is another than the one that is worked through and is needed."""
    node = cluster.data_node(lead.site.layout.project)
    if node is None or node.id == lead.node or not keeping(prepared.stack, prepared.places):
        return None
    return members.node(node)


def check_keeper(prepared: Prepared, cluster: Cluster, keeper: Member | None, lead: Member) -> Iterator[Problem]:
    """That somebody can make volumes, back up and migrate where the data is."""
    project = lead.site.layout.project
    node = cluster.data_node(project)
    if node and node.works and node.id != lead.node and keeper is None and keeping(prepared.stack, prepared.places):
        yield Problem(
            f"the data of {project} is on node {node.hostname} ({node.address}), which is none of the hosts that are "
            "known and can be reached",
            f"name it under hosts: or nodes: in deploy.environments.{prepared.environment.name}",
        )
    if keeper and prepared.environment.rehearse:
        yield Problem(
            f"the data of {project} is on {keeper.spec}, and migrations are rehearsed where the manager that is worked "
            "through has it",
            "leave rehearse out",
        )


class ShareRelease(Action):
    """Lets the other managers, and the node with the data, know the release before anybody gets it.

    A manager that is lost half-way leaves others that know what it was at.
    """

    title = "Give the release to the other managers"

    def __init__(self, change: SwarmChange, records: Records) -> None:
        self._change = change
        self._records = records

    def run(self, step: Step) -> None:
        self._records.share(step)
        keeper = self._change.keeper
        if keeper and (why := self._records.left_out.get(keeper.site.shell.name)):
            raise DeployError(
                f"{keeper.site.shell.name} keeps the data, and did not get the release: {why}", "try again"
            )


class MakeOverlays(Action):
    """Makes the project's networks, which reach over all nodes, and chooses the node that keeps its data."""

    title = "Make the project's networks"

    def __init__(self, change: SwarmChange, stack: Stack) -> None:
        self._change = change
        self._stack = stack

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        project = site.layout.project
        label = "" if change.cluster.data_node(project) else names.data_label(project)
        words = [word for triple in _networks(self._stack, project) for word in triple]
        site.run("swarm-networks.sh", label, *words, on_line=step.show)
        node = look(site).data_node(project)
        step.result = f"data on {node.hostname}" if node else ""


def _networks(stack: Stack, project: str) -> Iterator[tuple[str, str, str]]:
    for name, raw in own_networks(stack, project).items():
        options = ",".join(f"{key}={value}" for key, value in (raw.get("driver_opts") or {}).items())
        yield name, "yes" if raw.get("internal") else "no", options
