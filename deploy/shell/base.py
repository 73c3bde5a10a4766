"""What it takes to run commands on a machine, whether it is this one or a host at the end of an SSH connection."""

from __future__ import annotations

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError

CHUNK_BYTES = 1 << 17
OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Completed:
    """How a command ended. `stdout` and `stderr` are decoded as UTF-8 with replacement."""

    command: Command
    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class Process(ABC):
    """A running command with three byte streams. As a context manager it is killed when left before its end."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Write all of `data` to standard input. Raises BrokenPipeError when the command no longer reads."""

    @abstractmethod
    def close_stdin(self) -> None: ...

    @abstractmethod
    def read(self, size: int) -> bytes:
        """Up to `size` bytes of standard output, as soon as there are any; b"" at its end."""

    def read_line(self) -> str:
        """One line of standard output without its end, and nothing beyond it; what there is when it ends before."""
        line = b""
        while not line.endswith(b"\n") and (more := self.read(1)):
            line += more
        return line.decode(errors="replace").rstrip("\n")

    def read_all(self) -> str:
        """The rest of standard output."""
        return b"".join(iter(lambda: self.read(CHUNK_BYTES), b"")).decode(errors="replace")

    @abstractmethod
    def read_stderr(self, size: int) -> bytes: ...

    @abstractmethod
    def wait(self) -> int:
        """The exit status. Raises LinkLostError when it cannot be known."""

    @abstractmethod
    def kill(self) -> None: ...

    @abstractmethod
    def close(self) -> None:
        """Let go of everything the process holds on this side; kills it if it still runs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Shell(ABC):
    """A machine that commands run on."""

    name: str
    """How messages call the machine: "this machine", "deploy@app1"."""
    echo: OnLine | None = None
    """Hears every command before it starts (Invoke's --echo); scripts by their name."""

    @abstractmethod
    def start(self, command: Command) -> Process:
        """Start a command and leave its streams to the caller: for data too large to hold."""

    def run(
        self,
        command: Command,
        *,
        stdin: bytes = b"",
        check: bool = True,
        on_line: OnLine | None = None,
        timeout_s: float | None = None,
    ) -> Completed:
        """Run a command to its end.

        `on_line` receives every line of both streams as it arrives. Raises CommandError on a non-zero status unless
        `check` is false, and DeployError when `timeout_s` passes first.
        """
        if self.echo:
            self.echo(f"{self.name}: {command.title}")
        with self.start(command) as process:
            streams = _Streams(process, stdin, on_line)
            timer = threading.Timer(timeout_s, streams.give_up) if timeout_s else None
            if timer:
                timer.daemon = True
                timer.start()
            try:
                exit_code = streams.finish()
            finally:
                if timer:
                    timer.cancel()
        if streams.timed_out:
            raise DeployError(
                f"{self.name}: '{command.title}' did not end within {timeout_s:g} s", details=streams.stderr
            )
        done = Completed(command, exit_code, streams.stdout, streams.stderr)
        if check and not done.ok:
            raise failed(self, done)
        return done


def failed(shell: Shell, done: Completed) -> CommandError:
    """The error for a command that ended with an unwanted status."""
    return CommandError(
        f"{shell.name}: '{done.command.title}' ended with status {done.exit_code}",
        exit_code=done.exit_code,
        stderr=done.stderr or done.stdout,
    )


def lines_of(read: Callable[[int], bytes]) -> Iterator[str]:
    """A byte stream as lines without their ends, each as soon as it is complete. A carriage return ends a line too."""
    rest = b""
    while chunk := read(CHUNK_BYTES):
        *complete, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in complete:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


class _Streams:
    """Feeds standard input and collects both outputs at once, so that no pipe can fill up and stop the command."""

    def __init__(self, process: Process, stdin: bytes, on_line: OnLine | None) -> None:
        self._process = process
        self._on_line = on_line
        self._out: list[bytes] = []
        self._err: list[bytes] = []
        self._errors: list[BaseException] = []
        self.timed_out = False
        self._threads = [
            threading.Thread(target=self._feed, args=(stdin,), daemon=True),
            threading.Thread(target=self._collect_stderr, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> str:
        return b"".join(self._out).decode(errors="replace")

    @property
    def stderr(self) -> str:
        return b"".join(self._err).decode(errors="replace")

    def give_up(self) -> None:
        self.timed_out = True
        self._process.kill()

    def finish(self) -> int:
        self._collect(self._process.read, self._out)  # Ctrl-C arrives here, and leaves at once
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return self._process.wait()

    def _feed(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the command may end without reading: its status tells
            if data:
                self._process.write(data)
            self._process.close_stdin()

    def _collect(self, read: Callable[[int], bytes], into: list[bytes]) -> None:
        def keep(size: int) -> bytes:
            chunk = read(size)
            into.append(chunk)
            return chunk

        for line in lines_of(keep):
            if self._on_line:
                self._on_line(line)

    def _collect_stderr(self) -> None:
        try:
            self._collect(self._process.read_stderr, self._err)
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            self._errors.append(error)
