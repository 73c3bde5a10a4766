"""Taking migrations back before an older release serves again, with the image that brought them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.migrations import Framework, framework_of
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.migrate import OneOffs
from deploy.release.steps import Action
from deploy.ui import Step


class _Reversal(Action):
    """`ways` says for each service what leads back, `live` is the release that knows the migrations."""

    def __init__(self, change: Change, live: ReleaseRecord, ways: Mapping[str, Mapping[str, str]]) -> None:
        self._change = change
        self._live = live
        self._ways = ways

    def _frameworks(self) -> Iterator[tuple[str, Framework, Mapping[str, str]]]:
        """Raises DeployError for a service that the live release no longer migrates as it did."""
        for name, before in self._ways.items():
            service = self._live.services.get(name)
            framework = framework_of(service.commands.get("migrate", ())) if service else None
            if framework is None:
                raise DeployError(
                    f"{self._live.id} does not know how to take back what {name} has migrated",
                    "go back without --reverse-migrations, or restore a backup",
                )
            yield name, framework, before

    def _run(self, service: str, command: Command, step: Step) -> str:
        step.show(f"{service}: {command}")
        runs = self._runs
        return runs.shell.run(runs.command(service, command), on_line=step.show).stdout

    @property
    def _runs(self) -> OneOffs:
        site = self._change.site
        return OneOffs(site.shell, self._live, site.compose(self._live.id), site.guarded)


class CheckReversal(_Reversal):
    """Asks the framework whether every migration can be taken back. Nothing has been changed until then."""

    title = "See whether the migrations can be reversed"

    def run(self, step: Step) -> None:
        name = self._change.site.shell.name
        for service, framework, before in self._frameworks():
            found: list[str] = []
            try:
                for command in framework.tries(before):
                    found += framework.hindrances(self._run(service, command, step))
            except CommandError as error:
                raise DeployError(
                    f"{name}: {service} cannot say how its migrations are reversed; nothing was changed",
                    "go back without --reverse-migrations, or restore a backup",
                    details=error.stderr,
                ) from error
            if found:
                raise DeployError(
                    f"{name}: {', '.join(dict.fromkeys(found))} cannot be reversed; nothing was changed",
                    "go back without --reverse-migrations, or restore the backup from before",
                )


class ReverseMigrations(_Reversal):
    """Brings the schema back to what the older release knows. Undone by migrating again."""

    title = "Reverse the migrations"

    def __init__(self, change: Change, live: ReleaseRecord, ways: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(change, live, ways)
        self._begun: list[str] = []

    def run(self, step: Step) -> None:
        change = self._change
        for service, framework, before in self._frameworks():
            self._begun.append(service)
            change.reversed = True
            for command in framework.ways_back(before):
                try:
                    self._run(service, command, step)
                except CommandError as error:
                    raise DeployError(
                        f"{change.site.shell.name}: the migrations of {service} could not be reversed",
                        f"{self._live.id} still serves; the database before is in {change.backup or 'no backup'}",
                        details=error.stderr,
                    ) from error
        step.result = ", ".join(
            f"{service}: back to {' '.join(target)}" for service, ways in self._ways.items() for target in ways.items()
        )

    def undo(self) -> None:
        for service in self._begun:
            command = Command(*self._live.services[service].commands["migrate"])
            self._runs.shell.run(self._runs.command(service, command))
        self._change.reversed = False
