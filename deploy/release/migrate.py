"""Migrations: looked at, backed up before, and run once, with the new image and the new environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.data.backup import Origin, take_backup
from deploy.data.find import database_services
from deploy.data.postgres import Postgres
from deploy.data.store import Store
from deploy.model.backup import Label
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.stack import Service
from deploy.release.change import Change
from deploy.release.prepare import whoami
from deploy.release.steps import Action
from deploy.ui import Step


@dataclass
class Pending:
    """Services whose migrations are to be run, found by CheckMigrations."""

    services: tuple[Service, ...] = ()


class CheckMigrations(Action):
    """Asks each migrating service, with the new image, whether anything is pending."""

    title = "Look for pending migrations"

    def __init__(self, change: Change, services: Sequence[Service], pending: Pending) -> None:
        self._change = change
        self._services = services
        self._pending = pending

    def run(self, step: Step) -> None:
        self._pending.services = tuple(service for service in self._services if self._is_pending(service, step))
        names = ", ".join(service.name for service in self._pending.services)
        step.result = f"pending: {names}" if names else "none"

    def _is_pending(self, service: Service, step: Step) -> bool:
        check = service.options.pending
        if check is None:  # cannot know: assume there is something, as backing up for nothing is the smaller harm
            return True
        step.show(str(check))
        return not self._change.site.shell.run(one_off(self._change, service.name, check), check=False).ok


class BackUpBeforeMigrating(Action):
    """Takes a proved backup of every database when migrations are pending. Without it nothing is migrated."""

    title = "Back up before migrating"

    def __init__(self, change: Change, pending: Pending) -> None:
        self._change = change
        self._pending = pending

    def run(self, step: Step) -> None:
        change = self._change
        if not self._pending.services:
            step.result = "not needed"
            return
        if change.previous is None and not change.facts.data:
            step.result = "not needed: the databases are new"
            return
        site = change.site
        services = database_services((name, change.record.services[name].source) for name in change.data)
        store = Store(site.shell, str(site.layout.backups))
        for name in services:
            previous = change.previous.id if change.previous else ""
            origin = Origin(site.layout.project, name, previous, Label.PRE_MIGRATE, whoami())
            database = Postgres(site.shell, site.layout.data_container(name))
            change.backup = take_backup(database, store, origin, datetime.now(UTC), step).id
        if not services:
            step.result = "no database that we know how to back up"


class Migrate(Action):
    """Runs the pending migrations once. Not undone: the schema before is in the backup."""

    title = "Migrate"

    def __init__(self, change: Change, pending: Pending) -> None:
        self._change = change
        self._pending = pending

    def run(self, step: Step) -> None:
        change = self._change
        for service in self._pending.services:
            command = service.options.migrate
            if command is None:
                continue
            step.show(f"{service.name}: {command}")
            change.migrated = True
            try:
                change.site.shell.run(one_off(change, service.name, command), on_line=step.show)
            except CommandError as error:
                raise self._failed(service, error) from error
        step.result = ", ".join(service.name for service in self._pending.services) or "nothing to do"

    def _failed(self, service: Service, error: CommandError) -> DeployError:
        backup = self._change.backup
        way_back = (
            f"the database before is in {backup}: inv db.restore {backup}" if backup else "there was no data before"
        )
        return DeployError(
            f"{self._change.site.shell.name}: the migrations of {service.name} failed; nothing was switched",
            f"mend them and deploy again; {way_back}",
            details=error.stderr,
        )


def one_off(change: Change, service: str, command: Command) -> Command:
    """A command in a container of its own of the new release: new image, new environment, its networks."""
    run = change.site.compose(change.record.id).then("run", "--rm", "--no-deps", "--no-TTY", service, *command)
    return change.site.guarded(run)
