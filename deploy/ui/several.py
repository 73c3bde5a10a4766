"""Several hosts talking at once: every line begins with its host, and a terminal shows what each is at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from deploy.ui.console import Console, Step
from deploy.ui.units import duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

REFRESHES_PER_S = 5


class Several:
    """A console that hosts share. As a context manager it keeps a terminal's last lines for what they are at."""

    def __init__(self, console: Console, names: Sequence[str]) -> None:
        self.console = console
        self._width = max(map(len, names), default=0)
        self._steps: dict[str, Step] = {}
        self._warnings: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def of(self, name: str) -> Console:
        """The console of one host."""
        return _HostConsole(self, name)

    def quiet(self, name: str) -> Console:
        """The console of one host among very many: what it is at is nobody's to read, what it warns of is kept."""
        return _QuietConsole(self, name)

    def keep(self, name: str, warning: str) -> None:
        """Keep what one of very many hosts warns of."""
        with self._lock:
            self._warnings.setdefault(warning, []).append(name)

    def kept(self) -> Mapping[str, Sequence[str]]:
        """What was kept since this was last asked for: each warning with the hosts that have it."""
        with self._lock:
            kept, self._warnings = self._warnings, {}
        return kept

    def prefix(self, name: str) -> str:
        return f"{name:<{self._width}}  "

    def __enter__(self) -> Self:
        from rich.live import Live

        if self.console.rich.is_terminal:
            self._live = Live(
                console=self.console.rich,
                get_renderable=self._now,
                refresh_per_second=REFRESHES_PER_S,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def showing(self, name: str, step: Step) -> Iterator[None]:
        """Among the last lines while the block runs."""
        with self._lock:
            self._steps[name] = step
        try:
            yield
        finally:
            with self._lock:
                self._steps.pop(name, None)

    def _now(self) -> Text:
        from rich.text import Text

        with self._lock:
            steps = sorted(self._steps.items())
        room = max(self.console.rich.width - 16, 20)
        lines = [f"{f'{self.prefix(name)}{step}'[:room]}  {duration(step.elapsed_s)}" for name, step in steps]
        return Text("\n".join(lines), overflow="ellipsis", no_wrap=True)


class _HostConsole(Console):
    """What one of several hosts has to say."""

    def __init__(self, several: Several, name: str) -> None:
        super().__init__()
        self._rich = several.console.rich
        self._several = several
        self._name = name

    def _print(self, text: str | Text, style: str | None = None) -> None:
        from rich.text import Text

        prefix = self._several.prefix(self._name)
        for line in text.splitlines() if isinstance(text, str) else [text]:
            self.rich.print(Text.assemble(prefix, Text(line, style or "") if isinstance(line, str) else line))

    @contextmanager
    def _ticking(self, step: Step) -> Iterator[None]:
        if not self.rich.is_terminal:
            with super()._ticking(step):
                yield
            return
        with self._several.showing(self._name, step):
            yield


class _QuietConsole(_HostConsole):
    """One of very many hosts: its warnings are kept, to be told together with those of others."""

    def warn(self, text: str) -> None:
        self._several.keep(self._name, text)

    def _print(self, text: str | Text, style: str | None = None) -> None:
        """Nobody reads it."""

    @contextmanager
    def _ticking(self, step: Step) -> Iterator[None]:  # noqa: ARG002  # nobody sees it
        yield
