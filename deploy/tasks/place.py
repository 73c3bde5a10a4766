"""Where the stores and the backups are that a `db.*` task is about: this machine's, or an environment's on a host."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from deploy.data.archive import Archive, BaseStore
from deploy.data.encryption import IMAGE as AGE
from deploy.data.find import Running, Wanted, look, named_of, stores_of, unknown_stores
from deploy.data.postgres import Postgres
from deploy.data.repository import Repository
from deploy.data.store import Store
from deploy.model.backup import Part
from deploy.model.errors import UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP

if TYPE_CHECKING:
    from deploy.release.site import Site

ENV_HELP = "the environment to work on (default: dev, on this machine)"
PLACE_HELP = {"env": ENV_HELP, "host": HOST_HELP}
BACKUP_HELP = "its id, a part of it, or 'latest'"
ONLY_HELP = "only this store, as db.backups names it (db, db/orders, web/media); repeatable"


@dataclass(frozen=True)
class Place:
    """What an invocation is about: stores that run somewhere, and their backups."""

    environment: Environment
    repository: Repository
    project: str
    release: str
    wanted: Wanted
    projects: tuple[str, ...]
    site: Site | None
    words: str
    """How to name the place on a command line, with a leading space; empty for this machine."""
    front: Site | None = None
    """The host by which the edge is told what to show."""

    @cached_property
    def running(self) -> Sequence[Running]:
        return look(self.repository.shell, self.projects)

    @property
    def images(self) -> Mapping[str, str]:
        """Of what runs there, by service."""
        return {one.service: one.image for one in reversed(self.running)}

    @property
    def start(self) -> str:
        """What makes stores run."""
        environment = self.environment
        if environment.local:
            return "inv dev.up starts it"
        where = "" if environment.engine == Engine.SWARM else f" --host {self.where}"
        return f"inv {environment.name}.deploy{where}"

    @property
    def where(self) -> str:
        return self.repository.shell.name

    @property
    def archive(self) -> Archive:
        """The WAL that is kept there."""
        return Archive.of(self.repository)

    def bases(self) -> tuple[BaseStore, ...]:
        """Of the databases whose WAL is kept, and that run."""
        found = {one.service: one for one in self.running if one.running and one.service in self.wanted.receiving}
        shell = self.repository.shell
        return tuple(
            BaseStore(Postgres(shell, one.id), name, one.image, self.archive) for name, one in sorted(found.items())
        )

    def stores(self, only: Iterable[str] = (), *, bases: bool = False) -> tuple[Store, ...]:
        """Every store that runs, or those that are named, and with `bases` what point in time needs besides.

        Raises UsageError when there is none.
        """
        if self.site and not self.release:
            raise UsageError(f"{self.where}: no release is live there", self.start)
        found = stores_of(self.repository.shell, self.running, self.wanted, self.start)
        found += self.bases() if bases else ()
        if not found:
            raise UsageError(f"nothing that runs on {self.where} keeps anything that can be backed up", self.start)
        for word in only:
            if not any(store.is_called(word) for store in found):
                raise UsageError(
                    f"--only {word}: there is no such store", f"there are {', '.join(store.title for store in found)}"
                )
        only = tuple(only)
        return tuple(store for store in found if not only or any(store.is_called(word) for word in only))

    def paused(self) -> AbstractContextManager[None]:
        """Users get the maintenance page while the block runs; it is left as it is where they get it already."""
        front = self.front
        if front is None or front.first_look.edge is None or front.first_look.maintenance:
            return contextlib.nullcontext()
        return _in_maintenance(self.environment, front)


def have_age(app: App, place: Place, parts: Iterable[Part] = ()) -> None:
    """See that a place has age where backups are encrypted there, or some parts are. Raises DeployError."""
    if not place.repository.recipients and not any(part.encrypted for part in parts):
        return
    if place.site is None:
        from deploy.engine.tools import make_age

        make_age(app.shell(), app.console, app.root, AGE)
        return
    from deploy.release.tools import bring_age

    bring_age(place.site, app.shell(), app.console, app.root)


@contextlib.contextmanager
def _in_maintenance(environment: Environment, site: Site) -> Iterator[None]:
    from deploy.release.maintenance import maintain

    maintain(environment, site, on=True, message="Back in a moment.")
    try:
        yield
    finally:
        maintain(environment, site, on=False)


def environment_of(app: App, env: str, host: list[str]) -> Environment:
    """The environment that is named. Raises UsageError where a host is, too, and it can have none."""
    environment = app.settings.environment(env)
    if environment.local and host:
        raise UsageError(f"--host names another machine, and '{env}' is this one", "add --env prod")
    return environment


@contextlib.contextmanager
def place_of(app: App, env: str, host: list[str]) -> Iterator[Place]:
    """The stores an invocation is about."""
    environment = environment_of(app, env, host)
    if environment.local:
        dev = app.dev()
        services = dev.stack.services.values()
        unknown = unknown_stores((one.name, one.kind, one.runs, one.options.backup) for one in services)
        wanted = Wanted(
            environment.project,
            {one.name: one.runs for one in dev.stack.data},
            skipped=frozenset(one.name for one in services if one.options.backup is False) | unknown,
            unknown=unknown,
            named=named_of((one.name, one.options.backup) for one in services),
            proofs={one.name: one.options.proof for one in services if one.options.proof},
            # volumes of others hold what packages and builds leave behind
            keeping=frozenset(one.name for one in dev.stack.data),
        )
        repository = Repository.of(environment, app.shell(), str(app.backups))
        yield Place(environment, repository, environment.project, "", wanted, (environment.project,), None, "")
        return
    from deploy.release.stores import projects_of, repository_of, wanted_of

    with sites_of(app, environment, host) as (site, front):
        live = site.first_look.live
        swarmed = environment.engine == Engine.SWARM
        words = f" --env {env}" if swarmed else f" --env {env} --host {site.shell.name}"
        repository = repository_of(site, environment)
        if live is None:
            wanted = Wanted(site.layout.project, {})
            yield Place(environment, repository, site.layout.project, "", wanted, (), site, words, front)
            return
        yield Place(
            environment,
            repository,
            site.layout.project,
            live.id,
            wanted_of(site, live),
            projects_of(site, live),
            site,
            words,
            front,
        )


@contextlib.contextmanager
def sites_of(app: App, environment: Environment, host: list[str]) -> Iterator[tuple[Site, Site]]:
    """The host that has an environment's data, and the one that its edge is told by: another one on some clusters."""
    if environment.engine == Engine.SWARM:
        with swarm.data_and_lead(app, environment, host) as found:
            yield found
        return
    with app.one_site(environment.name, host) as site:
        yield site, site
