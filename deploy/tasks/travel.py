"""`db.pull`, `db.clone`, `db.push`, `db.fetch`, `db.send`: data and backups between machines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from deploy.data.backup import Origin, take_backup, write_backup
from deploy.data.copy import copy_backup
from deploy.data.encryption import decrypted
from deploy.data.postgres_store import PostgresStore
from deploy.data.pull import bring, home_of, masked, masks_of
from deploy.data.repository import LATEST, Repository, Stored, Writing
from deploy.data.restore import pair
from deploy.model.backup import Label, Part, StoreKind
from deploy.model.chosen import chosen
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import LOCAL
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, YES_HELP, task
from deploy.tasks.offsite import find, not_offsite
from deploy.tasks.place import BACKUP_HELP, ONLY_HELP, Place, have_age, place_of
from deploy.tasks.restore import put_in_place
from deploy.ui.units import age

HERE = "local"
BRING_HELP = {"only": ONLY_HELP, "backup": f"{BACKUP_HELP}, the default", "yes": YES_HELP}


@task(
    iterable=("host", "only"),
    help=BRING_HELP | {"env": "the environment to take it from (default: prod)", "host": HOST_HELP},
)
def pull(
    app: App, host: list[str], only: list[str], env: str = "prod", backup: str = LATEST, yes: bool = False
) -> None:
    """Bring an environment's database here: the newest backup, masked on its host, restored into development.

    What `mask` in invoke.yaml says is replaced there, in a server that nobody uses, before a byte leaves the host.
    Example: inv db.pull --host deploy@app1.example.com
    """
    if app.settings.environment(env).local:
        raise UsageError(f"--env {env} is this machine", "name the environment to take it from: --env prod")
    with place_of(app, LOCAL, []) as here, place_of(app, env, host) as there:
        _bring(app, there, find(app, there, backup), only, here, yes=yes)


TO_HELP = {"env": "the environment to bring it to, whose data_from allows it", "host": HOST_HELP}


@task(
    iterable=("host", "source_host", "only"),
    help=BRING_HELP
    | TO_HELP
    | {"source": "the environment to take it from (default: prod)", "source-host": f"its host: {HOST_HELP}"},
)
def clone(
    app: App,
    host: list[str],
    source_host: list[str],
    only: list[str],
    env: str = "",
    source: str = "prod",
    backup: str = LATEST,
    yes: bool = False,
) -> None:
    """Bring one environment's database to another: the newest backup, masked on its host, restored there.

    What the source's `mask` says is replaced before a byte leaves its host; `data_from` of the target must allow it.
    Example: inv db.clone --env staging --host deploy@stage1.example.com --source-host deploy@app1.example.com
    """
    _require_taker(app, env, source)
    with place_of(app, source, source_host) as there, place_of(app, env, host) as target:
        _bring(app, there, find(app, there, backup), only, target, yes=yes)


@task(iterable=("host", "only"), help=TO_HELP | {"only": ONLY_HELP, "yes": YES_HELP})
def push(app: App, host: list[str], only: list[str], env: str = "", yes: bool = False) -> None:
    """Bring development's database, as it is now, to an environment whose `data_from` names dev.

    Backs up development first and restores that there, after a backup of what it replaces.
    Example: inv db.push --env staging --host deploy@stage1.example.com
    """
    from deploy.release.prepare import whoami

    _require_taker(app, env, LOCAL)
    with place_of(app, LOCAL, []) as here, place_of(app, env, host) as target:
        databases = tuple(store for store in here.stores(only) if isinstance(store, PostgresStore))
        if not databases:
            raise UsageError("nothing that runs here is a PostgreSQL database", "this works with PostgreSQL only")
        origin = Origin(here.project, here.release, Label.MANUAL, whoami())
        with app.console.step("Back up development") as step:
            made = take_backup(databases, here.repository, origin, datetime.now(UTC), step)
        _bring(app, here, here.repository.find(made.id), (), target, yes=yes)


def _require_taker(app: App, env: str, source: str) -> None:
    """Raises UsageError for an environment that does not say that its data may be replaced by another one's."""
    if not env:
        raise UsageError("--env is missing: where the data is to go", "add --env, for example --env staging")
    target = app.settings.environment(env)
    if target.local:
        raise UsageError(f"--env {env} is this machine", f"inv db.pull --env {source} brings data here")
    if app.settings.environment(source).name == target.name:
        raise UsageError(f"{source} is both ends", "name another environment to take it from: --source NAME")
    if source not in target.data_from:
        raise UsageError(
            f"{env} takes no data from {source}",
            f"data_from: [{source}] under deploy.environments.{env} in invoke.yaml says that it may be replaced",
        )


def _bring(app: App, source: Place, stored: Stored, only: Iterable[str], target: Place, *, yes: bool) -> None:
    """Mask a backup's databases where it is, send them to another place, and put them into what runs there."""
    from deploy.release.prepare import whoami

    now, env = datetime.now(UTC), target.environment.name
    found = [one for one in chosen(stored.manifest.parts, only) if one.kind == StoreKind.POSTGRES]
    if not found:
        remedy = "name another: --backup ID"
        if any(one.kind == StoreKind.MYSQL for one in stored.manifest.parts):
            remedy = "those of MariaDB and MySQL cannot be masked yet, and so are not brought"
        raise UsageError(f"{stored.manifest.id} has no PostgreSQL database that is asked for", remedy)
    masks = masks_of(source.environment.mask, found)
    homes = [(part, home_of(part, target.stores())) for part in found]
    titles = ", ".join(part.title for part in found)
    app.console.say(
        f"{stored.manifest.id}, {age(stored.manifest.started_at, now)}, {titles} on {source.where} → {target.where}"
    )
    if masks:
        app.console.say("masked: " + ", ".join(f"{table} ({', '.join(masks[table])})" for table in masks))
    else:
        where = f"deploy.environments.{source.environment.name}"
        app.console.warn(f"nothing is masked → mask: under {where} in invoke.yaml says what is to be")
    app.console.confirm(
        f"Bring {titles} to {target.where}, into {env}?", yes=yes, consequence=f"this replaces {titles} of {env}"
    )
    origin = Origin(target.project, stored.manifest.release, Label.PULLED, whoami())

    have_age(app, source, found)
    have_age(app, target)
    identity = source.environment.encryption.identity

    def parts(writing: Writing) -> Iterator[Part]:
        with decrypted(source.repository, stored.manifest, found, identity, app.console.step("Decrypt")) as (
            repository,
            manifest,
        ):
            for part, (name, owner) in homes:
                with masked(repository, manifest, part.plain, masks, writing.step) as (server, scratch):
                    yield bring(server, scratch, part.plain, writing, database=name, owner=owner)

    with app.console.step(f"Mask {titles} on {source.where} and bring it to {target.where}") as step:
        made = write_backup(target.repository, origin, now, step, parts)
    brought = target.repository.find(made.id)
    pairs = pair(brought, brought.manifest.parts, target.stores())
    put_in_place(app, target, brought, pairs, safety=True, yes=True)


COPY_HELP = {"env": "the environment (default: prod)", "host": HOST_HELP, "backup": f"{BACKUP_HELP}, the default"}


def folder_for(env: str, to: str, *, local: bool) -> str:
    """The folder here that a copy is wanted in, empty for the usual one. Raises UsageError for what is no place here.

    `local` says that the environment is this machine itself.
    """
    if to and local:
        raise UsageError("--to is for backups of a host: those of development are here already", "add --env prod")
    if to in ("", HERE):
        return ""
    if "/" not in to:
        raise UsageError(f"--to {to}: it is '{HERE}', for backups/{env} here, or a folder", f"write --to ./{to}")
    return to


def bring_here(app: App, place: Place, backup: str, to: str) -> str:
    """The second half of `db.backup --to`: the folder that the copy is in.

    Raises DeployError with a status of its own: the backup itself is good.
    """
    env = place.environment.name
    here = _copies(app, env, to)
    try:
        _copy(app, place.repository, place.repository.find(backup), here)
    except DeployError as error:
        folder = f" --to {to}" if to else ""
        again = f"inv db.fetch{place.words} --backup {backup}{folder}"
        raise not_offsite(f"{backup} is good on {place.where}, but not here", error, again) from error
    return f"{here.folder}/{backup}"


@task(iterable=("host",), help=COPY_HELP | {"to": "a folder here (default: backups/<environment>)"})
def fetch(app: App, host: list[str], env: str = "prod", backup: str = LATEST, to: str = "") -> None:
    """Copy a backup of a host here, as it is: off the machine that it is of.

    Example: inv db.fetch --host deploy@app1.example.com --to /mnt/backups/shop
    """
    with _at_host(app, env, host) as place:
        here = _copies(app, env, to)
        stored = find(app, place, backup)
        _copy(app, place.repository, stored, here)
        app.console.data(f"{here.folder}/{stored.manifest.id}")
        app.console.say(
            f"Next: inv db.send --env {env} --host HOST brings it to a host, where inv db.restore takes it."
        )


@task(iterable=("host",), help=COPY_HELP | {"source": "the folder here that it is in (default: backups/<environment>)"})
def send(app: App, host: list[str], env: str = "prod", backup: str = LATEST, source: str = "") -> None:
    """Copy a backup from here to a host, to be restored there: a new one, when the old one is lost.

    Example: inv prod.deploy --host app2; inv db.send --host app2; inv db.restore latest --env prod --host app2
    """
    with _at_host(app, env, host) as place:
        here = _copies(app, env, source)
        stored = here.find(backup)
        if stored.manifest.project != place.project:
            raise UsageError(
                f"{stored.manifest.id} is of {stored.manifest.project}, and this is {place.project}",
                f"name the environment it is of, or one whose `project` is {stored.manifest.project}",
            )
        _copy(app, here, stored, place.repository)
        app.console.say(f"Next: inv db.restore {stored.manifest.id}{place.words} brings it back there.")


@contextlib.contextmanager
def _at_host(app: App, env: str, host: list[str]) -> Iterator[Place]:
    if app.settings.environment(env).local:
        raise UsageError(f"--env {env} is this machine", "name the environment of the host: --env prod")
    with place_of(app, env, host) as place:
        yield place


def _copies(app: App, env: str, folder: str) -> Repository:
    """Copies of an environment's backups here, apart from those of development."""
    return Repository(app.shell(), str(Path(folder).expanduser().absolute() if folder else app.backups / env))


def _copy(app: App, source: Repository, stored: Stored, target: Repository) -> None:
    from deploy.release.prepare import whoami

    name = stored.manifest.id
    if any(one.manifest.id == name and not one.problem for one in target.backups()):
        app.console.good(f"{name} is in {target.folder} on {target.shell.name} already.")
        return
    with app.console.step(f"Copy {name} from {source.shell.name} to {target.shell.name}") as step:
        copy_backup(source, stored, target, whoami(), step)
    app.console.good(f"{name} is in {target.folder} on {target.shell.name}, every file as it was.")
