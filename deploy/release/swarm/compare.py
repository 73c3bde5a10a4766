"""Whether what a plan calls unchanged is: another version of Windlass may render it otherwise."""

from __future__ import annotations

import dataclasses
import json

from deploy.model.facts import Facts, sections_of
from deploy.model.plan import Action, Plan, ServicePlan
from deploy.model.swarm.differing import differing
from deploy.model.swarm.found import Cluster
from deploy.model.swarm.render import Subject, render_app, render_data
from deploy.release.prepare import Prepared
from deploy.release.site import Site
from deploy.release.swarm.stage import mounted_files

REASON = "this version writes it otherwise for a cluster"


def with_rendering(plan: Plan, prepared: Prepared, site: Site, facts: Facts, cluster: Cluster) -> Plan:
    """The plan with services as replaced that would be although nothing of their own has changed; one round trip."""
    kept = {one.name for one in (*plan.services, *plan.data) if one.action == Action.KEEP}
    if facts.live is None or not kept:
        return plan
    told = site.shell.run(site.bare("swarm-documents.sh", str(site.layout.root), facts.live.id)).stdout
    before = {name: text for name, text in sections_of(told).items() if name in {"app", "data"} and text.strip()}
    subject = Subject(
        prepared.stack,
        site.layout,
        prepared.places,
        facts.live.id,
        dict.fromkeys(prepared.stack.services, ""),
        mounted_files(prepared),
        cluster.endpoint,
        cluster.held,
    )
    wanted = {"app": render_app(subject).document, "data": render_data(subject).document}
    other = {name for part, text in before.items() for name in differing(json.loads(text), wanted[part])} & kept

    def told_so(services: tuple[ServicePlan, ...]) -> tuple[ServicePlan, ...]:
        return tuple(
            dataclasses.replace(one, action=Action.REPLACE, reasons=(REASON,)) if one.name in other else one
            for one in services
        )

    if not other:
        return plan
    gap = f"{', '.join(sorted(other))} are started anew although nothing of theirs has changed"
    return dataclasses.replace(plan, services=told_so(plan.services), data=told_so(plan.data), gaps=(*plan.gaps, gap))
