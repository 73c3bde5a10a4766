"""A deploy to a cluster: from a plan to services that have been rolled over."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from deploy.engine.nginx import nginx_files
from deploy.model.checks import Problem, check_host, require_none
from deploy.model.edge import IMAGE as EDGE_IMAGE
from deploy.model.edge import listeners_of
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.journal import Entry, Outcome
from deploy.model.kinds import Kind
from deploy.model.plan import Action as PlanAction
from deploy.model.plan import EdgeAction, Plan
from deploy.model.rules.upstreams import stale_upstreams
from deploy.model.stack import Stack
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.refused import check_cluster, check_sizes, check_swarm
from deploy.model.swarm.render import own_networks
from deploy.release.checking import wanted_of
from deploy.release.current import MakeCurrent
from deploy.release.definitions import explained
from deploy.release.deploy import Deployed, purpose, require_unchanged
from deploy.release.edge import WatchFromHere
from deploy.release.lock import locked
from deploy.release.migrate import BackUpBeforeMigrating, CheckMigrations, Migrate, Pending
from deploy.release.prepare import Prepared, whoami
from deploy.release.push import Push
from deploy.release.records import keep_journal
from deploy.release.site import Site
from deploy.release.steps import Action, run_all
from deploy.release.swarm.change import SwarmChange, look
from deploy.release.swarm.compare import with_rendering
from deploy.release.swarm.once import RunJobs
from deploy.release.swarm.prune import PruneCluster
from deploy.release.swarm.registry import Distribute
from deploy.release.swarm.roll import EdgeUp, LastingUp, Roll
from deploy.release.swarm.stage import StageForCluster, mounted_files
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from deploy.ui.reports import seen


def plan_swarm(prepared: Prepared, site: Site, local: LocalShell) -> tuple[Plan, Cluster]:
    """Check a cluster through the manager that leads, and say what a deploy would do. Changes nothing.

    Raises DeployError with every problem found.
    """
    facts, cluster = site.first_look, look(site)
    wanted = wanted_of(prepared, facts, local, [EDGE_IMAGE], None)
    plan = with_rendering(make_swarm_plan(wanted, facts, cluster, site.layout), prepared, site, facts, cluster)
    plan = explained(plan, prepared, site, facts)
    problems = (
        *check_host(
            _without_edge(facts, cluster, prepared, site),
            prepared.record,
            site.layout,
            architecture=prepared.platform.partition("/")[2].partition("/")[0],
            incoming_bytes=plan.push_bytes,
            now=datetime.now(UTC),
        ),
        *check_cluster(cluster, facts, prepared.stack, site.layout.project),
        *check_swarm(prepared.stack, prepared.places, prepared.environment),
        *check_sizes(mounted_files(prepared)),
        *_stale(prepared, cluster),
    )
    notes = require_none(problems, site.shell.name, prepared.lines.locate)
    return dataclasses.replace(plan, warnings=plan.warnings + notes), cluster


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


def deploy_swarm(prepared: Prepared, plan: Plan, site: Site, local: LocalShell, console: Console) -> Deployed:
    """Carry out a plan. Raises DeployError when it cannot be; every service is then as the release before had it."""
    began = time.monotonic()
    with locked(site, purpose(plan), datetime.now(UTC), console) as hold:
        require_unchanged(hold.facts, plan)
        change = SwarmChange(site, prepared.environment, hold.facts, prepared.record, cluster=look(site))
        entry = Entry(
            at=datetime.now(UTC),
            outcome=Outcome.STARTED,
            release=prepared.record.id,
            by=whoami(),
            revision=str(prepared.record.revision),
            previous=plan.previous,
        )
        with told_what_came_of(change), keep_journal(hold, entry, change) as seconds:
            carry_out(_actions(prepared, plan, change, local), change, console, seconds)
    return Deployed(
        plan.release, plan.previous, time.monotonic() - began, change.bytes_sent, change.probes, tuple(change.notes)
    )


@contextlib.contextmanager
def told_what_came_of(change: SwarmChange) -> Iterator[None]:
    """Let an error of the block say what users get now, where a rolling update had begun."""
    try:
        yield
    except DeployError as error:
        if not change.rolling:
            raise
        before = change.previous.id if change.previous else ""
        gone = f"every service is as {before} had it again" if before else "none of its services is left"
        now = gone if change.returned else f"not all of it went back to {before or 'nothing'}: inv ENVIRONMENT.status"
        raise DeployError(f"{error.message}; {now}", error.remedy, details=error.details, code=error.code) from error


def carry_out(actions: Sequence[Action], change: SwarmChange, console: Console, seconds: dict[str, float]) -> None:
    """Run the steps that can be taken back, then those after the point of no return, which can only be told of."""
    try:
        seconds.update(run_all(actions, console, before_undo=change.site.raise_fence))
        change.stands = True
        try:
            seconds.update(run_all([PruneCluster(change)], console))
        except DeployError as error:
            change.notes.append(f"old releases were not removed: {error.message}; the next deploy does it again")
    except KeyboardInterrupt:
        if change.stands:
            change.stop_watching()
            console.warn(f"{change.record.id} is live{seen(change.probes)}; the next deploy removes what is old")
        raise
    finally:
        change.stop_watching()


def _actions(prepared: Prepared, plan: Plan, change: SwarmChange, local: LocalShell) -> Sequence[Action]:
    pending, migrating = Pending(), plan.migrate
    found = [name for name in migrating if "migrate" in prepared.stack.services[name].options.found]
    return [
        Push(change, plan.push, local),
        Distribute(change),
        MakeOverlays(change, prepared.stack),
        StageForCluster(change, prepared, plan),
        *([LastingUp(change)] if any(one.action != PlanAction.KEEP for one in plan.data) else []),
        *([CheckMigrations(change, migrating, pending)] if migrating else []),
        *([BackUpBeforeMigrating(change, pending), Migrate(change, pending, found)] if migrating else []),
        *([RunJobs(change)] if change.jobs else []),
        WatchFromHere(change),
        Roll(change, needs_of(prepared.stack)),
        *([EdgeUp(change)] if plan.edge != EdgeAction.NONE or _edge_goes(change) else []),
        MakeCurrent(change),
    ]


def _edge_goes(change: SwarmChange) -> bool:
    """Whether there is an edge that the release has no port for."""
    edge = change.cluster.service(names.edge_stack(change.site.layout.project), "edge")
    return edge is not None and not change.record.public


def needs_of(stack: Stack) -> Mapping[str, frozenset[str]]:
    """For each service that rolls, those of the others that it depends on."""
    rolling = {one.name for one in stack.app if one.kind != Kind.JOB}
    return {
        name: frozenset(one for one in stack.services[name].definition.get("depends_on") or () if one in rolling)
        for name in rolling
    }


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
