"""`db.restore`: what it shows, asks and does, in place of what is live or beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.data.backup import Origin, take_backup, told
from deploy.data.encryption import decrypted
from deploy.data.repository import Stored
from deploy.data.restore import Pairs, check_backup, loss, pair, restore
from deploy.data.store import DatabaseStore, Restoring
from deploy.model.backup import ACCOUNTS, DATABASES, Label, StoreKind
from deploy.model.chosen import SomeTables, chosen_tables
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import LOCAL
from deploy.tasks.app import App
from deploy.tasks.base import YES_HELP, task
from deploy.tasks.moment import AT_HELP, moment_of, recover
from deploy.tasks.offsite import find
from deploy.tasks.place import BACKUP_HELP, ONLY_HELP, PLACE_HELP, Place, have_age, place_of
from deploy.ui.units import age, count

if TYPE_CHECKING:
    from deploy.release.site import Site


@task(
    name="restore",
    positional=("backup",),
    instead={"backup": "at"},
    iterable=("host", "only"),
    help=PLACE_HELP
    | {
        "backup": BACKUP_HELP,
        "at": AT_HELP,
        "only": f"{ONLY_HELP}; or a table of PostgreSQL: db/shop/orders, db/shop/audit.orders",
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
    *,
    at: str = "",
) -> None:
    """Restore a backup: beside what is live first, compared with its manifest, then swapped in.

    Shows what would be lost, asks, and backs up what is live. A database that was live is kept under another name; of
    single tables (--only db/shop/orders) the rows are replaced, and the other tables are left alone.
    Users get the maintenance page for the swap. One that is only off-site is brought back first. With --at in place of
    a backup: databases as they were at any moment, where their WAL is kept (x-deploy.point_in_time).
    Example: inv db.restore latest, or inv db.restore --at '2026-11-21 10:05' --env prod --host app1
    """
    if at and backup:
        raise UsageError("a backup and --at are two different things to restore", "leave one out")
    moment = moment_of(app, at, env) if at else None
    with place_of(app, env, host) as place:
        if moment:
            backup = recover(app, place, moment, only)
        with app.console.step("Check the backup") as step:
            stored = find(app, place, backup)
            parts = [one for one in chosen_tables(stored.manifest.parts, only) if one.kind != StoreKind.BASE]
            if not parts:
                raise UsageError("a base is nothing to restore by itself", "inv db.restore --at TIME goes on from it")
            pairs = pair(stored, parts, place.stores())
            check_backup(place.repository, stored, pairs)
            step.result = stored.manifest.id
        if into:
            _beside(app, place, stored, pairs, into)
            return
        put_in_place(app, place, stored, pairs, safety=safety, yes=yes)


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


def put_in_place(app: App, place: Place, stored: Stored, pairs: Pairs, *, safety: bool, yes: bool) -> None:
    """Bring parts back where they were."""
    from deploy.release.prepare import whoami

    if place.site:
        _require_rest(place.site)
    manifest, where, now = stored.manifest, place.where, datetime.now(UTC)
    parts = [part for part, _ in pairs]
    have_age(app, place, parts)
    titles = ", ".join(part.title for part in parts if part.kind not in ACCOUNTS)
    app.console.say(f"{manifest.id}, {age(manifest.started_at, now)}, {told(parts)} → {titles} on {where}")
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
    telling = app.console.step("Decrypt")
    with decrypted(place.repository, manifest, parts, place.environment.encryption.identity, telling) as opened:
        plain = [(part.plain, store) for part, store in pairs]
        kept = restore(plain, *opened, now, app.console, whoami(), place.paused)
    app.console.good(f"{titles} on {where} is as it was in {manifest.id}: {told(parts)}.")
    way_back = [f"inv db.restore {before.id}{place.words} takes this back"] if safety else []
    way_back += [f"the database before is kept as {name} until the next restore" for name in kept]
    app.console.say(f"Next: check the application; {'; '.join(way_back) or 'there is no way back from this'}.")


def _beside(app: App, place: Place, stored: Stored, pairs: Pairs, into: str) -> None:
    """Restore one database under another name, and leave it there."""
    from deploy.release.prepare import whoami

    found = [(part, store) for part, store in pairs if isinstance(store, DatabaseStore) and part.kind in DATABASES]
    if len(found) != 1:
        names = ", ".join(part.title for part, _ in found) or "none"
        raise UsageError(f"--into takes one database, the backup has: {names}", "name one: --only db/NAME")
    ((part, store),) = found
    if store.exists(into):
        raise UsageError(f"--into {into}: there is a database of that name", "choose another name, or drop it first")
    have_age(app, place, [part])
    restoring, identity = f"{whoami()}: restore of {stored.manifest.id}", place.environment.encryption.identity
    with (
        place.repository.locked(restoring),
        decrypted(place.repository, stored.manifest, [part], identity, app.console.step("Decrypt")) as (
            repository,
            manifest,
        ),
        app.console.step(f"Restore {part.title} into {into}") as step,
    ):
        store.prepare_as(into, part.plain, Restoring(repository, manifest, "", step))
        step.result = f"{count(part.count, 'row')} are equal"
    rest = "; its other tables are empty" if isinstance(part, SomeTables) else ""
    app.console.good(f"{into} on {place.where} has {part.title} as it was in {stored.manifest.id}{rest}.")
    goes_into = store.goes_into.format(into)
    app.console.say(f"Next: inv db.shell{place.words} and {goes_into} look into it; DROP DATABASE removes it.")
