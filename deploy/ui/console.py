"""The terminal: one line per step, ticking while it runs, with its elapsed time when it is done."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from deploy.model.errors import DeployError, UsageError
from deploy.ui.units import duration, rate, size

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.status import Status
    from rich.text import Text

REFRESH_S = 0.2
STILL_EVERY_S = 15.0
"""How often a step that is not on a terminal says that it is still at work."""


class Step:
    """A step that is running: what it has to say about itself."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self.result = ""
        """Shown after the title when the step has ended."""
        self._now = ""
        self._lock = threading.Lock()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    def show(self, text: str) -> None:
        """What is happening now; the latest text wins."""
        with self._lock:
            self._now = text.strip()

    def progress(self, done: int, total: int | None = None) -> None:
        """Bytes so far."""
        of = f" of {size(total)}" if total else ""
        self.show(f"{size(done)}{of}, {rate(done, self.elapsed_s)}")

    def __str__(self) -> str:
        with self._lock:
            now = f"  {self._now}" if self._now else ""
        return f"{self.title}{now}"


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table whose columns are as wide as their content."""
    lines = [tuple(headings), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


class Console:
    """Talk on stderr, data on stdout."""

    def __init__(self) -> None:
        self._rich: RichConsole | None = None
        self._step: Step | None = None

    @property
    def rich(self) -> RichConsole:
        """Imported on first use: task listings and completion must not load it."""
        if self._rich is None:
            from rich.console import Console as RichConsole

            # `app:x:y` is no picture of a cross
            self._rich = RichConsole(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        return self._rich

    def say(self, text: str = "") -> None:
        """A sentence for a person."""
        self._print(text)

    def note(self, text: str) -> None:
        """Something to know that is not wrong."""
        self._print(f"  {text}", "dim")

    def warn(self, text: str) -> None:
        self._print(f"! {text}", "yellow")

    def good(self, text: str) -> None:
        """The outcome of a command."""
        self._print(text, "bold green")

    def error(self, text: str) -> None:
        self._print(text, "bold red")

    def _print(self, text: str | Text, style: str | None = None) -> None:
        self.rich.print(text, style=style, markup=False)

    def data(self, text: str) -> None:
        """A line of output proper."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def json(self, document: Any) -> None:
        self.data(json.dumps(document, indent=2, ensure_ascii=False))

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Columns on stdout, as wide as their content."""
        for line in columns(headings, rows):
            self.data(line)

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step of a longer work: ticks while the block runs, ends with its time. A nested one joins the outer."""
        if self._step is not None:
            self._step.show(title)
            yield self._step
            return
        step = Step(title)
        try:
            self._step = step
            with self._ticking(step):
                yield step
        except BaseException:
            self._end(step, "✗", "red")
            raise
        else:
            self._end(step, "✓", "green")
        finally:
            self._step = None

    def _end(self, step: Step, sign: str, style: str) -> None:
        from rich.text import Text

        result = f"  {step.result}" if step.result else ""
        time_taken = (duration(step.elapsed_s), "dim")
        self._print(Text.assemble((sign, style), f" {step.title}{result}  ", time_taken))

    @contextmanager
    def _ticking(self, step: Step) -> Iterator[None]:
        ended = threading.Event()
        status = self.rich.status(step.title) if self.rich.is_terminal else None

        def run() -> None:
            while not ended.wait(REFRESH_S if status else STILL_EVERY_S):
                if status:
                    self._refresh(status, step)
                else:
                    self.say(f"… {step}  {duration(step.elapsed_s)}")

        ticker = threading.Thread(target=run, daemon=True)
        try:  # Ctrl-C may come at any of these: a line that goes on living would keep the undo's from its place
            if status:
                status.start()
            ticker.start()
            yield
        finally:
            ended.set()
            if ticker.is_alive():
                ticker.join()
            if status:
                status.stop()

    def _refresh(self, status: Status, step: Step) -> None:
        from rich.text import Text

        room = max(self.rich.width - 16, 20)
        status.update(Text(f"{str(step)[:room]}  {duration(step.elapsed_s)}", overflow="ellipsis", no_wrap=True))

    def confirm(self, question: str, *, yes: bool, consequence: str, remedy: str = "") -> None:
        """Go on only if the user agrees. Raises UsageError when they do not, or when nobody can be asked.

        `remedy` is what to type where the task at hand has no --yes.
        """
        if yes:
            return
        if not sys.stdin.isatty():
            raise UsageError(
                f"{consequence}; nobody can be asked, and --yes was not given",
                remedy or "add --yes to go on unattended",
            )
        self.rich.print(f"{question} [y/N] ", end="", markup=False)
        if input().strip().lower() not in {"y", "yes"}:
            raise DeployError("stopped: nothing was changed")
