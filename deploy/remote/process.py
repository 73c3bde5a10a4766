"""A command that runs on a host, with its three streams."""

from __future__ import annotations

import contextlib
import time

import paramiko

from deploy.model.errors import LinkLostError
from deploy.shell.base import Process

KILLED = 137  # what a shell reports for a command ended by a signal; SSH does not tell which number it was
LOOK_UP_S = 0.5  # of a wait for a host: what another thread raises here (Ctrl-C) comes through only between two waits
CLEAR_S = 0.01  # how long to wait between two looks whether messages may be sent
PACKET_BYTES = 1 << 15  # as much as a message to the host can hold


class RemoteProcess(Process):
    """A command on a host, over a channel of its own."""

    def __init__(self, channel: paramiko.Channel, host: str, name: str) -> None:
        self._channel = channel
        self._channel.settimeout(LOOK_UP_S)
        self._host = host
        self._name = name

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                with contextlib.suppress(TimeoutError):
                    sent = self._channel.send(bytes(rest[:PACKET_BYTES]))
                    if not sent:
                        raise EOFError
                    rest = rest[sent:]
        except (OSError, EOFError) as error:
            raise BrokenPipeError(f"{self._host}: '{self._name}' no longer reads") from error

    def close_stdin(self) -> None:
        """As `shutdown_write`, but in one with the channel's lock.

        That one sends after it has let go of it: the host's close of a command that ended at once may be answered in
        between, and OpenSSH ends a connection that then speaks of a channel which is closed.
        """
        channel, transport = self._channel, self._channel.get_transport()
        while transport.is_active():
            with contextlib.suppress(OSError, EOFError), channel.lock:
                # while new keys are agreed on, nothing may be sent: to wait with the lock held would stop that, too
                if transport.clear_to_send.is_set():
                    message = channel._send_eof()  # type: ignore[attr-defined]  # noqa: SLF001  # no other way to it
                    if message is not None:
                        transport._send_user_message(message)  # type: ignore[attr-defined]  # noqa: SLF001
                    return
            time.sleep(CLEAR_S)

    def read(self, size: int) -> bytes:
        while True:
            with contextlib.suppress(TimeoutError):
                return self._channel.recv(size)

    def read_stderr(self, size: int) -> bytes:
        while True:
            with contextlib.suppress(TimeoutError):
                return self._channel.recv_stderr(size)

    def wait(self) -> int:
        while not self._channel.status_event.wait(LOOK_UP_S):
            pass
        status = self._channel.recv_exit_status()
        if status == -1:  # a channel that ended without a status: the command was killed, or the link is gone
            if self._channel.get_transport().is_active():
                return KILLED
            raise LinkLostError(
                f"{self._host}: the connection was lost while '{self._name}' ran; it may still go on there",
                "check the network, then run the command again: it goes on from where things stand",
            )
        return status

    def kill(self) -> None:
        self._channel.close()

    def close(self) -> None:
        self._channel.close()
