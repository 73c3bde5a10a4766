"""Plans, deploys and rollbacks of an environment whose engine is a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.model.journal import interrupted
from deploy.model.settings import Environment
from deploy.tasks.app import App
from deploy.tasks.plans import show_plan
from deploy.tasks.rollout import Wanted
from deploy.tasks.swarm.reach import changing, chosen, home_of, members_of
from deploy.ui.reports import seen
from deploy.ui.units import count, duration, size

if TYPE_CHECKING:
    from deploy.model.plan import Plan


def plan_for(app: App, environment: Environment, given: list[str]) -> Plan:
    """What a deploy would do."""
    from deploy.release.swarm.checking import plan_swarm

    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        prepared = app.prepare(environment, lead.site, datetime.now(UTC))
        return plan_swarm(prepared, members, lead, app.shell())[0]


def deploy_to(app: App, environment: Environment, given: list[str], wanted: Wanted) -> None:
    """Release to the cluster, from a plan to what is true afterwards."""
    from deploy.release.deploy import obtain_and_build
    from deploy.release.schedule import outdated
    from deploy.release.swarm.checking import plan_swarm
    from deploy.release.swarm.deploy import deploy_swarm

    with changing(app, environment, given) as (members, lead):
        site, spec = lead.site, lead.spec
        app.require_env_file(environment, [site], yes=wanted.yes)
        prepared = app.prepare(environment, site, datetime.now(UTC), rebuild=wanted.rebuild)
        with app.console.step(f"Look at the cluster of {spec}"):
            plan, _ = plan_swarm(prepared, members, lead, app.shell(), no_proof=wanted.no_proof)
        if plan.noop:
            app.console.good(
                f"The cluster of {spec} already runs this as {plan.previous}: nothing to do, nothing restarted."
            )
            for late in outdated((home_of(members, lead) or site).first_look, environment):
                app.console.warn(str(late))
            return
        show_plan(app, plan, app.console.say)
        if app.dry:
            return
        app.console.confirm("Deploy this?", yes=wanted.yes, consequence="this changes what users get")
        obtain_and_build(prepared, plan, app.shell(), app.console, rebuild=wanted.rebuild)
        done = deploy_swarm(prepared, plan, members, lead, app.shell(), app.console)
        for note in done.notes:
            app.console.warn(note)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        app.console.good(
            f"{done.release} is live on the cluster of {spec} after {duration(done.seconds)}{sent}{seen(done.probes)}."
        )
        verbs = f"inv {environment.name}"
        back = f"; {verbs}.rollback goes back to {done.previous}" if done.previous else ""
        back = f"; engine: compose in invoke.yaml and {verbs}.deploy move it back" if plan.moves else back
        app.console.say(f"Next: {verbs}.status{back}.")


def roll_back(app: App, environment: Environment, given: list[str], to: str, *, yes: bool) -> None:
    """Go back to an older release, all services together."""
    from deploy.release.rollback import choose, migrations_since, require_engine, require_schema
    from deploy.release.swarm.change import look
    from deploy.release.swarm.rollback import roll_back_swarm

    with changing(app, environment, given) as (members, lead):
        spec, facts = lead.spec, lead.site.facts()
        broken, own = interrupted(facts.journal), facts.live
        # a change that went on through a manager that is lost now, and of which nobody else knows
        foreign = sorted({one.release for one in look(lead.site).services if one.release} - {*facts.releases})
        # services of both releases are left by a change that was killed: what is live may be gone back to
        unended = broken.release if broken else ", ".join(foreign)
        target = own if unended and own and (not to or to in own.id) else choose(facts, to)
        live = unended or (own.id if own else "")
        require_engine(spec, environment, facts, target)
        app.console.say(f"{spec}: back from {live} to {target.id} ({target.revision}, {target.revision.subject})")
        require_schema(facts, target)
        for migrated in migrations_since(facts, target):
            app.console.warn(f"{migrated} changed the schema, and going back does not change it back")
        if app.dry:
            return
        app.console.confirm("Go back?", yes=yes, consequence="this changes what users get")
        done = roll_back_swarm(environment, members, lead, facts, target, app.shell(), app.console, app.root)
        for note in done.notes:
            app.console.warn(note)
        app.console.good(f"{done.release} is live again after {duration(done.seconds)}{seen(done.probes)}.")
        app.console.say(f"Next: inv {environment.name}.status.")


def prune(app: App, environment: Environment, given: list[str], *, yes: bool) -> None:
    """Remove old releases, and what only they needed in the registry and on the nodes."""
    from deploy.release.swarm.prune import prune_cluster, removable_on_cluster

    with changing(app, environment, given) as (members, lead):
        site, spec = lead.site, lead.spec
        gone = removable_on_cluster(environment, site)
        app.console.say(
            f"{spec}: {', '.join(gone) or 'no release'} to remove, and images that none of the rest runs, in the "
            "cluster's registry and on its nodes"
        )
        if app.dry:
            return
        if gone:
            app.console.confirm("Remove?", yes=yes, consequence="nobody can go back to a release that is removed")
        freed, notes = prune_cluster(environment, members, lead, app.console)
        after = site.facts()
    for note in notes:
        app.console.warn(note)
    for node, freed_bytes in (freed.nodes_bytes if freed else {}).items():
        app.console.note(f"{node}: {size(freed_bytes)} freed")
    if freed and freed.registry_bytes is not None:
        app.console.note(f"the cluster's registry: {size(freed.registry_bytes)} freed")
    kept = count(len(after.releases), "release")
    app.console.good(f"The cluster of {spec} keeps {kept}; {size(after.data_free_bytes)} free on {spec}.")
