"""A terminal for a task, as a person has it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time

from tests.project import INV, Project


class Terminal:
    """A task on a terminal of its own, as a person has it."""

    def __init__(self, shop: Project, *words: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(shop.root)
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background of a shell ignores it
            env = os.environ | shop.env | {"INVOKE_DEPLOY_PROJECT": shop.name, "TERM": "xterm"}
            os.execve(str(INV), [str(INV), *words], env)
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def expect(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        until = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < until, f"{pattern!r} did not appear; ALL: {self.text!r}"
            self._read()
        self.text = self.text[found.end() :]
        return found

    def end(self) -> int:
        """The exit status."""
        while self._read():
            pass
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # the other side of a terminal is gone
            return False
        self.text += data.decode(errors="replace")
        return bool(data)
