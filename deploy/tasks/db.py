"""`db.*`: backups that are proved, and restores that touch nothing before they are sure."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime

from invoke.collection import Collection

from deploy.data.backup import Origin, take_backup, told
from deploy.data.drill import Drill
from deploy.data.find import made_by_applications, one_database, store_kind
from deploy.data.mysql import Mysql
from deploy.data.repository import LATEST
from deploy.model.backup import Label, StoreKind
from deploy.model.chosen import chosen
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError, together
from deploy.model.retention import retained
from deploy.model.settings import LOCAL, Engine
from deploy.model.stack import one_service
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.backups import backups
from deploy.tasks.base import HOST_HELP, YES_HELP, task
from deploy.tasks.moment import drillable, needless_wal, receivable, require_bases
from deploy.tasks.offsite import (
    bring_off_after_backup,
    check,
    find,
    on_trial,
    prune_offsite,
    upload,
)
from deploy.tasks.place import BACKUP_HELP, ENV_HELP, ONLY_HELP, PLACE_HELP, Place, environment_of, have_age, place_of
from deploy.tasks.restore import restore_
from deploy.tasks.schedule import schedule
from deploy.tasks.travel import bring_here, clone, fetch, folder_for, pull, push, send
from deploy.tasks.upgrade import upgrade
from deploy.ui.units import count, duration, size

PSQL = 'exec psql --username="${POSTGRES_USER:-postgres}" --dbname="${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
SERVICE_HELP = "the database service, where the stack has more than one"


@task(
    iterable=("host", "only"),
    help=PLACE_HELP
    | {"only": ONLY_HELP, "to": "copy it here, too: 'local' for backups/<environment>, or a folder (./FOLDER)"},
)
def backup(app: App, host: list[str], only: list[str], env: str = LOCAL, to: str = "") -> None:
    """Back up every store: copied, read back with its own tools, and only then given a name.

    Databases, Redis, volumes and folders that services write to become one recovery point. On a host it stays there,
    and is copied here with --to, and off-site where invoke.yaml says to where; status 3 when only a copy failed.
    Example: inv db.backup --env prod --host deploy@app1.example.com --to local
    """
    from deploy.release.prepare import whoami

    folder = folder_for(env, to, local=app.settings.environment(env).local)
    with place_of(app, env, host) as place:
        stores, problems = receivable(place.stores(only, bases=True))
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
        have_age(app, place)
        with app.console.step(f"Back up {', '.join(store.title for store in stores)}") as step:
            made = take_backup(stores, place.repository, origin, datetime.now(UTC), step)
        if not to:
            app.console.data(f"{place.repository.folder}/{made.id}")
        app.console.good(
            f"{made.id} is complete and readable: {size(made.size_bytes)}, {told(made.parts)}, "
            f"{duration(made.duration_s)}."
        )
        _bring_copies(app, place, made.id, to, folder)
        require_bases(problems, made.id)
        app.console.say(
            f"Next: inv db.drill{place.words} proves that it can be restored; inv db.backups{place.words} lists all."
        )


def _bring_copies(app: App, place: Place, made: str, to: str, folder: str) -> None:
    """A backup to where copies of it are wanted. One that fails leaves the other alone. Raises DeployError."""
    failed: list[DeployError] = []
    try:
        if to:
            app.console.data(bring_here(app, place, made, folder))
    except DeployError as error:
        failed.append(error)
    try:
        bring_off_after_backup(app, place, made)
    except DeployError as error:
        failed.append(error)
    if failed:
        raise together(failed, f"{made} is good on {place.where}, and only there") from failed[0]


@task(
    iterable=("host", "only"),
    help=PLACE_HELP
    | {
        "backup": f"{BACKUP_HELP}, the default",
        "only": ONLY_HELP,
        "offsite": "prove the copy that is off-site, as it comes back from there",
    },
)
def drill(
    app: App, host: list[str], only: list[str], backup: str = LATEST, env: str = LOCAL, offsite: bool = False
) -> None:
    """Prove a backup: restored into containers that nobody uses, every row compared, and thrown away.

    Servers are of the images that the backup was made from; what runs is not touched. What was found stands in
    db.backups. Ends with status 1 when anything is not as it was. Example: inv db.drill --env prod --host app1
    """
    from deploy.release.prepare import whoami

    with place_of(app, env, host) as place:
        repository = place.repository
        trial_of = on_trial(app, place, backup) if offsite else nullcontext((repository, find(app, place, backup)))
        with trial_of as (source, stored):
            parts = drillable(app, place, chosen(stored.manifest.parts, only))
            have_age(app, place, parts)
            identity = place.environment.encryption.identity
            trial = Drill(source, stored, place.images, place.wanted.proofs, app.console, identity)
            proof = trial.run(parts, datetime.now(UTC), whoami())
        if offsite and any(one.manifest == stored.manifest for one in repository.backups()):
            repository.note(stored.manifest, proof)
        name, came = stored.manifest.id, ", as it came from off-site," if offsite else ""
        if not proof.ok:
            for problem in proof.problems:
                app.console.error(f"✗ {problem}")
            raise DeployError(
                f"{name} is no backup to count on: {count(len(proof.problems), 'problem')}",
                f"take a new one and prove it: inv db.backup{place.words}",
            )
        app.console.good(
            f"{name}{came} is proved: {size(sum(part.size_bytes for part in parts))}, {told(parts)} were restored "
            f"and are equal after {duration(proof.recover_s)}."
        )
        app.console.say(
            f"Next: inv db.backups{place.words} lists what is proved; inv db.prune{place.words} removes old ones."
        )


@task(iterable=("host",), dry=True, help=PLACE_HELP | {"yes": YES_HELP})
def prune(app: App, host: list[str], env: str = LOCAL, yes: bool = False) -> None:
    """Remove old backups, and say why each other one is kept (backup_keep in invoke.yaml).

    The newest and the newest proved are never removed. `inv --dry db.prune` removes nothing. Where there are copies
    off-site, old ones are removed there too (offsite.keep); status 3 when only that failed.
    Example: inv db.prune --env prod --host app1 --yes
    """
    with place_of(app, env, host) as place:
        _prune_here(app, place, yes=yes)
        if place.environment.offsite:
            prune_offsite(app, place, yes=yes)


def _prune_here(app: App, place: Place, *, yes: bool) -> None:
    from deploy.release.prepare import whoami

    stored = place.repository.backups()
    good = [one.manifest for one in stored if not one.problem]
    proved = [one.manifest.id for one in stored if one.proved]
    kept = retained(good, proved, place.environment.backup_keep)
    gone = [one for one in stored if one.manifest.id not in kept]
    wal = needless_wal(place, [one.manifest for one in stored if one.manifest.id in kept])
    for one in stored:
        why = ", ".join(kept.get(one.manifest.id, ())) or one.problem or "older than what is kept"
        app.console.data(f"{'keep  ' if one.manifest.id in kept else 'remove'}  {one.manifest.id}  {why}")
    if wal:
        app.console.data(f"remove  {count(len(wal), 'segment')} of WAL from before every base that is kept")
    if not gone and not wal:
        app.console.good(f"There is nothing to remove: {count(len(stored), 'backup')} on {place.where}.")
        return
    freed = size(sum(one.manifest.size_bytes for one in gone) + sum(one.size_bytes for one in wal))
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
        place.archive.remove(wal)
    app.console.good(f"Removed {count(len(gone), 'backup')} on {place.where}, {freed}; {len(kept)} are kept.")


@task(iterable=("host",), help=PLACE_HELP | {"service": SERVICE_HELP})
def shell(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Open the client of a database: psql, mariadb or mysql.

    Example: inv db.shell --env prod --host app1
    """
    with place_of(app, env, host) as place:
        name = one_database(place.wanted.runs.items(), service)
        found = next((one for one in place.running if one.service == name and one.running), None)
        if found is None:
            raise UsageError(f"{name} does not run on {place.where}", place.start)
        tty = sys.stdin.isatty()
        if store_kind(place.wanted.runs[name]) == StoreKind.MYSQL:
            command = Mysql(place.repository.shell, found.id).program("client", "@DATABASE")
        else:
            command = Command("docker", "exec", "--interactive").flag("--tty", tty).then(found.id, "sh", "-c", PSQL)
        if place.site is not None:
            app.hand_over(place.site, command, tty=tty)
        os.execvp(command[0], command)


@task(iterable=("host",), help={"env": ENV_HELP, "host": HOST_HELP, "service": "only this service's migrations"})
def migrate(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Run the migrations (x-deploy.migrate) of the stack that runs; a deploy does this by itself.

    On a cluster in a container of their own, of the live release, on the node that a deploy does it on.
    Example: inv db.migrate --env prod --host app1
    """
    environment = environment_of(app, env, host)
    if environment.local:
        dev = app.dev()
        for found, _ in dev.declared("migrate", service or None):
            dev.migrate(found)
    elif environment.engine == Engine.SWARM:
        swarm.migrate(app, environment, host, service)
    else:
        with app.one_site(env, host) as site:
            record, compose = app.live(site, service)
            wanted = record.with_command("migrate", service)
            if not wanted:
                one_service((), "migrate")
            for name in wanted:
                with app.console.step(f"Migrate {name} on {site.shell.name}") as step:
                    run = compose.then("exec", "--no-TTY", name, *record.services[name].commands["migrate"])
                    site.shell.run(site.guarded(run), on_line=step.show)
    app.console.good("The schema is up to date.")


def collection() -> Collection:
    return Collection(
        "db",
        backup,
        backups,
        check,
        clone,
        drill,
        fetch,
        migrate,
        prune,
        pull,
        push,
        restore_,
        schedule,
        send,
        shell,
        upgrade,
        upload,
    )
