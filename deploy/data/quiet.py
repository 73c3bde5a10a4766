"""Nobody reaches a server: a process on its machine sees to that, and gives it back when it hears no more from us.

See `quiet.sh`, which it runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from deploy.data.repository import BEAT_S
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell import Process, Shell
from deploy.ui import Console


class Quiet:
    """The process, as we talk to it."""

    def __init__(self, holder: Process, where: str) -> None:
        self._holder = holder
        self._where = where
        self._telling = threading.Lock()

    def switch(self) -> None:
        """Have it put the new data in the place of the old. Raises DeployError where it could not."""
        self.tell("switch")
        self.hear("switched")

    def tell(self, word: str) -> None:
        with self._telling:
            self._holder.write(f"{word}\n".encode())

    def hear(self, word: str) -> None:
        """Wait for a word. Raises DeployError where another thing comes, or nothing more."""
        if self._holder.read_line() != word:
            said = self._holder.read_stderr(1 << 14).decode(errors="replace")
            raise DeployError(f"{self._where}: the old server could not be put aside", details=said)

    def end(self) -> None:
        """Let it end what it has to, however often we are interrupted meanwhile."""
        self._holder.close_stdin()
        while True:
            try:
                self._holder.wait()
            except KeyboardInterrupt:
                continue
            return


@contextlib.contextmanager
def quieted(shell: Shell, command: Command, console: Console) -> Iterator[Quiet]:
    """Nobody reaches the server while the block runs; left before it is told to `stand`, everything is what it was."""
    with shell.start(command) as holder:
        quiet, ended = Quiet(holder, shell.name), threading.Event()

        def beat() -> None:
            with contextlib.suppress(BrokenPipeError):
                while not ended.wait(BEAT_S):
                    quiet.tell("beat")

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            with console.step("Let nobody reach the old server any more"):
                quiet.hear("quiet")
            yield quiet
        except BaseException:
            with console.step("Make everything what it was"):
                quiet.end()
            raise
        finally:
            ended.set()
            beating.join()
            quiet.end()
