"""`db.*`: backups that are proved, and restores that touch nothing before they are sure."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from invoke.collection import Collection

from deploy.data.backup import Origin, take_backup
from deploy.data.find import one_database
from deploy.data.postgres import Postgres
from deploy.data.restore import check_backup, loss, restore
from deploy.data.store import Store
from deploy.model.backup import Label
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.settings import LOCAL, Environment
from deploy.model.stack import one_service
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, YES_HELP, task
from deploy.ui.units import age, count, duration, size

if TYPE_CHECKING:
    from deploy.release.site import Site

ENV_HELP = "the environment to work on (default: dev, on this machine)"
SERVICE_HELP = "the database service, where the stack has more than one"
PLACE_HELP = {"env": ENV_HELP, "host": HOST_HELP, "service": SERVICE_HELP}


@dataclass(frozen=True)
class Place:
    """A database and the backups of it."""

    database: Postgres
    store: Store
    project: str
    service: str
    release: str
    site: Site | None
    words: str
    """How to name the place on a command line, with a leading space; empty for this machine."""


@task(iterable=("host",), help=PLACE_HELP)
def backup(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Back up a database: dumped, read back with the server's own tools, and only then given a name.

    On a host the backup stays there. Example: inv db.backup --env prod --host deploy@app1.example.com
    """
    from deploy.release.prepare import whoami

    with _place(app, env, host, service) as place:
        origin = Origin(place.project, place.service, place.release, Label.MANUAL, whoami())
        with app.console.step(f"Back up {place.service}") as step:
            made = take_backup(place.database, place.store, origin, datetime.now(UTC), step)
        app.console.data(f"{place.store.folder}/{made.id}.dump")
        app.console.good(
            f"{made.id} is complete and readable: {size(made.size_bytes)}, {made.rows} rows, "
            f"{duration(made.duration_s)}."
        )
        app.console.say(
            f"Next: inv db.backups{place.words} lists all; inv db.restore {made.id}{place.words} brings it back."
        )


@task(iterable=("host",), help=PLACE_HELP | {"json": "print JSON for a script instead of text"})
def backups(app: App, host: list[str], env: str = LOCAL, service: str = "", json: bool = False) -> None:
    """List the backups, oldest first, with their age, size and rows; damaged ones are named.

    Example: inv db.backups --env prod --host app1
    """
    with _place(app, env, host, service, running=False) as place:
        stored = place.store.backups()
        if json:
            app.console.json(
                [
                    {
                        "id": one.manifest.id,
                        "bytes": one.manifest.size_bytes,
                        "rows": one.manifest.rows,
                        "started_at": one.manifest.started_at.isoformat(),
                        "label": one.manifest.label,
                        "problem": one.problem,
                    }
                    for one in stored
                ]
            )
            return
        now = datetime.now(UTC)
        app.console.table(
            ("backup", "age", "size", "rows", "label", "release", "problem"),
            [
                (
                    one.manifest.id,
                    age(one.manifest.started_at, now),
                    size(one.manifest.size_bytes),
                    str(one.manifest.rows),
                    str(one.manifest.label),
                    one.manifest.release,
                    one.problem,
                )
                for one in stored
            ],
        )
        app.console.say(f"{count(len(stored), 'backup')} in {place.store.folder} on {place.store.shell.name}.")


@task(
    name="restore",
    positional=("backup",),
    iterable=("host",),
    help=PLACE_HELP | {"backup": "its id, a part of it, or 'latest'", "yes": YES_HELP},
)
def restore_(app: App, backup: str, host: list[str], env: str = LOCAL, service: str = "", yes: bool = False) -> None:
    """Restore a backup: into a fresh database first, compared with its manifest, then swapped in.

    Shows what would be lost and asks. The database that was live is kept beside, under another name.
    Example: inv db.restore latest
    """
    with _place(app, env, host, service) as place:
        with app.console.step("Check the backup") as step:
            stored = place.store.find(backup, place.service)
            check_backup(place.database, place.store, stored)
            step.result = stored.manifest.id
        manifest = stored.manifest
        lost = loss(place.database, manifest)
        where = place.database.shell.name
        app.console.say(
            f"{manifest.id}, {age(manifest.started_at, datetime.now(UTC))}, {manifest.rows} rows "
            f"→ database {manifest.database} on {where}"
        )
        for line in lost:
            app.console.note(line)
        app.console.confirm(
            f"Replace {manifest.database} on {where}?",
            yes=yes,
            consequence=f"this replaces {manifest.database} on {where}",
        )
        kept = restore(place.database, place.store, manifest, datetime.now(UTC), app.console)
        app.console.good(f"{manifest.database} on {where} is as it was in {manifest.id}: {manifest.rows} rows.")
        if kept:
            app.console.say(
                f"Next: check the application; the database before is kept as {kept} until the next restore."
            )


@task(iterable=("host",), help=PLACE_HELP)
def shell(app: App, host: list[str], env: str = LOCAL, service: str = "") -> None:
    """Open psql on a database.

    Example: inv db.shell --env prod --host app1
    """
    with _place(app, env, host, service) as place:
        inside = (
            'exec psql --username="${POSTGRES_USER:-postgres}" --dbname="${POSTGRES_DB:-${POSTGRES_USER:-postgres}}"'
        )
        tty = sys.stdin.isatty()
        command = (
            Command("docker", "exec", "--interactive")
            .flag("--tty", tty)
            .then(place.database.container, "sh", "-c", inside)
        )
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
def _place(app: App, env: str, host: list[str], service: str, *, running: bool = True) -> Iterator[Place]:
    """The database an invocation is about. `running` asks for its container to be there."""
    environment = _environment(app, env, host)
    if environment.local:
        dev = app.dev()
        name = one_database([(one.name, one.runs) for one in dev.stack.data], service)
        ids = dev.compose.shell.run(dev.compose.command.then("ps", "--quiet", name), check=False).stdout.split()
        if running and not ids:
            raise UsageError(f"{name} does not run", "inv dev.up starts it")
        database = Postgres(app.shell(), ids[0] if ids else "")
        yield Place(database, Store(app.shell(), str(app.backups)), environment.project, name, "", None, "")
        return
    with app.one_site(env, host) as site:
        facts = site.facts()
        live = facts.live
        if live is None and running:
            raise UsageError(
                f"{site.shell.name}: no release is live there", f"inv {env}.deploy --host {site.shell.name}"
            )
        images = [(name, one.runs) for name, one in live.services.items() if one.kind == "data"] if live else []
        name = one_database(images, service) if live else service
        database = Postgres(site.shell, site.layout.data_container(name))
        store = Store(site.shell, str(site.layout.backups))
        words = f" --env {env} --host {site.shell.name}"
        yield Place(database, store, site.layout.project, name, live.id if live else "", site, words)


def collection() -> Collection:
    return Collection("db", backup, backups, migrate, restore_, shell)
