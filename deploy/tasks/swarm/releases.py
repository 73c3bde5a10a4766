"""Plans, deploys and rollbacks of an environment whose engine is a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.model.journal import interrupted
from deploy.model.settings import Environment
from deploy.tasks.app import App
from deploy.tasks.plans import show_plan
from deploy.tasks.rollout import Wanted
from deploy.tasks.swarm.reach import manager
from deploy.ui.reports import seen
from deploy.ui.units import duration, size

if TYPE_CHECKING:
    from deploy.model.plan import Plan


def plan_for(app: App, environment: Environment, given: list[str]) -> Plan:
    """What a deploy would do."""
    from deploy.release.swarm.deploy import plan_swarm

    with manager(app, environment, given) as (site, _):
        prepared = app.prepare(environment, site, datetime.now(UTC))
        return plan_swarm(prepared, site, app.shell())[0]


def deploy_to(app: App, environment: Environment, given: list[str], wanted: Wanted) -> None:
    """Release to the cluster, from a plan to what is true afterwards."""
    from deploy.release.deploy import obtain_and_build
    from deploy.release.schedule import outdated
    from deploy.release.swarm.deploy import deploy_swarm, plan_swarm

    with manager(app, environment, given) as (site, spec):
        app.require_env_file(environment, [site], yes=wanted.yes)
        prepared = app.prepare(environment, site, datetime.now(UTC), rebuild=wanted.rebuild)
        with app.console.step(f"Look at the cluster of {spec}"):
            plan, _ = plan_swarm(prepared, site, app.shell(), no_proof=wanted.no_proof)
        if plan.noop:
            app.console.good(
                f"The cluster of {spec} already runs this as {plan.previous}: nothing to do, nothing restarted."
            )
            for late in outdated(site.first_look, environment):
                app.console.warn(str(late))
            return
        show_plan(app, plan, app.console.say)
        if app.dry:
            return
        app.console.confirm("Deploy this?", yes=wanted.yes, consequence="this changes what users get")
        obtain_and_build(prepared, plan, app.shell(), app.console, rebuild=wanted.rebuild)
        done = deploy_swarm(prepared, plan, site, app.shell(), app.console)
        for note in done.notes:
            app.console.warn(note)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        app.console.good(
            f"{done.release} is live on the cluster of {spec} after {duration(done.seconds)}{sent}{seen(done.probes)}."
        )
        verbs = f"inv {environment.name}"
        back = f"; {verbs}.rollback goes back to {done.previous}" if done.previous else ""
        app.console.say(f"Next: {verbs}.status{back}.")


def roll_back(app: App, environment: Environment, given: list[str], to: str, *, yes: bool) -> None:
    """Go back to an older release, all services together."""
    from deploy.release.rollback import choose, migrations_since, require_schema
    from deploy.release.swarm.rollback import roll_back_swarm

    with manager(app, environment, given) as (site, spec):
        facts = site.facts()
        broken, own = interrupted(facts.journal), facts.live
        # services of both releases are left by a change that was killed: what is live may be gone back to
        target = own if broken and own and (not to or to in own.id) else choose(facts, to)
        live = broken.release if broken else own.id if own else ""
        app.console.say(f"{spec}: back from {live} to {target.id} ({target.revision}, {target.revision.subject})")
        require_schema(facts, target)
        for migrated in migrations_since(facts, target):
            app.console.warn(f"{migrated} changed the schema, and going back does not change it back")
        if app.dry:
            return
        app.console.confirm("Go back?", yes=yes, consequence="this changes what users get")
        done = roll_back_swarm(environment, site, facts, target, app.console)
        for note in done.notes:
            app.console.warn(note)
        app.console.good(f"{done.release} is live again after {duration(done.seconds)}{seen(done.probes)}.")
        app.console.say(f"Next: inv {environment.name}.status.")
