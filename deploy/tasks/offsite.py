"""`db.upload`, `db.check`, and what the other `db.*` tasks do off the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from deploy.data.offsite import OffsiteRepository, known_copies
from deploy.data.repository import LATEST, Repository, Stored
from deploy.engine.bases import BaseImages
from deploy.engine.files import read_plain_env_file
from deploy.model.backup import Label
from deploy.model.errors import DeployError, UsageError
from deploy.model.offsite import IMAGE, PASSWORD, Copy, is_share, to_upload
from deploy.model.retention import retained
from deploy.model.settings import LOCAL, Offsite
from deploy.tasks.app import App
from deploy.tasks.base import task
from deploy.tasks.place import PLACE_HELP, Place, place_of
from deploy.ui.units import count, size

NOT_OFFSITE = 3
"""The exit status of a task whose work on the machine is done, and off-site is not."""


@task(iterable=("host",), help=PLACE_HELP)
def upload(app: App, host: list[str], env: str = LOCAL) -> None:
    """Copy backups off-site that are not there yet (offsite in invoke.yaml); db.backup does this by itself.

    Example: inv db.upload --env prod --host app1
    """
    with place_of(app, env, host) as place:
        bring_off(app, place, offsite_of(app, place))


@task(
    iterable=("host",),
    help=PLACE_HELP | {"share": "how much of the repository is read (default: 10%); 100% finds every flipped bit"},
)
def check(app: App, host: list[str], env: str = LOCAL, share: str = "10%") -> None:
    """Check the off-site repository: its structure, and the content of a share of it chosen at random.

    Ends with status 1 when anything is damaged. Example: inv db.check --env prod --host app1 --share 100%
    """
    from deploy.release.prepare import whoami

    if not is_share(share):
        raise UsageError(f"--share {share} is no share", "for example 10%, or 100% for all of it")
    with place_of(app, env, host) as place:
        offsite = offsite_of(app, place)
        with offsite.locked(f"{whoami()}: check"), app.console.step(f"Check {offsite.name}") as step:
            offsite.check(share, step)
            step.result = f"{share} of it was read"
        app.console.good(f"{offsite.name} is whole as far as it was looked at: {share} of its content.")
        app.console.say(f"Next: inv db.drill --offsite{place.words} proves that a copy there can be restored.")


def offsite_of(app: App, place: Place) -> OffsiteRepository:
    """Where an environment's copies are; restic is there to work on it. Raises UsageError where nobody said.

    Raises DeployError for an env file without a password, and where restic cannot be had.
    """
    from deploy.release.tools import bring_restic

    settings, name = place.environment.offsite, place.environment.name
    if settings is None:
        raise UsageError(
            f"nothing says where copies of {name}'s backups go",
            f"repository: under deploy.environments.{name}.offsite in invoke.yaml",
        )
    secrets = offsite_secrets(app, settings)
    if place.site:
        bring_restic(place.site, app.shell(), app.console, app.root)
    else:
        BaseImages(app.shell(), app.console, app.root).ensure([IMAGE])
    return OffsiteRepository(place.repository, place.project, name, settings, secrets)


def offsite_secrets(app: App, settings: Offsite) -> Mapping[str, str]:
    """Variables for restic. Raises DeployError for an env file without a password."""
    secrets = read_plain_env_file(app.root / settings.env_file)
    if not any(secrets.get(one) for one in (PASSWORD, f"{PASSWORD}_COMMAND")):
        raise DeployError(
            f"{settings.env_file} does not say {PASSWORD}, which encrypts what is off-site",
            f"make one, and keep a copy elsewhere: "
            f'(umask 077; echo "{PASSWORD}=$(openssl rand -hex 24)" >> {settings.env_file})',
        )
    return secrets


def bring_off(app: App, place: Place, offsite: OffsiteRepository) -> None:
    """Copy to the repository whatever is to be kept there and is not there yet, the newest first."""
    from deploy.release.prepare import whoami

    with offsite.locked(f"{whoami()}: upload"):
        with app.console.step(f"Look into {offsite.name}") as step:
            there, made = offsite.open(step)
            step.result = "it was made" if made else count(len(there), "backup")
        if made:
            app.console.warn(
                f"{offsite.name} is new, and encrypted: without the {PASSWORD} of {offsite.settings.env_file} nobody "
                "can read it, you neither → keep it in a second place, away from the host and from this checkout"
            )
        stored = place.repository.backups()
        good = [one.manifest for one in stored if not one.problem]
        missing = {one.id for one in good} - {one.id for one in there}
        kept = retained(
            [*there, *(one for one in good if one.id in missing)],
            [one.manifest.id for one in stored if one.proved],
            offsite.settings.keep,
        )
        wanted = to_upload(good, there, kept)
        for manifest in wanted:
            with app.console.step(f"Copy {manifest.id} to {offsite.name}") as step:
                copy, added = offsite.upload(manifest, step)
                there = (*there, copy)
                offsite.remember(there)
                step.result = f"{size(manifest.size_bytes)}, of which {size(added)} were new there"
    app.console.good(
        f"{count(len(there), 'backup')} of {place.project} in {offsite.name}, {len(wanted)} of them brought there now."
    )


def bring_off_after_backup(app: App, place: Place, made: str) -> None:
    """The second half of `db.backup`. Raises DeployError with a status of its own: the backup itself is good."""
    if place.environment.offsite is None:
        return
    try:
        bring_off(app, place, offsite_of(app, place))
    except DeployError as error:
        again = f"inv db.upload{place.words}, or the next inv db.backup{place.words},"
        raise not_offsite(f"{made} is good on {place.where}, but not off-site", error, again) from error


def not_offsite(what: str, error: DeployError, again: str) -> DeployError:
    """For a task that has done its work on the machine, and could not off it: `again` does that later."""
    remedy = f"{error.remedy}; {again} does it then" if error.remedy else f"{again} does it when that is mended"
    return DeployError(f"{what}: {error.message}", remedy, details=error.details, code=NOT_OFFSITE)


def find(app: App, place: Place, wanted: str) -> Stored:
    """A backup on the machine; one that is only off-site is brought back first.

    The latest is the newest on the machine, and off-site only where the machine has none: a new one. Raises UsageError
    naming what there is.
    """
    here = place.repository.backups()
    found = here if wanted == LATEST else [one for one in here if wanted in one.manifest.id]
    if found or place.environment.offsite is None:
        return place.repository.find(wanted)
    offsite, copy = _find_there(app, place, wanted)
    return _bring_back(app, place, offsite, copy, place.repository)


@contextlib.contextmanager
def on_trial(app: App, place: Place, wanted: str) -> Iterator[tuple[Repository, Stored]]:
    """A copy as it is off-site, in a folder of its own while the block runs."""
    from deploy.release.prepare import whoami

    offsite, copy = _find_there(app, place, wanted)
    scratch = Repository(place.repository.shell, f"{offsite.folder}/drill")
    with offsite.locked(f"{whoami()}: drill of {copy.id}"):
        try:
            stored = _bring_back(app, place, offsite, copy, scratch)
            with place.repository.locked(f"{whoami()}: drill of {copy.id}"):
                yield scratch, stored
        finally:
            place.repository.run("offsite.sh", "sweep", place.project)


def _find_there(app: App, place: Place, wanted: str) -> tuple[OffsiteRepository, Copy]:
    offsite = offsite_of(app, place)
    with app.console.step(f"Look into {offsite.name}") as step:
        there = offsite.copies(step)
        step.result = count(len(there), "backup")
    if not there:
        raise UsageError(
            f"there is no backup of {place.project} on {place.where}, nor in {offsite.name}", "make one: inv db.backup"
        )
    if wanted == LATEST:
        regular = [one for one in there if one.label != Label.PRE_RESTORE]
        return offsite, (regular or [*there])[-1]
    found = [one for one in there if wanted in one.id]
    if len(found) != 1:
        what = "no backup is" if not found else f"{len(found)} backups are"
        raise UsageError(
            f"{what} called '{wanted}', on {place.where} or in {offsite.name}",
            f"inv db.backups --offsite{place.words} lists all",
        )
    return offsite, found[0]


def _bring_back(app: App, place: Place, offsite: OffsiteRepository, copy: Copy, into: Repository) -> Stored:
    from deploy.release.prepare import whoami

    with app.console.step(f"Bring {copy.id} from {offsite.name} to {place.where}") as step:
        return offsite.download(copy, into, whoami(), step)


def copies_of(app: App, place: Place, *, ask: bool) -> tuple[Copy, ...]:
    """What is off-site: as it is now, or as it was when it was last looked at."""
    if ask:
        offsite = offsite_of(app, place)
        with app.console.step(f"Look into {offsite.name}") as step:
            return offsite.copies(step)
    settings = place.environment.offsite
    known = known_copies(place.repository, settings) if settings else None
    return known.copies if known else ()


def prune_offsite(app: App, place: Place, *, yes: bool) -> None:
    """The second half of `db.prune`. Raises DeployError with a status of its own."""
    try:
        _prune_copies(app, place, yes=yes)
    except UsageError:
        raise
    except DeployError as error:
        raise not_offsite(
            f"{place.where} is pruned, what is off-site is not", error, "the next inv db.prune"
        ) from error


def _prune_copies(app: App, place: Place, *, yes: bool) -> None:
    from deploy.release.prepare import whoami

    offsite = offsite_of(app, place)
    with app.console.step(f"Look into {offsite.name}") as step:
        there = offsite.copies(step)
        step.result = count(len(there), "backup")
    proved = [one.manifest.id for one in place.repository.backups() if one.proved]
    kept = retained(there, proved, offsite.settings.keep)
    gone = [one for one in there if one.id not in kept]
    for one in there:
        why = ", ".join(kept.get(one.id, ())) or "older than what is kept"
        app.console.data(f"{'keep  ' if one.id in kept else 'remove'}  {one.id}  off-site: {why}")
    if not gone:
        app.console.good(f"There is nothing to remove off-site: {count(len(there), 'backup')} in {offsite.name}.")
        return
    if app.dry:
        app.console.say(f"{count(len(gone), 'backup')} would be removed off-site.")
        return
    app.console.confirm(
        f"Remove {count(len(gone), 'backup')} in {offsite.name}?",
        yes=yes,
        consequence="backups that are removed are gone",
    )
    left = [one for one in there if one.id in kept]
    with offsite.locked(f"{whoami()}: prune"), app.console.step(f"Remove them from {offsite.name}") as step:
        offsite.forget(gone, step)
        offsite.remember(left)
    app.console.good(f"Removed {count(len(gone), 'backup')} in {offsite.name}; {len(left)} are kept.")
