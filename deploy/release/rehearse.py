"""The step of a deploy that rehearses, and what `rehearse` runs by itself: on which backup, and whether at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from deploy.data.backup import Origin, take_backup
from deploy.data.encryption import decrypted
from deploy.data.find import database_services
from deploy.data.repository import Repository, Stored
from deploy.data.store import Restoring
from deploy.model.backup import Label
from deploy.model.command import sequence
from deploy.model.errors import DeployError, UsageError
from deploy.model.rehearsal import Report, restorable, unchanged, usable
from deploy.release.change import Change
from deploy.release.prepare import Prepared, whoami
from deploy.release.rehearsal import WHOLE, Rehearsal
from deploy.release.steps import Action
from deploy.release.stores import databases_of, repository_of
from deploy.shell.packaged import packaged
from deploy.ui import Step
from deploy.ui.rehearsal import summary

FRESH = "fresh"
"""Stands for a backup that is taken first."""
MAX_AGE = timedelta(hours=24)
"""A rehearsal on older data proves little: a backup is taken first, unless the environment says another age."""


class Rehearse(Action):
    """Runs pending migrations on a copy of the data, and says what they would do. Nothing is left of it, ever."""

    title = "Rehearse the migrations"

    def __init__(
        self,
        change: Change,
        prepared: Prepared,
        migrating: Sequence[str],
        *,
        found: Collection[str] = (),
        backup: str = "",
    ) -> None:
        """`found` are services that did not declare how they migrate.

        `backup` is an id, `fresh`, or empty for the newest if that is new enough.
        """
        self._change = change
        self._prepared = prepared
        self._migrating = migrating
        self._found = found
        self._wanted = backup
        self.report: Report | None = None
        """What was found; nothing where there was nothing to rehearse."""
        self.nothing = ""
        """Why there was nothing."""

    def run(self, step: Step) -> None:
        self.nothing = needless(self._change, self._migrating)
        if not self.nothing:
            self._rehearse(step)
        if self.report is None:
            step.result = f"nothing to rehearse: {self.nothing}"
        else:
            self._change.rehearsed = self.report.backup
            step.result = summary(self.report)

    def _rehearse(self, step: Step) -> None:
        change = self._change
        repository = repository_of(change.site, change.environment)
        stored = self._backup(repository, step)
        # a server without a table is not in a backup: it stands beside, as empty as it is
        databases = [name for name in restored(change) if name in restorable(stored.manifest)]
        if not databases:
            self.nothing = "there is no table yet"
            return
        identity = change.environment.encryption.identity
        parts = [part for part in stored.manifest.parts if part.service in databases]
        with (
            repository.locked(f"{whoami()}: rehearsal on {stored.manifest.id}"),
            decrypted(repository, stored.manifest, parts, identity, nullcontext(step)) as opened,
        ):
            restoring = Restoring(*opened, WHOLE, step)
            rehearsal = Rehearsal(change, self._prepared, self._migrating, databases, restoring, self._found)
            self._clear(rehearsal)
            try:
                self.report = rehearsal.run(stored)
            finally:
                step.show("removing the copy")
                self._clear(rehearsal)
        self.nothing = "" if self.report else "nothing is pending"

    def named(self) -> Stored | None:
        """The backup that was asked for by its name. Raises UsageError when there is none, or it lacks a database."""
        if self._wanted in {"", FRESH}:
            return None
        stored = repository_of(self._change.site, self._change.environment).find(self._wanted)
        if missing := {*restored(self._change)} - restorable(stored.manifest):
            raise UsageError(
                f"{stored.manifest.id} has no database of {', '.join(sorted(missing))}", "name another: inv db.backups"
            )
        return stored

    def _backup(self, repository: Repository, step: Step) -> Stored:
        """What to rehearse on: what was asked for, or the newest that says how things are now, or a fresh one."""
        if stored := self.named():
            return stored
        change, now = self._change, datetime.now(UTC)
        oldest = timedelta(hours=change.environment.backup_max_age_h) or MAX_AGE
        whole = [one.manifest for one in repository.backups() if not one.problem]
        newest = usable(whole, change.facts.journal, restored(self._change), since=now - oldest)
        if newest and not self._wanted:
            return repository.find(newest.id)
        step.show("taking a backup first")
        layout = change.site.layout
        origin = Origin(layout.project, change.previous.id if change.previous else "", Label.REHEARSAL, whoami())
        databases = databases_of(change.site, change.record, layout.data_project)
        return repository.find(take_backup(databases, repository, origin, now, step).id)

    def _clear(self, rehearsal: Rehearsal) -> None:
        """Remove whatever there is of a rehearsal, this one or one that was killed."""
        site = self._change.site
        sweep = packaged("data", "scratch.sh", "sweep", site.layout.project)
        remove = site.bare("rehearsal.sh", "remove", str(rehearsal.layout.root))
        site.shell.run(sequence(sweep, remove, name="rehearsal.sh"))


def restored(change: Change) -> tuple[str, ...]:
    """The database servers that a rehearsal has a copy of: those that run already, and are backed up."""
    services = change.record.services
    names = database_services((name, one.runs) for name, one in services.items())
    return tuple(name for name in names if name in change.facts.data and services[name].backup is not False)


def needless(change: Change, migrating: Sequence[str]) -> str:
    """Why there is nothing to rehearse; empty when there is. Raises DeployError when it cannot be done."""
    if not migrating:
        return "no service says how it migrates"
    if not change.facts.data:
        return "what runs by hand is taken over first" if change.by_hand else "the databases are new"
    if unchanged(change.facts.live, change.record, migrating):
        return "the images that migrate are those of the live release"
    if not restored(change):
        raise DeployError(
            f"{change.site.shell.name}: no PostgreSQL server that is backed up runs there: there is nothing to "
            "rehearse on",
            "deploy without a rehearsal: leave --rehearse out, or `rehearse: true` in invoke.yaml",
        )
    return ""
