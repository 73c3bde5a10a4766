"""Migrations: looked at, backed up before, and run once, with the new image and the new environment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deploy.data.backup import Origin, take_backup
from deploy.model.backup import Label
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.journal import Ran
from deploy.model.migrations import Schema, framework_of, names_of
from deploy.model.stack import not_yours
from deploy.release.change import Change
from deploy.release.prepare import whoami
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.release.stores import databases_of, repository_of
from deploy.ui import Step
from deploy.ui.units import some_of

UNKNOWN = Schema(())


@dataclass
class Pending:
    """Services whose migrations are to be run, each with what is pending as far as its framework can tell."""

    services: dict[str, Schema] = field(default_factory=dict)


class CheckMigrations(Action):
    """Asks each migrating service, with the new image, whether anything is pending, and what."""

    title = "Look for pending migrations"

    def __init__(self, change: Change, services: Sequence[str], pending: Pending) -> None:
        self._change = change
        self._services = services
        self._pending = pending

    def run(self, step: Step) -> None:
        for name in self._services:
            schema = self._look(name, step)
            if schema is not None:
                self._pending.services[name] = schema
        texts = [f"{name}{_some(schema.pending)}" for name, schema in self._pending.services.items()]
        step.result = f"pending: {', '.join(texts)}" if texts else "none"

    def _look(self, service: str, step: Step) -> Schema | None:
        """What is pending; None when nothing is.

        A service that can be asked neither by `x-deploy.pending` nor for a list is taken to have something pending: to
        back up for nothing is the smaller harm.
        """
        check = self._change.record.services[service].commands.get("pending")
        if check and _printed(self._change, service, Command(*check), step) is not None:
            return None
        schema = listed(self._change, service, step)
        if schema is None:
            return UNKNOWN
        return schema if schema.pending or check else None


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
        if change.backup:
            step.result = f"taken already: {change.backup}"
            return
        if change.previous is None and not change.facts.data:
            step.result = "not needed: the databases are new"
            return
        site = change.site
        databases = databases_of(site, change.record, site.layout.data_project)
        if not databases:
            step.result = "no database that we know how to back up"
            return
        previous = change.previous.id if change.previous else ""
        origin = Origin(site.layout.project, previous, Label.PRE_MIGRATE, whoami())
        repository = repository_of(site, change.environment)
        change.backup = take_backup(databases, repository, origin, datetime.now(UTC), step).id


class Migrate(Action):
    """Runs the pending migrations once. Not undone: the schema before is in the backup."""

    title = "Migrate"

    def __init__(self, change: Change, pending: Pending, found: Collection[str] = ()) -> None:
        """`found` are services that did not declare how they migrate."""
        self._change = change
        self._pending = pending
        self._found = found

    def run(self, step: Step) -> None:
        change = self._change
        for name, schema in self._pending.services.items():
            command = Command(*change.record.services[name].commands["migrate"])
            step.show(f"{name}: {command}")
            change.migrated = True
            before, change.migrations = (
                change.migrations,
                (*change.migrations, Ran(name, schema.pending, schema.before)),
            )
            try:
                change.site.shell.run(one_off(change.site, change.record.id, name, command), on_line=step.show)
            except CommandError as error:
                change.migrations = (*before, *self._half(name, schema, step))
                change.migrated = bool(change.migrations)
                raise self._failed(name, error) from error
        step.result = some_of(names_of(change.migrations)) if self._pending.services else "nothing to do"

    def _half(self, service: str, schema: Schema, step: Step) -> tuple[Ran, ...]:
        """What a migration that failed has run of what was pending; all of it where that cannot be asked."""
        left = listed(self._change, service, step) if schema.pending else None
        ran = tuple(name for name in schema.pending if left is None or name not in left.pending)
        return (Ran(service, ran, schema.before),) if ran or left is None else ()

    def _failed(self, service: str, error: CommandError) -> DeployError:
        backup = self._change.backup
        way_back = (
            f"the database before is in {backup}: inv db.restore {backup}" if backup else "there was no data before"
        )
        mend = not_yours(service, "migrate") if service in self._found else "mend them"
        return DeployError(
            f"{self._change.site.shell.name}: the migrations of {service} failed; nothing was switched",
            f"{mend}, then deploy again; {way_back}",
            details=error.stderr,
        )


def listed(change: Change, service: str, step: Step) -> Schema | None:
    """What is pending by name, as far as the service's framework or its `x-deploy.list_pending` can tell."""
    commands = change.record.services[service].commands
    framework = framework_of(commands["migrate"])
    if framework is None:
        listing = commands.get("list_pending")
        names = _printed(change, service, Command(*listing), step) if listing else None
        return None if names is None else Schema(tuple(line.strip() for line in names.splitlines() if line.strip()))
    outputs = [_printed(change, service, command, step) for command in framework.looks]
    known = [output for output in outputs if output is not None]
    return framework.schema(known) if len(known) == len(outputs) else None


def _printed(change: Change, service: str, command: Command, step: Step) -> str | None:
    """What a command in the new release printed, None when it failed."""
    step.show(str(command))
    done = change.site.shell.run(one_off(change.site, change.record.id, service, command), check=False)
    return done.stdout if done.ok else None


def one_off(site: Site, release_id: str, service: str, command: Command) -> Command:
    """A command in a container of its own of a release: its image, its environment, its networks."""
    run = site.compose(release_id).then("run", "--rm", "--no-deps", "--no-TTY", service, *command)
    return site.guarded(run)


def _some(names: Sequence[str]) -> str:
    return f" ({some_of(names)})" if names else ""
