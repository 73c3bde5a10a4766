"""`db.schedule`: the nights that a host gets through without anybody."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deploy.engine.bases import BaseImages
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.schedule import Schedule, parse_times
from deploy.model.scheduled import State, definition_of, state_document, state_lines, state_problems, timer_for
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.tasks.offsite import offsite_secrets
from deploy.tasks.place import Place, sites_of
from deploy.ui.units import duration

if TYPE_CHECKING:
    from deploy.engine.keeper import Keeper
    from deploy.release.site import Site


@task(
    iterable=("host",),
    dry=True,
    help={
        "env": "the environment (default: prod)",
        "host": HOST_HELP,
        "at": "when, in the host's time: '03:15' or a cron expression; else what invoke.yaml says",
        "off": "remove the schedule; backups and the journal of its runs stay",
        "now": "begin a run at once, as the timer would, and wait for its end",
        "yes": YES_HELP,
        "json": JSON_HELP,
    },
)
def schedule(
    app: App,
    host: list[str],
    env: str = "prod",
    at: str = "",
    off: bool = False,
    now: bool = False,
    yes: bool = False,
    json: bool = False,
) -> None:
    """Let a host back up, drill and prune by itself, by a systemd timer or cron; or show what came of it.

    Installs `schedule` of invoke.yaml, or --at, where the host has another one, none, or an older Windlass. After that
    it needs no client and nothing but Docker. On a cluster the node with the data keeps it. --json and --dry only show.
    Example: inv db.schedule --host deploy@app1.example.com --at 03:15
    """
    environment = app.settings.environment(env)
    if environment.local:
        raise UsageError(f"--env {env} is this machine", "name the environment of the host: --env prod")
    if sum((bool(at), off, now)) > 1:
        raise UsageError("--at, --off and --now exclude each other", "give one of them")
    if at:
        parts = environment.schedule or Schedule(parse_times(at, "--at"))
        environment = dataclasses.replace(environment, schedule=dataclasses.replace(parts, at=parse_times(at, "--at")))
    from deploy.release.schedule import schedule_of

    with sites_of(app, environment, host) as (site, _):
        state = schedule_of(site, environment)
        if off:
            _remove(app, site, environment, state, yes=yes)
        elif now:
            _run_now(app, site, environment, state)
        elif json:
            app.console.json(state_document(state))
        else:
            _renew(app, site, environment, state, yes=yes)


def scheduled(place: Place) -> tuple[str, ...]:
    """What is to be said of the schedule beside a place's backups."""
    if place.site is None:
        return ()
    from deploy.release.schedule import schedule_of

    state = schedule_of(place.site, place.environment)
    return (*state_lines(state), *(f"✗ {problem}" for problem in state_problems(state, place.environment)))


def _renew(app: App, site: Site, environment: Environment, state: State, *, yes: bool) -> None:
    """Install what is wanted where it differs from what is there, and show what is there then."""
    from deploy.engine.keeper import keeper_of
    from deploy.release.schedule import schedule_of

    wanted = environment.schedule or (state.installed.schedule if state.installed else None)
    words = f"inv db.schedule{_at(environment, site)}"
    keeper = keeper_of(environment.project, f"linux/{site.first_look.architecture}")
    renewed = wanted is not None and _differs(state, environment, wanted, keeper)
    if wanted and renewed:
        if app.dry:
            app.console.say(f"'{wanted.at.text}' would be installed on {site.shell.name}.")
            return
        _install(app, site, environment, wanted, keeper, state, yes=yes)
        state = schedule_of(site, environment)
    if state.installed is None:
        app.console.data(f"no schedule is installed on {site.shell.name}")
        app.console.say(f"Next: {words} --at 03:15 installs one, or `schedule:` in invoke.yaml says it.")
        return
    for line in state_lines(state):
        app.console.data(line)
    problems = tuple(state_problems(state, environment))
    for problem in problems:
        app.console.error(f"✗ {problem}")
    if problems and not renewed:
        raise DeployError(f"the schedule of {site.shell.name} is not well", f"{words} --now tries a run")
    app.console.say(f"Next: {words} --now tries a run; inv {environment.name}.status tells when one has failed.")


def _at(environment: Environment, site: Site) -> str:
    """How to name it on a command line. A cluster is named by its managers, and its node with the data may be none."""
    host = "" if environment.engine == Engine.SWARM else f" --host {site.shell.name}"
    return f" --env {environment.name}{host}"


def _differs(state: State, environment: Environment, wanted: Schedule, keeper: Keeper) -> bool:
    there = state.installed
    definition = definition_of(environment, wanted, keeper.reference)
    return there is None or there.definition != definition or not (state.started and state.keeper_there)


def _install(
    app: App, site: Site, environment: Environment, wanted: Schedule, keeper: Keeper, state: State, *, yes: bool
) -> None:
    from deploy.engine.keeper import build_keeper
    from deploy.release.schedule import install, push_keeper

    timer = timer_for(state, site.shell.name)
    facts = site.first_look
    if facts.live is None:
        raise UsageError(f"{site.shell.name}: no release is live there", f"inv {environment.name}.deploy")
    first = f"{wanted.at.after(state.now):%Y-%m-%d %H:%M %z}"
    app.console.say(
        f"{site.shell.name}: back up at '{wanted.at.text}' by {timer}, first {first}; drill {wanted.drill}; prune"
    )
    app.console.confirm("Install this?", yes=yes, consequence=f"this installs a schedule on {site.shell.name}")
    local = app.shell()
    with app.console.step("Build the keeper") as step:
        build_keeper(local, BaseImages(local, app.console, app.root), keeper, step)
        step.result = keeper.reference
    with app.console.step(f"Bring it to {site.shell.name}") as step:
        push_keeper(site, facts, local, keeper, step)
    secrets = _tools(app, site, environment)
    with app.console.step(f"Install the schedule on {site.shell.name}") as step:
        install(site, environment, wanted, keeper, state, secrets)
        step.result = f"started by {timer}"
    if environment.notify.nobody:
        app.console.warn("nobody is told when a run fails → notify: in invoke.yaml names a command or a webhook")
    elif environment.notify.webhook and not state.curl:
        app.console.warn(
            f"{site.shell.name} has no curl: when its engine is down, the webhook is not told → install it"
        )


def _tools(app: App, site: Site, environment: Environment) -> Mapping[str, str]:
    """See that the host has what its runs need beside the keeper; the variables for what is off-site."""
    from deploy.release.tools import bring_age, bring_restic

    if environment.encryption.recipients:
        bring_age(site, app.shell(), app.console, app.root)
    if environment.offsite is None:
        return {}
    bring_restic(site, app.shell(), app.console, app.root)
    return offsite_secrets(app, environment.offsite)


def _remove(app: App, site: Site, environment: Environment, state: State, *, yes: bool) -> None:
    from deploy.release.schedule import remove

    if app.dry:
        app.console.say(f"The schedule of {site.shell.name} would be removed.")
        return
    if state.installed:
        app.console.confirm(
            f"Remove the schedule of {site.shell.name}?", yes=yes, consequence="nothing is backed up by itself any more"
        )
    remove(site, environment, state)
    app.console.good(f"{site.shell.name} keeps no schedule; its backups and the journal of its runs are still there.")


def _run_now(app: App, site: Site, environment: Environment, state: State) -> None:
    from deploy.release.schedule import run_now, schedule_of

    if state.installed is None:
        raise UsageError(
            f"{site.shell.name} has no schedule to try", f"inv db.schedule --env {environment.name} --at 03:15"
        )
    if app.dry:
        app.console.say(f"A run would begin on {site.shell.name}.")
        return
    with app.console.step(f"Run the schedule on {site.shell.name}") as step:
        try:
            run_now(site, step)
        except CommandError as error:
            raise DeployError(
                f"{site.shell.name}: the run failed",
                f"{site.layout.root}/schedule/last.log there says more",
                details=error.stderr,
            ) from error
    after = schedule_of(site, environment)
    last = after.runs[-1]
    if last.ended_at is None:
        raise DeployError(f"{site.shell.name}: another run is going on", "try again when that has ended")
    app.console.good(f"Done in {duration((last.ended_at - last.began_at).total_seconds())}: {last.message}.")
    app.console.say(f"Next: inv db.backups{_at(environment, site)} lists what there is.")
