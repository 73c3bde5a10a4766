"""This machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell.base import Process, Shell

KILL_AFTER_S = 5


class LocalProcess(Process):
    """A child process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._stdin, self._stdout, self._stderr = _opened(child.stdin), _opened(child.stdout), _opened(child.stderr)

    def write(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def close_stdin(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()

    def read(self, size: int) -> bytes:
        return os.read(self._stdout.fileno(), size)

    def read_stderr(self, size: int) -> bytes:
        return os.read(self._stderr.fileno(), size)

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def wait(self) -> int:
        return self._child.wait()

    def kill(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(KILL_AFTER_S)
        except subprocess.TimeoutExpired:
            self._child.kill()

    def close(self) -> None:
        self.close_stdin()
        if self._child.poll() is None:
            self.kill()
        self._child.wait()
        self._stdout.close()
        self._stderr.close()


class LocalShell(Shell):
    """This machine. Commands run in `cwd` with `env` laid over this process's environment."""

    name = "this machine"

    def __init__(self, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.cwd = cwd
        self.env = dict(env or {})

    def environ(self) -> dict[str, str]:
        """The whole environment commands see."""
        return os.environ | self.env

    def start(self, command: Command) -> LocalProcess:
        try:
            child = subprocess.Popen(
                command,
                cwd=self.cwd,
                env=self.environ(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise DeployError(
                f"'{command[0]}' is not installed on this machine", "inv host.setup installs what Windlass needs"
            ) from error
        return LocalProcess(child)


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the child was started without a pipe")
    return stream
