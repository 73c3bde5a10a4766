"""`db.*`: backups that are proved, and restores that touch nothing before they are sure."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.collection import Collection

from deploy.data.backup import Origin, take_backup, told, write_backup
from deploy.data.copy import copy_backup
from deploy.data.drill import Drill
from deploy.data.find import (
    Running,
    Wanted,
    look,
    made_by_applications,
    named_of,
    one_database,
    stores_of,
    unknown_stores,
)
from deploy.data.postgres_store import PostgresStore
from deploy.data.pull import bring, home_of, masked, masks_of
from deploy.data.repository import LATEST, Repository, Stored, Writing
from deploy.data.restore import Pairs, check_backup, loss, pair, restore
from deploy.data.store import Restoring, Store
from deploy.model.backup import Label, Part, StoreKind, chosen
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.retention import retained
from deploy.model.settings import LOCAL, Environment
from deploy.model.stack import one_service
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.ui.units import age, count, duration, size

if TYPE_CHECKING:
    from deploy.release.site import Site

ENV_HELP = "the environment to work on (default: dev, on this machine)"
SERVICE_HELP = "the database service, where the stack has more than one"
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
        return "inv dev.up starts it" if environment.local else f"inv {environment.name}.deploy --host {self.where}"

    @property
    def where(self) -> str:
        return self.repository.shell.name

    def stores(self, only: Iterable[str] = ()) -> tuple[Store, ...]:
        """Every store that runs, or those that are named. Raises UsageError when there is none."""
        if self.site and not self.release:
            raise UsageError(f"{self.where}: no release is live there", self.start)
        found = stores_of(self.repository.shell, self.running, self.wanted, self.start)
        for word in only:
            if not any(store.is_called(word) for store in found):
                raise UsageError(
                    f"--only {word}: there is no such store", f"there are {', '.join(store.title for store in found)}"
                )
        if not found:
            raise UsageError(f"nothing that runs on {self.where} keeps anything that can be backed up")
        only = tuple(only)
        return tuple(store for store in found if not only or any(store.is_called(word) for word in only))

    def paused(self) -> AbstractContextManager[None]:
        """Users get the maintenance page while the block runs; it is left as it is where they get it already."""
        site = self.site
        if site is None or site.first_look.edge is None or site.first_look.maintenance:
            return contextlib.nullcontext()
        return _in_maintenance(self.environment, site)


@contextlib.contextmanager
def _in_maintenance(environment: Environment, site: Site) -> Iterator[None]:
    from deploy.release.maintenance import maintain

    maintain(environment, site, on=True, message="Back in a moment.")
    try:
        yield
    finally:
        maintain(environment, site, on=False)


@task(iterable=("host", "only"), help=PLACE_HELP | {"only": ONLY_HELP})
def backup(app: App, host: list[str], only: list[str], env: str = LOCAL) -> None:
    """Back up every store: copied, read back with its own tools, and only then given a name.

    Databases, Redis, volumes and folders that services write to become one recovery point. On a host it stays there.
    Example: inv db.backup --env prod --host deploy@app1.example.com
    """
    from deploy.release.prepare import whoami

    with _place(app, env, host) as place:
        stores = place.stores(only)
        for name in sorted(place.wanted.unknown):
            app.console.warn(
                f"{name} is not backed up: no tool here knows what it runs → x-deploy: {{backup: true}} beside it "
                "copies its files as they are, false says that nothing is to be copied"
            )
        if place.site and (left := made_by_applications(place.running, place.wanted)):
            app.console.note(
                f"left out, as their names say that the application makes them: {', '.join(left)} "
                "(x-deploy: {backup: [NAME]} beside a service that mounts one takes it)"
            )
        origin = Origin(place.project, place.release, Label.MANUAL, whoami())
        with app.console.step(f"Back up {', '.join(store.title for store in stores)}") as step:
            made = take_backup(stores, place.repository, origin, datetime.now(UTC), step)
        app.console.data(f"{place.repository.folder}/{made.id}")
        app.console.good(
            f"{made.id} is complete and readable: {size(made.size_bytes)}, {told(made)}, {duration(made.duration_s)}."
        )
        app.console.say(
            f"Next: inv db.drill{place.words} proves that it can be restored; inv db.backups{place.words} lists all."
        )


@task(iterable=("host",), help=PLACE_HELP | {"json": JSON_HELP})
def backups(app: App, host: list[str], env: str = LOCAL, json: bool = False) -> None:
    """List the backups, oldest first: age, size, what is in them, what a drill found; damaged ones are named.

    Example: inv db.backups --env prod --host app1
    """
    with _place(app, env, host) as place:
        stored = place.repository.backups()
        if json:
            app.console.json([_document(one) for one in stored])
            return
        now = datetime.now(UTC)
        app.console.table(
            ("backup", "age", "size", "rows", "stores", "label", "release", "proved", "problem"),
            [
                (
                    one.manifest.id,
                    age(one.manifest.started_at, now),
                    size(one.manifest.size_bytes),
                    str(one.manifest.rows),
                    ", ".join(part.title for part in one.manifest.parts if part.kind != StoreKind.ROLES),
                    str(one.manifest.label),
                    one.manifest.release,
                    _proof(one, now),
                    one.problem,
                )
                for one in stored
            ],
        )
        app.console.say(f"{count(len(stored), 'backup')} in {place.repository.folder} on {place.where}.")


def _document(one: Stored) -> dict[str, object]:
    manifest, proof = one.manifest, one.proof
    return {
        "id": manifest.id,
        "bytes": manifest.size_bytes,
        "rows": manifest.rows,
        "started_at": manifest.started_at.isoformat(),
        "label": manifest.label,
        "release": manifest.release,
        "parts": [
            {"name": part.title, "kind": part.kind, "bytes": part.size_bytes, "count": part.count}
            for part in manifest.parts
        ],
        "proved": one.proved,
        "proof": {
            "at": proof.at.isoformat(),
            "by": proof.by,
            "recover_s": proof.recover_s,
            "problems": proof.problems,
        }
        if proof
        else None,
        "problem": one.problem,
    }


def _proof(one: Stored, now: datetime) -> str:
    if one.proof is None:
        return "no"
    return f"{age(one.proof.at, now)}, {duration(one.proof.recover_s)}" if one.proof.ok else "failed"


@task(iterable=("host", "only"), help=PLACE_HELP | {"backup": f"{BACKUP_HELP}, the default", "only": ONLY_HELP})
def drill(app: App, host: list[str], only: list[str], backup: str = LATEST, env: str = LOCAL) -> None:
    """Prove a backup: restored into containers that nobody uses, every row compared, and thrown away.

    Servers are of the images that the backup was made from; what runs is not touched. What was found stands in
    db.backups. Ends with status 1 when anything is not as it was. Example: inv db.drill --env prod --host app1
    """
    from deploy.release.prepare import whoami

    with _place(app, env, host) as place:
        stored = place.repository.find(backup)
        parts = chosen(stored.manifest.parts, only)
        trial = Drill(place.repository, stored, place.images, place.wanted.proofs, app.console)
        proof = trial.run(parts, datetime.now(UTC), whoami())
        name = stored.manifest.id
        if not proof.ok:
            for problem in proof.problems:
                app.console.error(f"✗ {problem}")
            raise DeployError(
                f"{name} is no backup to count on: {count(len(proof.problems), 'problem')}",
                f"take a new one and prove it: inv db.backup{place.words}",
            )
        app.console.good(
            f"{name} is proved: {size(stored.manifest.size_bytes)}, {told(stored.manifest)} were restored and are "
            f"equal after {duration(proof.recover_s)}."
        )
        app.console.say(
            f"Next: inv db.backups{place.words} lists what is proved; inv db.prune{place.words} removes old ones."
        )


@task(
    iterable=("host", "only"),
    help={
        "env": "the environment to take it from (default: prod)",
        "host": HOST_HELP,
        "only": ONLY_HELP,
        "backup": f"{BACKUP_HELP}, the default",
        "yes": YES_HELP,
    },
)
def pull(
    app: App, host: list[str], only: list[str], env: str = "prod", backup: str = LATEST, yes: bool = False
) -> None:
    """Bring an environment's database here: the newest backup, masked on its host, restored into development.

    What `mask` in invoke.yaml says is replaced there, in a server that nobody uses, before a byte leaves the host.
    Example: inv db.pull --host deploy@app1.example.com
    """
    from deploy.release.prepare import whoami

    if app.settings.environment(env).local:
        raise UsageError(f"--env {env} is this machine", "name the environment to take it from: --env prod")
    with _place(app, LOCAL, []) as here, _place(app, env, host) as there:
        now = datetime.now(UTC)
        stored = there.repository.find(backup)
        found = [one for one in chosen(stored.manifest.parts, only) if one.kind == StoreKind.POSTGRES]
        masks = masks_of(there.environment.mask, found)
        homes = [(part, home_of(part, here.stores())) for part in found]
        titles = ", ".join(part.title for part in found)
        app.console.say(
            f"{stored.manifest.id}, {age(stored.manifest.started_at, now)}, {titles} on {there.where} → {here.where}"
        )
        if masks:
            app.console.say("masked: " + ", ".join(f"{table} ({', '.join(masks[table])})" for table in masks))
        else:
            app.console.warn(
                f"nothing is masked → mask: under deploy.environments.{env} in invoke.yaml says what is to be"
            )
        app.console.confirm(
            f"Bring {titles} here, into development?", yes=yes, consequence=f"this replaces {titles} of development"
        )
        origin = Origin(here.project, stored.manifest.release, Label.PULLED, whoami())

        def parts(writing: Writing) -> Iterator[Part]:
            for part, (name, owner) in homes:
                with masked(there.repository, stored, part, masks, writing.step) as (server, scratch):
                    yield bring(server, scratch, part, writing, database=name, owner=owner)

        with app.console.step(f"Mask {titles} on {there.where} and bring it here") as step:
            made = write_backup(here.repository, origin, now, step, parts)
        brought = here.repository.find(made.id)
        pairs = pair(brought, brought.manifest.parts, here.stores())
        _in_place(app, here, brought, pairs, safety=True, yes=True)


COPY_HELP = {"env": "the environment (default: prod)", "host": HOST_HELP, "backup": f"{BACKUP_HELP}, the default"}


@task(iterable=("host",), help=COPY_HELP | {"to": "a folder here (default: backups/<environment>)"})
def fetch(app: App, host: list[str], env: str = "prod", backup: str = LATEST, to: str = "") -> None:
    """Copy a backup of a host here, as it is: off the machine that it is of.

    Example: inv db.fetch --host deploy@app1.example.com --to /mnt/backups/shop
    """
    with _at_host(app, env, host) as place:
        here = _copies(app, env, to)
        stored = place.repository.find(backup)
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
    with _place(app, env, host) as place:
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


@task(iterable=("host",), dry=True, help=PLACE_HELP | {"yes": YES_HELP})
def prune(app: App, host: list[str], env: str = LOCAL, yes: bool = False) -> None:
    """Remove old backups, and say why each other one is kept (backup_keep in invoke.yaml).

    The newest and the newest proved are never removed. `inv --dry db.prune` removes nothing.
    Example: inv db.prune --env prod --host app1 --yes
    """
    from deploy.release.prepare import whoami

    with _place(app, env, host) as place:
        stored = place.repository.backups()
        good = [one.manifest for one in stored if not one.problem]
        proved = [one.manifest.id for one in stored if one.proved]
        kept = retained(good, proved, place.environment.backup_keep)
        gone = [one for one in stored if one.manifest.id not in kept]
        for one in stored:
            why = ", ".join(kept.get(one.manifest.id, ())) or one.problem or "older than what is kept"
            app.console.data(f"{'keep  ' if one.manifest.id in kept else 'remove'}  {one.manifest.id}  {why}")
        if not gone:
            app.console.good(f"There is nothing to remove: {count(len(stored), 'backup')} on {place.where}.")
            return
        freed = size(sum(one.manifest.size_bytes for one in gone))
        if app.dry:
            app.console.say(f"{count(len(gone), 'backup')} would be removed, {freed}.")
            return
        app.console.confirm(
            f"Remove {count(len(gone), 'backup')} on {place.where}, {freed}?",
            yes=yes,
            consequence="backups that are removed are gone",
        )
        with place.repository.locked(f"{whoami()}: prune"):
            place.repository.remove(one.manifest.id for one in gone)
        app.console.good(f"Removed {count(len(gone), 'backup')} on {place.where}, {freed}; {len(kept)} are kept.")


@task(
    name="restore",
    positional=("backup",),
    iterable=("host", "only"),
    help=PLACE_HELP
    | {
        "backup": BACKUP_HELP,
        "only": ONLY_HELP,
        "into": "a new database for what is restored, beside the live one, which stays as it is",
        "safety": "take a backup of what is live first",
        "yes": YES_HELP,
    },
)
def restore_(
    app: App,
    backup: str,
    host: list[str],
    only: list[str],
    env: str = LOCAL,
    into: str = "",
    safety: bool = True,
    yes: bool = False,
) -> None:
    """Restore a backup: beside what is live first, compared with its manifest, then swapped in.

    Shows what would be lost, asks, and backs up what is live. A database that was live is kept under another name.
    Users get the maintenance page for the swap. Example: inv db.restore latest
    """
    with _place(app, env, host) as place:
        with app.console.step("Check the backup") as step:
            stored = place.repository.find(backup)
            parts = chosen(stored.manifest.parts, only)
            pairs = pair(stored, parts, place.stores())
            check_backup(place.repository, stored, pairs)
            step.result = stored.manifest.id
        if into:
            _beside(app, place, stored, pairs, into)
            return
        _in_place(app, place, stored, pairs, safety=safety, yes=yes)


def _require_rest(site: Site) -> None:
    """Raises DeployError while somebody changes what runs there, or keeps changes off."""
    from deploy.release.lock import require_thawed

    facts = site.first_look
    require_thawed(facts)
    if holder := facts.lock:
        raise DeployError(
            f"{site.shell.name}: {holder.get('by', 'somebody')} is {holder.get('purpose', 'changing what runs')}",
            "restore when that has ended",
        )


def _in_place(app: App, place: Place, stored: Stored, pairs: Pairs, *, safety: bool, yes: bool) -> None:
    """Bring parts back where they were."""
    from deploy.release.prepare import whoami

    if place.site:
        _require_rest(place.site)
    manifest, where, now = stored.manifest, place.where, datetime.now(UTC)
    titles = ", ".join(part.title for part, _ in pairs if part.kind != StoreKind.ROLES)
    app.console.say(f"{manifest.id}, {age(manifest.started_at, now)}, {told(manifest)} → {titles} on {where}")
    for line in loss(pairs):
        app.console.note(line)
    app.console.confirm(f"Replace {titles} on {where}?", yes=yes, consequence=f"this replaces {titles} on {where}")
    if safety:
        origin = Origin(place.project, place.release, Label.PRE_RESTORE, whoami())
        with app.console.step("Back up what is live") as step:
            try:
                before = take_backup(
                    tuple(dict.fromkeys(store for _, store in pairs)), place.repository, origin, now, step
                )
            except DeployError as error:
                error.remedy = "nothing was changed; --no-safety restores without a backup of what is live"
                raise
    kept = restore(pairs, place.repository, manifest, now, app.console, whoami(), place.paused)
    app.console.good(f"{titles} on {where} is as it was in {manifest.id}: {told(manifest)}.")
    way_back = [f"inv db.restore {before.id}{place.words} takes this back"] if safety else []
    way_back += [f"the database before is kept as {name} until the next restore" for name in kept]
    app.console.say(f"Next: check the application; {'; '.join(way_back) or 'there is no way back from this'}.")


def _beside(app: App, place: Place, stored: Stored, pairs: Pairs, into: str) -> None:
    """Restore one database under another name, and leave it there."""
    found = [
        (part, store) for part, store in pairs if isinstance(store, PostgresStore) and part.kind == StoreKind.POSTGRES
    ]
    if len(found) != 1:
        names = ", ".join(part.title for part, _ in found) or "none"
        raise UsageError(f"--into takes one database, the backup has: {names}", "name one: --only db/NAME")
    ((part, store),) = found
    if store.server.exists(into):
        raise UsageError(f"--into {into}: there is a database of that name", "choose another name, or drop it first")
    with app.console.step(f"Restore {part.title} into {into}") as step:
        store.prepare_as(into, part, Restoring(place.repository, stored.manifest, "", step))
        step.result = f"{count(part.count, 'row')} are equal"
    app.console.good(f"{into} on {place.where} is {part.title} as it was in {stored.manifest.id}.")
    app.console.say(f"Next: inv db.shell{place.words} and \\c {into} look into it; DROP DATABASE removes it.")


@task(iterable=("host",), help=PLACE_HELP | {"service": SERVICE_HELP})
def shell(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Open psql on a database.

    Example: inv db.shell --env prod --host app1
    """
    with _place(app, env, host) as place:
        name = one_database(place.wanted.runs.items(), service)
        found = next((one for one in place.running if one.service == name and one.running), None)
        if found is None:
            raise UsageError(f"{name} does not run on {place.where}", place.start)
        inside = (
            'exec psql --username="${POSTGRES_USER:-postgres}" --dbname="${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
        )
        tty = sys.stdin.isatty()
        command = Command("docker", "exec", "--interactive").flag("--tty", tty).then(found.id, "sh", "-c", inside)
        if place.site is not None:
            app.hand_over(place.site, command, tty=tty)
        os.execvp(command[0], command)


@task(iterable=("host",), help={"env": ENV_HELP, "host": HOST_HELP, "service": "only this service's migrations"})
def migrate(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Run the migrations (x-deploy.migrate) of the stack that runs; a deploy does this by itself.

    Example: inv db.migrate --env prod --host app1
    """
    environment = _environment(app, env, host)
    if environment.local:
        dev = app.dev()
        for found, _ in dev.declared("migrate", service or None):
            dev.migrate(found)
    else:
        with app.one_site(env, host) as site:
            record, compose = app.live(site, service)
            declaring = [name for name, one in record.services.items() if "migrate" in one.commands]
            wanted = [name for name in declaring if service in ("", name)]
            if not wanted:
                one_service((), "migrate")
            for name in wanted:
                with app.console.step(f"Migrate {name} on {site.shell.name}") as step:
                    run = compose.then("exec", "--no-TTY", name, *record.services[name].commands["migrate"])
                    site.shell.run(site.guarded(run), on_line=step.show)
    app.console.good("The schema is up to date.")


def _environment(app: App, env: str, host: list[str]) -> Environment:
    """The environment that is named. Raises UsageError where a host is, too, and it can have none."""
    environment = app.settings.environment(env)
    if environment.local and host:
        raise UsageError(f"--host names another machine, and '{env}' is this one", "add --env prod")
    return environment


@contextlib.contextmanager
def _place(app: App, env: str, host: list[str]) -> Iterator[Place]:
    """The stores an invocation is about."""
    environment = _environment(app, env, host)
    if environment.local:
        dev = app.dev()
        services = dev.stack.services.values()
        unknown = unknown_stores((one.name, one.kind, one.runs, one.options.backup) for one in services)
        wanted = Wanted(
            environment.project,
            {one.name: one.runs for one in services},
            skipped=frozenset(one.name for one in services if one.options.backup is False) | unknown,
            unknown=unknown,
            named=named_of((one.name, one.options.backup) for one in services),
            proofs={one.name: one.options.proof for one in services if one.options.proof},
            # volumes of others hold what packages and builds leave behind
            keeping=frozenset(one.name for one in dev.stack.data),
        )
        repository = Repository(app.shell(), str(app.backups))
        yield Place(environment, repository, environment.project, "", wanted, (environment.project,), None, "")
        return
    from deploy.release.stores import projects_of, repository_of, wanted_of

    with app.one_site(env, host) as site:
        live = site.first_look.live
        words = f" --env {env} --host {site.shell.name}"
        repository = repository_of(site)
        if live is None:
            wanted = Wanted(site.layout.project, {})
            yield Place(environment, repository, site.layout.project, "", wanted, (), site, words)
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
        )


def collection() -> Collection:
    return Collection("db", backup, backups, drill, fetch, migrate, prune, pull, restore_, send, shell)
