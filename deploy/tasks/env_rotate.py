"""`env.rotate`: another value for a secret, on its way through a deploy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.engine.discover import compose_files, env_example
from deploy.engine.files import env_text, put_aside, write_whole
from deploy.engine.held import seal_of
from deploy.model.envfile import Uses, generated, generators, names_in, read, require_name, with_value
from deploy.model.errors import DeployError, UsageError, nearest
from deploy.model.initial import PASSWORD, Login, login_of
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, YES_HELP, task
from deploy.tasks.env_value import given_value
from deploy.tasks.plans import plan_of, show_plan
from deploy.tasks.swarm.reach import changing, require_home
from deploy.ui.reports import seen
from deploy.ui.units import duration

if TYPE_CHECKING:
    from deploy.model.plan import Plan
    from deploy.release.deploy import Deployed
    from deploy.release.lock import Hold
    from deploy.release.prepare import Prepared
    from deploy.release.site import Site
    from deploy.tasks.swarm.reach import Reach

_USUAL = "password"


@dataclass(frozen=True)
class _Rotation:
    """What is rotated: a variable of an environment's env file."""

    key: str
    environment: Environment
    path: Path
    uses: Uses

    def login(self, prepared: Prepared) -> Login | None:
        """The database's role whose password the variable is."""
        for service in prepared.stack.data:
            template = self.uses.environments.get(service.name, {}).get(PASSWORD, "")
            login = login_of(service)
            if login and [*names_in(template)][:1] == [self.key] and template.startswith("$"):
                return login
        return None

    @property
    def services(self) -> tuple[str, ...]:
        """Services whose containers have it."""
        return tuple(
            name
            for name, own in self.uses.environments.items()
            if any(self.key in names_in(one) for one in own.values())
        )


@dataclass(frozen=True)
class _Password:
    """What a database's role is to get."""

    login: Login
    kept: str
    """What the server keeps of it."""


@dataclass(frozen=True)
class _Change:
    """A rotation on its way to a host, or to a cluster."""

    rotation: _Rotation
    value: str = field(repr=False)
    site: Site
    reach: Reach | None
    prepared: Prepared
    plan: Plan


@task(
    positional=("key",),
    iterable=("host",),
    dry=True,
    help={
        "key": "the variable's name",
        "env": "whose (default: prod)",
        "host": HOST_HELP,
        "given": "take the new value from standard input, or ask for it, as env.set does; else it is generated",
        "yes": YES_HELP,
    },
)
def rotate(app: App, key: str, host: list[str], env: str = "prod", given: bool = False, yes: bool = False) -> None:
    """Give a secret another value and deploy it: generated as the example says, else 32 letters and digits.

    For the password of a PostgreSQL, the role's own is changed too, and no request fails: the database is not replaced,
    and containers of the release before are let in by their address until it has ended. When the deploy fails, role and
    env file have the value before again. Example: inv env.rotate POSTGRES_PASSWORD --host app1
    """
    require_name(key)
    environment = app.settings.environment(env)
    if environment.local:
        raise UsageError(f"--env {env} is this machine", f"inv env.set {key} --env {env}, then inv dev.up")
    rotation = _rotation(app, key, environment)
    value = given_value(key) if given else _new_value(app, rotation)
    app.held(environment, **{key: value})
    with _reached(app, environment, host) as (site, reach):
        if site.first_look.live is None:
            raise UsageError(f"{site.shell.name}: no release is live there", f"inv env.set {key} --env {env}")
        prepared = app.prepare(environment, site, datetime.now(UTC))
        with app.console.step(f"Look at {site.shell.name}"):
            plan = plan_of(app, prepared, site, reach)
        _rotate(app, _Change(rotation, value, site, reach, prepared, plan), yes=yes)


@contextlib.contextmanager
def _reached(app: App, environment: Environment, host: list[str]) -> Iterator[tuple[Site, Reach | None]]:
    """The one host that it is about, or a manager of the cluster."""
    if environment.engine == Engine.SWARM:
        with changing(app, environment, host) as (members, lead):
            yield lead.site, (members, lead)
        return
    with app.one_site(environment.name, host) as site:
        yield site, None


def _rotate(app: App, change: _Change, *, yes: bool) -> None:
    from deploy.release.deploy import obtain_and_build
    from deploy.release.rotate import kept_of

    rotation, site, prepared, plan = change.rotation, change.site, change.prepared, change.plan
    key, login = rotation.key, rotation.login(prepared)
    kept = kept_of(change.value) if login else ""
    if login and change.reach:
        require_home(rotation.environment, *change.reach, f"the password of {login.service}")
    if not plan.changes:
        raise UsageError(f"{key} changes nothing on {site.shell.name}", f"inv env.set {key} alone changes the file")
    show_plan(app, plan, app.console.say)
    _say_what(app, rotation, login, prepared)
    if app.dry:
        return
    app.console.confirm(f"Rotate {key}?", yes=yes, consequence="this changes what users get")
    obtain_and_build(prepared, plan, app.shell(), app.console)
    with (
        _locked(app, change, f"rotating {key}") as hold,
        _in_file(app, rotation, change.value, lambda: _is_live(site, plan)),
    ):
        deploying = _deploy_on_cluster if change.reach else _deploy_on_host
        done = deploying(app, change, _Password(login, kept) if login else None, hold)
    for note in done.notes:
        app.console.warn(note)
    app.console.good(
        f"{key} has another value, live with {done.release} after {duration(done.seconds)}{seen(done.probes)}."
    )
    if login:
        app.console.warn(f"releases before {done.release} know the password before: nobody can go back to them")
    app.console.say("Next: copies of the file elsewhere have the value before; the one before is in .windlass/env.")


def _locked(app: App, change: _Change, purpose: str) -> AbstractContextManager[Hold]:
    from deploy.release.lock import locked
    from deploy.release.swarm.lock import cluster_locked

    if change.reach:
        members, lead = change.reach
        return cluster_locked(lead, members, purpose, app.console)
    return locked(change.site, purpose, datetime.now(UTC), app.console)


def _deploy_on_host(app: App, change: _Change, password: _Password | None, hold: Hold) -> Deployed:
    from deploy.release.deploy import deploy
    from deploy.release.rotate import another_password, waiting

    rotation, site, prepared, plan = change.rotation, change.site, change.prepared, change.plan
    with contextlib.ExitStack() as stack:
        if password:
            names = waiting(hold.facts, site, rotation.services)
            stack.enter_context(another_password(site, password.login, password.kept, names, plan.release, app.console))
        return deploy(prepared, plan, site, app.shell(), app.console, under=hold, rotates=rotation.key)


def _deploy_on_cluster(app: App, change: _Change, password: _Password | None, hold: Hold) -> Deployed:
    from deploy.release.swarm.deploy import deploy_swarm
    from deploy.release.swarm.rotate import another_password_on_cluster

    if change.reach is None:
        raise TypeError("only a cluster is deployed to so")
    rotation, prepared, plan = change.rotation, change.prepared, change.plan
    members, lead = change.reach

    def deploy(before_return: Callable[[], None] = lambda: None) -> Deployed:
        local, console = app.shell(), app.console
        return deploy_swarm(
            prepared,
            plan,
            members,
            lead,
            local,
            console,
            under=hold,
            rotates=rotation.key,
            before_return=before_return,
        )

    if password is None:
        return deploy()
    with another_password_on_cluster(
        lead.site, password.login, password.kept, rotation.services, plan.release, app.console
    ) as before_return:
        return deploy(before_return)


@contextlib.contextmanager
def _in_file(app: App, rotation: _Rotation, value: str, live: Callable[[], bool]) -> Iterator[None]:
    """The env file has the new value from here on; it has the one before when the block fails, unless that is live."""
    path = rotation.path
    before = env_text(path)
    put_aside(path, app.root, datetime.now())  # noqa: DTZ005  # for a file's name, in the user's own time
    write_whole(path.resolve(), with_value(before, rotation.key, value, path.name))
    try:
        yield
    except BaseException:
        if not live():
            write_whole(path.resolve(), before)
            app.console.say(f"{path.name} has the value before.")
        raise


def _is_live(site: Site, plan: Plan) -> bool:
    """Whether the release of a plan serves; where the host cannot be asked it is taken for that, since it may."""
    try:
        live = site.facts().live
    except DeployError:
        return True
    return live is not None and live.id == plan.release


def _say_what(app: App, rotation: _Rotation, login: Login | None, prepared: Prepared) -> None:
    if login:
        app.console.say(
            f"{rotation.key} is the password of {login.role} of {login.service}, which is changed too, without a "
            "restart. Containers that know the password before are let in by their address until they have ended."
        )
        return
    touched = [service.name for service in prepared.stack.data if service.name in rotation.services]
    if touched:
        app.console.warn(
            f"{', '.join(touched)} gets it too: the release before cannot reach that from its replacement until the "
            "switch, and its requests that need it fail"
        )


def _rotation(app: App, key: str, environment: Environment) -> _Rotation:
    """Raises UsageError for a variable that cannot be rotated here."""
    path = app.env_file(environment)
    seal = seal_of(path)
    if key in environment.secrets:
        raise UsageError(f"{key} comes from a command (secrets: in invoke.yaml)", "change it there, then deploy")
    if not path.is_file():
        raise UsageError(f"there is no {path.name}", f"inv env.pull --env {environment.name} brings it back")
    if seal:
        raise UsageError(f"{path.name} is encrypted with {seal}, and is not changed here", "change it, then deploy")
    compose = app.compose(environment, DEPLOY_ADDRESS="localhost")
    environ = app.shell().environ()
    values = read(env_text(path), environ, path.name)
    if key not in values:
        raise UsageError(f"{path.name}: there is no {key}", nearest(key, [*values]))
    if key in environ:
        raise UsageError(f"{key} is set in this shell, which counts more than {path.name}", f"unset {key}")
    uses = compose.uses()
    if not uses.reads(key):
        raise UsageError(f"no compose file reads {key}", f"inv env.set {key} alone changes the file")
    return _Rotation(key, environment, path, uses)


def _new_value(app: App, rotation: _Rotation) -> str:
    example = env_example(app.root, compose_files(app.root, rotation.environment), rotation.environment.name)
    kinds = generators(env_text(example), example.name) if example else {}
    return generated(kinds.get(rotation.key, _USUAL), rotation.key)
