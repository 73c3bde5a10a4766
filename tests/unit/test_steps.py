"""Running steps: in order, and back in reverse when one fails."""

from __future__ import annotations

import pytest

from deploy.model.errors import DeployError
from deploy.release.steps import Action, run_all
from deploy.ui import Console, Step


class Recorded(Action):
    def __init__(
        self, title: str, log: list[str], error: BaseException | None = None, undo_error: Exception | None = None
    ) -> None:
        self.title = title
        self._log = log
        self._error = error
        self._undo_error = undo_error

    def run(self, step: Step) -> None:
        self._log.append(self.title)
        step.show("at work")
        if self._error:
            raise self._error

    def undo(self) -> None:
        self._log.append(f"undo {self.title}")
        if self._undo_error:
            raise self._undo_error


def test_steps_run_in_order_and_their_times_are_kept() -> None:
    log: list[str] = []
    seconds = run_all([Recorded("a", log), Recorded("b", log)], Console())

    assert log == ["a", "b"]
    assert list(seconds) == ["a", "b"]


@pytest.mark.parametrize("error", [DeployError("no"), KeyboardInterrupt(), ValueError("bug")])
def test_a_failure_undoes_what_was_begun_in_reverse(error: BaseException) -> None:
    log: list[str] = []
    with pytest.raises(type(error)):
        run_all([Recorded("a", log), Recorded("b", log, error), Recorded("c", log)], Console())

    assert log == ["a", "b", "undo b", "undo a"]


def test_what_was_sent_is_kept_from_beginning_before_anything_is_undone() -> None:
    log: list[str] = []
    with pytest.raises(DeployError):
        run_all([Recorded("a", log, DeployError("no"))], Console(), before_undo=lambda: log.append("fence"))

    assert log == ["a", "fence", "undo a"]


def test_what_cannot_be_undone_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []
    broken = Recorded("b", log, DeployError("no"), undo_error=DeployError("gone"))
    with pytest.raises(DeployError, match="no"):
        run_all([Recorded("a", log), broken], Console())

    assert log == ["a", "b", "undo b", "undo a"]
    assert "'b' could not be undone: gone" in capsys.readouterr().err
