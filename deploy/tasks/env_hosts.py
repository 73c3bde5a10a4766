"""`env.diff`, `env.push`, `env.pull`: an env file beside what hosts have of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import compose_files, env_example
from deploy.engine.files import env_text, put_aside, write_whole
from deploy.engine.held import seal_of
from deploy.model.envfile import (
    OURS,
    Recovered,
    Row,
    Same,
    compare,
    compare_with_live,
    read,
    recovered,
    restored,
    sealed_by,
)
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.ui.units import count

if TYPE_CHECKING:
    from deploy.release.site import Site

ENV_HELP = "whose env file (default: prod)"
HEADINGS = ("variable", "here", "there", "")


@task(
    iterable=("host",),
    help={
        "env": ENV_HELP,
        "host": HOST_HELP,
        "against": "compare with this environment's env file instead of a host",
        "all": "also what is the same, and what cannot be seen",
        "json": JSON_HELP,
    },
)
def diff(
    app: App,
    host: list[str],
    env: str = "prod",
    against: str = "",
    all: bool = False,  # noqa: A002  # the option's name
    json: bool = False,
) -> None:
    """Compare an env file with what each host's live release was made with: names and hashes, never a value.

    The hashes have a new key in every run: equal ones are equal values, and nobody can guess from them. Ends with
    status 1 when anything differs. Example: inv env.diff --env prod --host app1
    """
    environment = app.settings.environment(env)
    if against and host:
        raise UsageError("--against and --host are two different things to compare with", "leave one out")
    if against:
        for one in (env, against):
            file = app.env_file(app.settings.environment(one))
            if not file.is_file():
                raise UsageError(f"there is no {file.name}", f"inv env.init --env {one} makes it")
        other = app.compose(app.settings.environment(against))
        found = {against: tuple(compare(_here(app, environment).variables(), other.variables()))}
    else:
        found = {spec: _beside(app, environment, spec) for spec in app.hosts(environment, host)}
    if json:
        app.console.json(
            [{"with": name, "variables": [dataclasses.asdict(row) for row in rows]} for name, rows in found.items()]
        )
    different = 0
    for name, rows in found.items():
        own = [row for row in rows if row.same not in {Same.SAME, Same.NOT_SEEN}]
        different += len(own)
        same = sum(1 for row in rows if row.same == Same.SAME)
        shown = rows if all else own
        if not json and shown:
            app.console.table(HEADINGS, [(row.name, row.here or "-", row.there or "-", row.same) for row in shown])
        unseen = sum(1 for row in rows if row.same == Same.NOT_SEEN)
        more = f", {unseen} cannot be seen there (--all names them)" if unseen else ""
        app.console.say(f"{name}: {len(own)} different, {same} the same{more}.")
    if different:
        raise DeployError(f"{count(different, 'variable')} differ from {app.env_file(environment).name}")


@task(iterable=("host",), help={"env": ENV_HELP, "host": HOST_HELP, "yes": YES_HELP})
def push(app: App, host: list[str], env: str = "prod", yes: bool = False) -> None:
    """Leave a copy of the env file on each host, for its user alone, for whoever deploys from another machine.

    `env.pull` brings it from there. No release reads it: deploys take the file that is here. Over standard input,
    mode 0600; the copy before is kept. Example: inv env.push --env prod --host app1
    """
    from deploy.release.environment import leave_env_file, left_env_file

    environment = app.settings.environment(env)
    path = app.env_file(environment)
    if not path.is_file():
        raise UsageError(f"there is no {path.name}", f"inv env.init --env {env} makes it")
    _here(app, environment).variables()  # nobody should find one there that compose does not read
    text = env_text(path)
    for spec in app.hosts(environment, host):
        with app.site(environment, spec) as site:
            there = left_env_file(site)
            if there == text:
                app.console.good(f"{spec} has this {path.name} already.")
                continue
            if there:
                app.console.confirm(
                    f"{spec} has another env file. Replace it?",
                    yes=yes,
                    consequence=f"this replaces {site.layout.env_file} on {spec}",
                )
            leave_env_file(site, text)
            app.console.good(f"{path.name} is on {spec} as {site.layout.env_file}.")
    app.console.say(f"Next: inv env.pull --env {env} brings it to another machine.")


@task(iterable=("host",), help={"env": ENV_HELP, "host": HOST_HELP, "yes": YES_HELP})
def pull(app: App, host: list[str], env: str = "prod", yes: bool = False) -> None:
    """Bring an env file back from a host: the copy left there by `env.push`, with the values of the live release.

    Without a copy it is made from the file or the example that is here. A file that is replaced is kept under
    .windlass/env. Example: inv env.pull --env prod --host app1
    """
    from deploy.release.environment import left_env_file

    environment = app.settings.environment(env)
    path = app.env_file(environment)
    example = env_example(app.root, compose_files(app.root, environment), environment.name)
    with _one_site(app, environment, host) as site:
        left = left_env_file(site)
        sealed = sealed_by(left.encode())
        names = [*read(left, {}, "the copy there")] if left and not sealed else []
        found = {} if sealed else _found(app, environment, site, names)
        name = site.shell.name
    if seal_of(path) and not sealed:
        raise UsageError(f"{path.name} is encrypted, and what {name} has is not", "put the file elsewhere first")
    base, source = (left, f"the copy on {name}") if left else _base(path, example)
    text, changed, lost = (left, (), ()) if sealed else restored(base, source, found)
    if path.is_file() and env_text(path) == text:
        app.console.good(f"{path.name} is what {name} has: nothing was changed.")
        return
    if path.is_file():
        app.console.confirm(
            f"Replace {path.name} by what {name} has?", yes=yes, consequence=f"this replaces {path.name}"
        )
        kept = put_aside(path, app.root, datetime.now())  # noqa: DTZ005  # for a file's name, in the user's own time
        app.console.say(f"The one before is {kept.relative_to(app.root)}.")
    write_whole(path.resolve(), text)
    told = f"{source}, as encrypted as it was" if sealed else _told(left, source, changed)
    app.console.good(f"{path.name} is back from {name}: {told}.")
    if lost:
        app.console.warn(f"nothing there tells {', '.join(lost)}: blank now → inv env.set NAME --env {env}")
    app.console.say(f"Next: inv env.check --env {env}.")


@contextlib.contextmanager
def _one_site(app: App, environment: Environment, given: list[str]) -> Iterator[Site]:
    """The host to read from; of a cluster the first manager that has the newest records."""
    if environment.engine == Engine.SWARM:
        with swarm.manager(app, environment, given) as (site, _):
            yield site
    else:
        with app.one_site(environment.name, given) as site:
            yield site


def _told(left: str, source: str, changed: tuple[str, ...]) -> str:
    """Where its values are from."""
    live = f"{', '.join(changed)} from the live release" if changed else ""
    if left:
        return f"{source}, {live}" if live else f"{source}, which is what the live release has"
    return f"{live or 'nothing'}, over {source}"


def _here(app: App, environment: Environment) -> ComposeProject:
    return app.compose(environment, DEPLOY_ADDRESS="localhost")


def _base(path: Path, example: Path | None) -> tuple[str, str]:
    """What values are put into, and what it is called."""
    chosen = path if path.is_file() else example
    return (env_text(chosen), chosen.name) if chosen else ("", "a new file")


def _found(app: App, environment: Environment, site: Site, names: list[str]) -> Mapping[str, Recovered]:
    """Variables that the live release was made with; none where no release is live, if something else is there."""
    from deploy.release.environment import live_environments

    if site.first_look.live is None and names:
        return {}
    compose = app.compose(environment, DEPLOY_ADDRESS=site.address)
    uses, environ = compose.uses(), compose.shell.environ()
    return recovered(uses, live_environments(site), sorted({*names, *uses.names} - OURS), environ.get)


def _beside(app: App, environment: Environment, spec: str) -> tuple[Row, ...]:
    from deploy.release.environment import live_environments

    with app.site(environment, spec) as site:
        live = live_environments(site)
        compose = app.compose(environment, DEPLOY_ADDRESS=site.address)
    here, uses = compose.variables(), compose.uses()
    environ = compose.shell.environ()
    here |= {name: environ[name] for name in uses.names if name in environ}
    found = recovered(uses, live, [*here], (environ | here).get)
    return tuple(compare_with_live(here, found, uses))
