"""A deploy is data: a list of steps. What runs them is short and knows nothing of Docker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from deploy.ui import Console, Step


class Action(ABC):
    """One step of a change: idempotent, so that one which was killed can be run again or undone by the next change."""

    title: str

    @abstractmethod
    def run(self, step: Step) -> None:
        """Do it. Raises DeployError when it cannot be done."""

    def undo(self) -> None:  # noqa: B027  # most steps have nothing to take back
        """Take back what `run` did, wholly or in part. Must work after a `run` that failed anywhere."""


def run_all(
    actions: Sequence[Action], console: Console, *, before_undo: Callable[[], None] = lambda: None
) -> Mapping[str, float]:
    """Run the actions in order; on any failure, Ctrl-C included, undo them in reverse and raise what stopped them.

    `before_undo` keeps what an action has sent but not seen begin from beginning later. Returns the seconds each took,
    by title.
    """
    seconds: dict[str, float] = {}
    begun: list[Action] = []
    try:
        for action in actions:
            begun.append(action)
            with console.step(action.title) as step:
                action.run(step)
            seconds[action.title] = round(step.elapsed_s, 3)
    except BaseException:
        _undo(begun, console, before_undo)
        raise
    return seconds


def _undo(begun: Sequence[Action], console: Console, before_undo: Callable[[], None]) -> None:
    undoing = [action for action in reversed(begun) if type(action).undo is not Action.undo]
    if not undoing:
        return
    with console.step("Undo what was begun") as step:
        try:
            before_undo()
        except Exception as error:  # noqa: BLE001  # what is to be undone on this machine still can be
            console.warn(f"{error}: what was begun stays on the host for the next change")
        for action in undoing:
            step.show(action.title)
            try:
                action.undo()
            except Exception as error:  # noqa: BLE001  # what is left to undo must still be tried
                console.warn(f"'{action.title}' could not be undone: {error}")
