"""The tasks that change what runs on an environment's hosts: plan, deploy, rollback, prune, lock, unlock."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from invoke.tasks import Task

from deploy.model.errors import UsageError
from deploy.model.plan import Plan
from deploy.model.settings import Engine
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, message_of, task, whole
from deploy.ui.reports import seen
from deploy.ui.units import count, duration, size

SKIP_HELP = "leave out hosts that cannot be connected to"


def release_tasks(name: str) -> tuple[Task[Any], ...]:  # noqa: C901, PLR0915  # one short task after the other
    """For one environment, whose name they share."""

    @task(dry=True, iterable=("host",), help={"host": HOST_HELP, "skip-unreachable": SKIP_HELP, "json": JSON_HELP})
    def plan(app: App, host: list[str], skip_unreachable: bool = False, json: bool = False) -> None:
        """Show what a deploy would do to each host, and why. Changes nothing.

        Example: inv prod.plan --host deploy@app1.example.com
        """
        from deploy.tasks.plans import show_plans
        from deploy.tasks.rollout import plans_for

        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            plans: Sequence[Plan] = [swarm.plan_for(app, environment, host)]
        else:
            plans = plans_for(app, environment, app.hosts(environment, host), skip=skip_unreachable)
        if json:
            app.console.json([one.to_json() for one in plans])
            return
        show_plans(app, plans, app.console.data)
        app.console.say(f"Next: inv {name}.deploy carries this out.")

    @task(
        dry=True,
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "yes": YES_HELP,
            "rebuild": "build every image anew, from newer base images too",
            "wave": "hosts that go together, as 1,50%: the last repeats; else the setting, or one and then all",
            "parallel": "how many hosts of a wave are worked on at the same time; else the setting",
            "on-failure": "when a host of a wave fails: return (the wave goes back, the default), stop or continue",
            "rehearse": "first run pending migrations on a copy of the data, stop where they fail; else the setting",
            "unrehearsed": "leave out the rehearsal that the setting asks for",
            "skip-unreachable": SKIP_HELP,
            "no-proof": "go on without a backup that was proved lately (deploy_needs_proof_h), for a reason to be kept",
        },
    )
    def deploy(
        app: App,
        host: list[str],
        yes: bool = False,
        rebuild: bool = False,
        wave: str = "",
        parallel: str = "",
        on_failure: str = "return",
        *,
        rehearse: bool = False,
        unrehearsed: bool = False,
        skip_unreachable: bool = False,
        no_proof: str = "",
    ) -> None:
        """Release the stack to each host: build, push, migrate, start beside the live release, switch, drain.

        Shows the plan first and asks. Users lose no request; a release that fails its health checks changes nothing for
        them. Several hosts go in waves. Where `engine` is another than the one that serves, it moves the project there,
        its data included. Example: inv prod.deploy --host deploy@app1.example.com
        """
        from deploy.tasks.rollout import Wanted, deploy_to

        if rehearse and unrehearsed:
            raise UsageError("--rehearse and --unrehearsed are against each other", "leave one of them out")
        environment = app.settings.environment(name)
        rehearses = (environment.rehearse or rehearse) and not unrehearsed
        environment = dataclasses.replace(environment, rehearse=rehearses)
        wanted = Wanted.of(
            environment,
            yes=yes,
            rebuild=rebuild,
            wave=wave,
            parallel=parallel,
            on_failure=on_failure,
            skip=skip_unreachable,
            no_proof=no_proof,
        )
        if not app.dry:
            app.require_engine(yes=yes)
        if environment.engine == Engine.SWARM:
            meaningless = {
                "--wave": wave,
                "--parallel": parallel,
                "--on-failure": on_failure != "return",
                "--skip-unreachable": skip_unreachable,
            }
            for option in (name for name, given in meaningless.items() if given):
                swarm.refuse(environment, option)
            swarm.deploy_to(app, environment, host, wanted)
            return
        deploy_to(app, environment, app.hosts(environment, host), wanted)

    @task(
        dry=True,
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "yes": YES_HELP,
            "to": "the release to go back to, or a part of its id",
            "reverse-migrations": "take back what newer releases have migrated, with their image, after a backup",
        },
    )
    def rollback(app: App, host: list[str], to: str = "", reverse_migrations: bool = False, yes: bool = False) -> None:
        """Go back to the release that served before, or to the one named with --to.

        Code, environment and configuration go back; the schema only with --reverse-migrations, where Django or Alembic
        can take its migrations back. Example: inv prod.rollback --host app1
        """
        from deploy.release.rollback import choose, migrations_since, require_engine, require_schema, roll_back

        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            if reverse_migrations:
                swarm.refuse(environment, "--reverse-migrations")
            swarm.roll_back(app, environment, host, to, yes=yes)
            return
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                target = choose(facts, to)
                require_engine(spec, environment, facts, target)
                live = facts.live.id if facts.live else ""
                app.console.say(
                    f"{spec}: back from {live} to {target.id} ({target.revision}, {target.revision.subject})"
                )
                require_schema(facts, target)
                for migrated in migrations_since(facts, target):
                    app.console.warn(
                        f"{migrated} changed the schema, and "
                        + ("that is taken back first" if reverse_migrations else "going back does not change it back")
                    )
                if app.dry:
                    continue
                app.console.confirm("Go back?", yes=yes, consequence="this changes what users get")
                done = roll_back(environment, site, facts, target, app.console, reverse=reverse_migrations)
                for note in done.notes:
                    app.console.warn(note)
                app.console.good(
                    f"{done.release} is live on {spec} again after {duration(done.seconds)}{seen(done.probes)}."
                )
                app.console.say(f"Next: inv {name}.status --host {spec}.")

    @task(iterable=("host",), help={"host": HOST_HELP, "message": "why, for whoever is kept out"})
    def lock(app: App, host: list[str], message: str = "") -> None:
        """Keep deploys and rollbacks off each host until `unlock`, whoever begins them and from wherever.

        Example: inv prod.lock --message "payment run until 18:00" --host app1
        """
        from deploy.release.lock import freeze

        message = message_of(message)
        if not message:
            raise UsageError("whoever is kept out will want to know why", 'add --message "payment run until 18:00"')
        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            spec = swarm.freeze_cluster(app, environment, host, message)
            app.console.good(f"the cluster of {spec} takes no deploy and no rollback: {message}")
        else:
            for spec in app.hosts(environment, host):
                with app.site(environment, spec) as site:
                    freeze(site, message, datetime.now(UTC))
                app.console.good(f"{spec} takes no deploy and no rollback: {message}")
        app.console.say(f"Next: inv {name}.unlock lets them in again.")

    @task(iterable=("host",), help={"host": HOST_HELP})
    def unlock(app: App, host: list[str]) -> None:
        """Let deploys and rollbacks in again after `lock`.

        A lock that a deploy holds is none of this: it ends with that deploy. Example: inv prod.unlock --host app1
        """
        from deploy.release.lock import thaw

        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            spec, frozen = swarm.thaw_cluster(app, environment, host)
            was = f"was locked by {frozen['by']}: {frozen['message']}" if frozen else "was not locked"
            app.console.good(f"the cluster of {spec} takes deploys; it {was}.")
            return
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                frozen = site.facts().frozen
                if frozen:
                    thaw(site)
            was = f"was locked by {frozen['by']}: {frozen['message']}" if frozen else "was not locked"
            app.console.good(f"{spec} takes deploys; it {was}.")

    @task(
        dry=True,
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "keep": "how many releases stay, the live one included; else the setting",
            "yes": YES_HELP,
        },
    )
    def prune(app: App, host: list[str], keep: str = "", yes: bool = False) -> None:
        """Remove the releases that nobody will go back to, with their images, as every deploy does at its end.

        Example: inv prod.prune --keep 2 --host app1
        """
        from deploy.release.prune import prune as remove
        from deploy.release.prune import removable

        environment = app.settings.environment(name)
        if keep:
            environment = dataclasses.replace(environment, keep=whole(keep, "--keep", "releases", least=1))
        if environment.engine == Engine.SWARM:
            swarm.prune(app, environment, host, yes=yes)
            return
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                gone = removable(environment, site)
                app.console.say(
                    f"{spec}: {', '.join(gone) or 'no release'} to remove, and images that none of the rest runs"
                )
                if app.dry:
                    continue
                if gone:
                    app.console.confirm(
                        "Remove?", yes=yes, consequence="nobody can go back to a release that is removed"
                    )
                before = site.facts().data_free_bytes
                remove(environment, site, app.console)
                after = site.facts()
            freed = max(after.data_free_bytes - before, 0)
            kept = count(len(after.releases), "release")
            app.console.good(f"{spec} keeps {kept}; {size(freed)} freed, {size(after.data_free_bytes)} free.")

    @task(
        dry=True,
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "to-compose": "as one plain compose project, in a folder of the host, that runs without Windlass",
            "yes": YES_HELP,
        },
    )
    def release(app: App, host: list[str], to_compose: bool = False, yes: bool = False) -> None:
        """Let go of what runs: the live release goes on as a plain compose project. A deploy takes it over again.

        Nobody is answered while it starts. Example: inv prod.release --to-compose --host app1
        """
        from deploy.release.hand_back import hand_back, require_live

        if not to_compose:
            raise UsageError(
                f"{name}.release lets go of what runs there", f"say as what: inv {name}.release --to-compose"
            )
        environment = app.settings.environment(name)
        swarm.refuse_on(environment, f"{name}.release --to-compose")
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                live = require_live(site.facts())
                app.console.say(f"{spec}: {live.id} becomes a compose project in {site.layout.plain}")
                if app.dry:
                    continue
                app.console.confirm(
                    "Hand it back?", yes=yes, consequence="nobody is answered while it starts, and https ends"
                )
                done = hand_back(site, app.console)
            app.console.good(
                f"{spec} runs {live.id} as the compose project {site.layout.project}, without Windlass; nobody was "
                f"answered for {done.gap_s:.1f} s."
            )
            app.console.say(
                f"Next: cd {done.folder} && docker compose ps on {spec}; inv {name}.deploy takes it over again."
            )

    return deploy, lock, plan, prune, release, rollback, unlock
