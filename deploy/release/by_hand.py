"""Taking over a stack that somebody runs on the host without us, by `docker compose up` in a folder there.

Its volumes are the release's, because both projects have the same name. Its data services are replaced by ours, which
are lent to its networks: the rest of it goes on serving while the release is started beside it. The edge takes its
ports; then it is stopped. Its containers stay.
"""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.data.backup import Origin, take_backup
from deploy.model.backup import Label
from deploy.model.command import Command, sequence
from deploy.model.facts import Container
from deploy.model.kinds import Kind
from deploy.release.change import Change
from deploy.release.data_services import DataUp
from deploy.release.prepare import whoami
from deploy.release.steps import Action
from deploy.release.stores import databases_of, repository_of
from deploy.ui import Step
from deploy.ui.units import count


class BackUpFirst(Action):
    """Takes a proved backup of every database of a compose project, before anything of it is touched."""

    def __init__(self, change: Change, project: str, label: Label, what: str) -> None:
        self.title = f"Back up {what}"
        self._change = change
        self._project = project
        self._label = label

    def run(self, step: Step) -> None:
        site, live = self._change.site, self._change.facts.live
        databases = databases_of(site, self._change.record, self._project)
        if not databases:
            step.result = "no database that we know how to back up"
            return
        origin = Origin(site.layout.project, live.id if live else "", self._label, whoami())
        repository = repository_of(site, self._change.environment)
        self._change.backup = take_backup(databases, repository, origin, datetime.now(UTC), step).id


class TakeData(DataUp):
    """Stops the data services that run by hand and starts ours on their volumes, for the rest of the stack too.

    Taken back, unlike the step that this is otherwise: what was found running runs again.
    """

    def __init__(self, change: Change) -> None:
        super().__init__(change)
        self._site = change.site
        self._running = [one.id for one in _data(change) if one.running]
        self._pairs = _pairs(change)

    def command(self) -> Command:
        site = self._site
        stop = [site.bare("by-hand.sh", "stop", *self._running)] if self._running else []
        return sequence(*stop, super().command(), site.bare("by-hand.sh", "lend", *self._pairs), name="data-up.sh")

    def undo(self) -> None:
        if self._running:
            site = self._site
            stop = site.compose_data.then("stop")
            start = site.bare("by-hand.sh", "start", *self._running)
            back = site.bare("by-hand.sh", "return", *self._pairs)
            site.shell.run(site.guarded(sequence(stop, back, start, name="docker compose stop")))


class EndByHand(Action):
    """Stops what still runs by hand: its workers must not work beside ours."""

    title = "Stop what runs by hand"

    def __init__(self, change: Change, *, data: bool = False) -> None:
        """`data` says that no step before has stopped the data services."""
        self._site = change.site
        self._running = [one.id for one in change.by_hand if data or one not in _data(change)]
        self._pairs = _pairs(change)

    def run(self, step: Step) -> None:
        site = self._site
        stop = site.bare("by-hand.sh", "stop", *self._running)
        back = site.bare("by-hand.sh", "return", *self._pairs)
        site.shell.run(site.guarded(sequence(stop, back, name="by-hand.sh")))
        step.result = count(len(self._running), "container")

    def undo(self) -> None:
        site = self._site
        lend = site.bare("by-hand.sh", "lend", *self._pairs)
        start = site.bare("by-hand.sh", "start", *self._running)
        site.shell.run(site.guarded(sequence(lend, start, name="by-hand.sh")))


class RestByHand(Action):
    """Sees that what ran by hand does not come back with the engine."""

    title = "Let what ran by hand rest"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site, project = self._change.site, self._change.site.layout.project
        every = self._change.facts.of_project(project)
        site.run("by-hand.sh", "rest", *(one.id for one in every))
        step.result = f"{count(len(every), 'container')} stopped"
        self._change.notes.append(
            f"the containers of before are stopped, and must not be started again beside the release: "
            f"`docker compose --project-name {project} down` on the host removes them; the volumes stay"
        )


def _data(change: Change) -> tuple[Container, ...]:
    """Containers of data services that were started by hand, those too that a killed change has stopped."""
    every = change.facts.of_project(change.site.layout.project)
    return tuple(one for one in every if change.kind_of(one.service) == Kind.DATA)


def _pairs(change: Change) -> tuple[str, ...]:
    """Container started by hand and container of ours in turn."""
    return tuple(word for one in _data(change) for word in (one.name, change.site.layout.data_container(one.service)))
