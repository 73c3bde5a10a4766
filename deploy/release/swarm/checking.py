"""What a deploy to a cluster would do, and what keeps it from being done. Changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime

from deploy.engine.nginx import nginx_files
from deploy.model.checks import Problem, check_host, require_none
from deploy.model.edge import images as edge_images
from deploy.model.edge import listeners_of
from deploy.model.facts import Facts, parse_mounted
from deploy.model.plan import Plan
from deploy.model.rules.upstreams import stale_upstreams
from deploy.model.swarm import names
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.move import check_entering, enters_cluster, with_entering
from deploy.model.swarm.plan import make_swarm_plan
from deploy.model.swarm.refused import check_cluster, check_sizes, check_swarm
from deploy.model.swarm.render import keeping
from deploy.release.checking import other_majors, proof_problems, wanted_of
from deploy.release.definitions import explained
from deploy.release.edge_files import maintenance_page, tls_for
from deploy.release.prepare import Prepared
from deploy.release.schedule import outdated
from deploy.release.site import Site
from deploy.release.swarm.change import look
from deploy.release.swarm.compare import with_rendering
from deploy.release.swarm.edge import edge_stack
from deploy.release.swarm.members import Member, Members
from deploy.release.swarm.stage import mounted_files
from deploy.shell import LocalShell


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
