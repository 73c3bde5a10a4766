"""The tasks that change what runs on an environment's hosts: plan, deploy, rollback, prune, lock, unlock."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from invoke.tasks import Task

from deploy.model.errors import DeployError, UsageError
from deploy.model.plan import Plan
from deploy.model.settings import Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.ui.reports import plan_lines, seen
from deploy.ui.units import count, duration, size


def release_tasks(name: str) -> tuple[Task[Any], ...]:  # noqa: C901, PLR0915  # one short task after the other
    """For one environment, whose name they share."""

    @task(dry=True, iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def plan(app: App, host: list[str], json: bool = False) -> None:
        """Show what a deploy would do to each host, and why. Changes nothing.

        Example: inv prod.plan --host deploy@app1.example.com
        """
        from deploy.release.deploy import plan_deploy

        environment = app.settings.environment(name)
        now = datetime.now(UTC)
        plans = []
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                prepared = app.prepare(environment, site, now)
                plans.append(plan_deploy(prepared, site, app.shell())[0])
        if json:
            app.console.json([one.to_json() for one in plans])
            return
        for one in plans:
            _show_plan(app, one, app.console.data)
        app.console.say(f"Next: inv {name}.deploy carries this out.")

    @task(
        dry=True,
        iterable=("host",),
        help={"host": HOST_HELP, "yes": YES_HELP, "rebuild": "build every image anew, from newer base images too"},
    )
    def deploy(app: App, host: list[str], yes: bool = False, rebuild: bool = False) -> None:
        """Release the stack to each host: build, push, migrate, start beside the live release, switch, drain.

        Shows the plan first and asks. Users lose no request; a release that fails its health checks changes nothing for
        them. Example: inv prod.deploy --host deploy@app1.example.com
        """
        if not app.dry:
            app.require_engine(yes=yes)
        environment = app.settings.environment(name)
        now = datetime.now(UTC)
        waiting = list(app.hosts(environment, host))
        ended: list[str] = []
        while waiting:
            spec = waiting.pop(0)
            try:
                _deploy_to(app, environment, spec, now, yes=yes, rebuild=rebuild)
            except DeployError:
                if ended or waiting:
                    app.console.warn(
                        f"done: {', '.join(ended) or 'none'}; failed: {spec}; not begun: {', '.join(waiting) or 'none'}"
                    )
                raise
            ended.append(spec)

    @task(
        dry=True,
        iterable=("host",),
        help={"host": HOST_HELP, "yes": YES_HELP, "to": "the release to go back to, or a part of its id"},
    )
    def rollback(app: App, host: list[str], to: str = "", yes: bool = False) -> None:
        """Go back to the release that served before, or to the one named with --to.

        Code, environment and configuration go back; the database does not. Example: inv prod.rollback --host app1
        """
        from deploy.release.rollback import choose, migrations_since, roll_back

        environment = app.settings.environment(name)
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                target = choose(facts, to)
                live = facts.live.id if facts.live else ""
                app.console.say(
                    f"{spec}: back from {live} to {target.id} ({target.revision}, {target.revision.subject})"
                )
                for migrated in migrations_since(facts, target):
                    app.console.warn(f"{migrated} changed the schema, and going back does not change it back")
                if app.dry:
                    continue
                app.console.confirm("Go back?", yes=yes, consequence="this changes what users get")
                done = roll_back(environment, site, facts, target, app.console)
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

        if not message.strip():
            raise UsageError("whoever is kept out will want to know why", 'add --message "payment run until 18:00"')
        environment = app.settings.environment(name)
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                freeze(site, message.strip(), datetime.now(UTC))
            app.console.good(f"{spec} takes no deploy and no rollback: {message.strip()}")
        app.console.say(f"Next: inv {name}.unlock lets them in again.")

    @task(iterable=("host",), help={"host": HOST_HELP})
    def unlock(app: App, host: list[str]) -> None:
        """Let deploys and rollbacks in again after `lock`.

        A lock that a deploy holds is none of this: it ends with that deploy. Example: inv prod.unlock --host app1
        """
        from deploy.release.lock import thaw

        environment = app.settings.environment(name)
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
    def prune(app: App, host: list[str], keep: int = 0, yes: bool = False) -> None:
        """Remove the releases that nobody will go back to, with their images, as every deploy does at its end.

        Example: inv prod.prune --keep 2 --host app1
        """
        from deploy.release.prune import prune as remove
        from deploy.release.prune import removable

        if keep < 0:
            raise UsageError(f"--keep {keep}: at least the live release stays", "add --keep 1 or more")
        environment = app.settings.environment(name)
        environment = dataclasses.replace(environment, keep=keep or environment.keep)
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

    return deploy, lock, plan, prune, rollback, unlock


def _deploy_to(app: App, environment: Environment, spec: str, now: datetime, *, yes: bool, rebuild: bool) -> None:
    """One host of a deploy, from its plan to what is true afterwards."""
    from deploy.release.deploy import deploy, finish, obtain_and_build, plan_deploy

    with app.site(environment, spec, make_sandbox=not app.dry) as site:
        app.require_env_file(environment, site, yes=yes)
        prepared = app.prepare(environment, site, now, rebuild=rebuild)
        with app.console.step(f"Look at {spec}"):
            plan, _ = plan_deploy(prepared, site, app.shell())
        if plan.noop:
            app.console.good(f"{spec} already runs this as {plan.previous}: nothing to do, nothing restarted.")
            return
        _show_plan(app, plan, app.console.say)
        if app.dry:
            return
        if plan.changes:
            app.console.confirm("Deploy this?", yes=yes, consequence="this changes what users get")
            obtain_and_build(prepared, plan, app.shell(), app.console, rebuild=rebuild)
            done = deploy(prepared, plan, site, app.shell(), app.console)
        else:
            done = finish(prepared, plan, site, app.console)
        for note in done.notes:
            app.console.warn(note)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        app.console.good(f"{done.release} is live on {spec} after {duration(done.seconds)}{sent}{seen(done.probes)}.")
        verbs = f"inv {environment.name}"
        back = f"; {verbs}.rollback --host {spec} goes back to {done.previous}" if done.previous else ""
        app.console.say(f"Next: {verbs}.status --host {spec}{back}.")


def _show_plan(app: App, plan: Plan, show: Callable[[str], None]) -> None:
    """`show` takes the lines: to stdout where the plan is what was asked for, to stderr where it is talk."""
    for line in plan_lines(plan):
        show(line)
    for warning in plan.warnings:
        app.console.warn(warning)
