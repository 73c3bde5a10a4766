"""Migrations: looked at, backed up before, and run once, with the new image and the new environment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deploy.data.backup import Origin, take_backup
from deploy.model.backup import Label
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.journal import Ran
from deploy.model.migrations import Schema, framework_of, names_of
from deploy.model.release import ReleaseRecord
from deploy.model.stack import not_yours
from deploy.release.change import Change
from deploy.release.prepare import whoami
from deploy.release.steps import Action
from deploy.release.stores import databases_of, repository_of
from deploy.shell import Shell
from deploy.ui import Step
from deploy.ui.units import some_of

UNKNOWN = Schema(())


@dataclass
class Pending:
    """Services whose migrations are to be run, each with what is pending as far as its framework can tell."""

    services: dict[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class OneOffs:
    """Commands of a release, each in a container of its own: its image, its environment, its networks."""

    shell: Shell
    record: ReleaseRecord
    compose: Command
    """`docker compose` for where the release is."""
    guard: Callable[[Command], Command] = lambda command: command

    def command(self, service: str, command: Command) -> Command:
        return self.guard(self.compose.then("run", "--rm", "--no-deps", "--no-TTY", service, *command))

    def migrate(self, service: str, step: Step) -> None:
        """Run the service's migrations. Raises CommandError when they fail."""
        command = Command(*self.record.services[service].commands["migrate"])
        step.show(f"{service}: {command}")
        self.shell.run(self.command(service, command), on_line=step.show)

    def printed(self, service: str, command: Command, step: Step) -> str | None:
        """What a command printed, None when it failed."""
        step.show(str(command))
        done = self.shell.run(self.command(service, command), check=False)
        return done.stdout if done.ok else None


def of_change(change: Change, service: str) -> OneOffs:
    """Where the release of a change is, and a container for a service belongs."""
    site = change.site_of(service)
    return OneOffs(site.shell, change.record, site.compose(change.record.id), site.guarded)


class CheckMigrations(Action):
    """Asks each migrating service, with the new image, whether anything is pending, and what."""

    title = "Look for pending migrations"

    def __init__(self, change: Change, services: Sequence[str], pending: Pending) -> None:
        self._change = change
        self._services = services
        self._pending = pending

    def run(self, step: Step) -> None:
        for name in self._services:
            self._pending.services |= pending(of_change(self._change, name), [name], step)
        step.result = in_words(self._pending)


def pending(runs: OneOffs, services: Iterable[str], step: Step) -> dict[str, Schema]:
    """Services that have something pending, with what that is."""
    found = {name: _look(runs, name, step) for name in services}
    return {name: schema for name, schema in found.items() if schema is not None}


def in_words(pending: Pending) -> str:
    texts = [f"{name}{_some(schema.pending)}" for name, schema in pending.services.items()]
    return f"pending: {', '.join(texts)}" if texts else "none"


def _look(runs: OneOffs, service: str, step: Step) -> Schema | None:
    """What is pending; None when nothing is.

    A service that can be asked neither by `x-deploy.pending` nor for a list is taken to have something pending: to
    back up for nothing is the smaller harm.
    """
    check = runs.record.services[service].commands.get("pending")
    if check and runs.printed(service, Command(*check), step) is not None:
        return None
    schema = listed(runs, service, step)
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
        site = change.data_site
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
            change.migrated = True
            before, change.migrations = (
                change.migrations,
                (*change.migrations, Ran(name, schema.pending, schema.before)),
            )
            try:
                of_change(change, name).migrate(name, step)
            except CommandError as error:
                change.migrations = (*before, *self._half(name, schema, step))
                change.migrated = bool(change.migrations)
                raise self._failed(name, error) from error
        step.result = some_of(names_of(change.migrations)) if self._pending.services else "nothing to do"

    def _half(self, service: str, schema: Schema, step: Step) -> tuple[Ran, ...]:
        """What a migration that failed has run of what was pending; all of it where that cannot be asked."""
        left = listed(of_change(self._change, service), service, step) if schema.pending else None
        ran = tuple(name for name in schema.pending if left is None or name not in left.pending)
        return (Ran(service, ran, schema.before),) if ran or left is None else ()

    def _failed(self, service: str, error: CommandError) -> DeployError:
        backup = self._change.backup
        way_back = (
            f"the database before is in {backup}: inv db.restore {backup}" if backup else "there was no data before"
        )
        mend = not_yours(service, "migrate") if service in self._found else "mend them"
        return DeployError(
            f"{self._change.site_of(service).shell.name}: the migrations of {service} failed; nothing was switched",
            f"{mend}, then deploy again; {way_back}",
            details=error.stderr,
        )


def listed(runs: OneOffs, service: str, step: Step) -> Schema | None:
    """What is pending by name, as far as the service's framework or its `x-deploy.list_pending` can tell."""
    commands = runs.record.services[service].commands
    framework = framework_of(commands["migrate"])
    if framework is None:
        listing = commands.get("list_pending")
        names = runs.printed(service, Command(*listing), step) if listing else None
        return None if names is None else Schema(tuple(line.strip() for line in names.splitlines() if line.strip()))
    outputs = [runs.printed(service, command, step) for command in framework.looks]
    known = [output for output in outputs if output is not None]
    return framework.schema(known) if len(known) == len(outputs) else None


def _some(names: Sequence[str]) -> str:
    return f" ({some_of(names)})" if names else ""
