"""Commands on a host, over one SSH connection that Fabric opens."""

from __future__ import annotations

import contextlib
import getpass
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

import fabric
import paramiko
from invoke.config import Config
from paramiko.ssh_exception import NoValidConnectionsError

from deploy.model.command import Command
from deploy.model.errors import DeployError, LinkLostError, UnreachableError
from deploy.model.keys import PublicKey
from deploy.remote.agent import agent_of
from deploy.remote.hostkeys import CheckHostKey, KnownKey, known_keys
from deploy.remote.process import LOOK_UP_S, RemoteProcess
from deploy.remote.target import Target
from deploy.shell.base import CHUNK_BYTES, Shell

CERTIFICATE = "-cert-v01@openssh.com"
WINDOW_BYTES = 16 << 20  # paramiko's own 2 MiB limits a download to one window per round trip
KEEPALIVE_S = 15
CHANNEL_TIMEOUT_S = 30
LOST_AFTER_MS = 30_000  # unacknowledged data for this long means the cable is out
# with hardware AES these move twice the bytes of paramiko's first choice; all are OpenSSH defaults
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr")


# what goes wrong in a transport's own thread reaches us as an error, and would be printed as a traceback besides
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Host(Shell):
    """A host reached by SSH. Connects on first use; one connection carries every command.

    With `sudo`, every command is run by root, through `sudo -n`; whoever is root there needs none.
    """

    def __init__(self, target: Target, config: Config | None = None, *, sudo: bool = False) -> None:
        self.target = target
        self.name = target.spec
        self._sudo = sudo and target.user != "root"
        self.config = config
        self._connection: fabric.Connection | None = None
        self._next: Future[paramiko.Channel] | None = None
        """A channel for the next command, opened while this one runs: opening one costs a round trip of its own."""
        self.accepted_key = ""
        """Fingerprint of the host key when this connection was the first to see it."""

    def start(self, command: Command) -> RemoteProcess:
        command = self.elevated(command)
        channel = self._session()
        try:
            channel.exec_command(command.shell())
            self._open_ahead()
            return RemoteProcess(channel, self.name, command.title)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(f"cannot start '{command.title}'", error) from error
        except BaseException:
            # Ctrl-C: a command that waits for its input would go on to, holding the lock that the undo needs
            channel.close()
            raise

    def connect(self) -> None:
        """Open the connection now. Raises DeployError that says what failed and what to do."""
        if self._connection is None:
            self._connection = _open(self)
            if self._sudo:
                self._require_sudo()

    def elevated(self, command: Command) -> Command:
        """The command as it is run there: through `sudo -n` where everything is.

        Whole scripts, not `docker` within them: a variable that a script passes on to a container would be lost in
        sudo, and what root's engine writes would be nothing that the script may read.
        """
        return Command("sudo", "-n", *command) if self._sudo else command

    def interactive(self, command: Command, *, tty: bool) -> Command:
        """The command that hands the terminal to it."""
        return self.target.interactive(self.elevated(command), tty=tty)

    @property
    def key_used(self) -> PublicKey | None:
        """The key that the host let us in with; nothing when it was not by one."""
        transport = self._connection.transport if self._connection else None
        key: paramiko.PKey | None = getattr(getattr(transport, "auth_handler", None), "private_key", None)
        return PublicKey(key.get_name().removesuffix(CERTIFICATE), key.get_base64()) if key else None

    def _require_sudo(self) -> None:
        with self.start(Command("true")) as process:
            process.close_stdin()
            said = b"".join(iter(lambda: process.read_stderr(CHUNK_BYTES), b"")).decode(errors="replace")
            status = process.wait()
        if status:
            self.close()
            raise DeployError(
                f"{self.name}: user {self.target.user} has no sudo without a password, and `sudo: true` asks for it",
                f"as somebody who may there: inv host.setup --host {self.name} --user {self.target.user} --sudo",
                details=said,
            )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = self._next = None

    def _session(self) -> paramiko.Channel:
        self.connect()
        transport = self._connection.transport if self._connection else None
        if transport is None or not transport.is_active():
            raise self._lost("the connection was lost")
        ahead, self._next = self._next, None
        try:
            if ahead and _ended(ahead):
                with contextlib.suppress(paramiko.SSHException, EOFError, OSError):  # a host may allow few at once
                    return ahead.result()
            channel: paramiko.Channel = transport.open_session(timeout=CHANNEL_TIMEOUT_S)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost("cannot open a channel", error) from error
        return channel

    def _lost(self, what: str, error: Exception | None = None) -> LinkLostError:
        reason = f" ({error})" if error else ""
        return LinkLostError(f"{self.name}: {what}{reason}", "check the network, then run the command again")

    def _open_ahead(self) -> None:
        transport = self._connection.transport if self._connection else None
        if transport is None or self._next is not None:
            return
        opened: Future[paramiko.Channel] = Future()

        def run() -> None:
            try:
                opened.set_result(transport.open_session(timeout=CHANNEL_TIMEOUT_S))
            except BaseException as error:  # noqa: BLE001  # heard by whoever takes the channel
                opened.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        self._next = opened  # only now: Ctrl-C may come before the thread has begun, and nobody must wait for it then


def _ended(future: Future[paramiko.Channel]) -> bool:
    """Whether it has come to an end in time."""
    until = time.monotonic() + CHANNEL_TIMEOUT_S
    while not future.done() and time.monotonic() < until:
        wait([future], LOOK_UP_S)
    return future.done()


def _open(host: Host) -> fabric.Connection:
    target = host.target
    known = known_keys(target)
    policy = CheckHostKey(target, known)
    passphrase = None
    while True:
        connection = _connection(host, known, passphrase)
        connection.client.set_missing_host_key_policy(policy)
        try:
            with agent_of(target), _proxy(target) as sock:
                if sock is not None:
                    connection.connect_kwargs["sock"] = sock
                connection.open()
        except DeployError:
            raise
        except paramiko.AuthenticationException as error:
            if passphrase is None and (passphrase := _ask_passphrase(target)) is not None:
                continue
            raise _refused(target) from error
        except (paramiko.SSHException, OSError, EOFError, UnicodeError) as error:  # a name that is none to the DNS
            if _about_passphrase(error) and passphrase is None and (passphrase := _ask_passphrase(target)) is not None:
                continue
            raise _unreachable(target, error) from error
        break
    connection.transport.set_keepalive(KEEPALIVE_S)
    host.accepted_key = policy.accepted
    return connection


def _connection(host: Host, known: list[KnownKey], passphrase: str | None) -> fabric.Connection:
    target = host.target
    # the user's SSH configuration has been resolved by `ssh -G`: Fabric must not apply its own reading on top
    settings = fabric.Config() if host.config is None else host.config.clone(into=fabric.Config)
    settings.load_ssh_configs = False
    return fabric.Connection(
        target.hostname,
        user=target.user,
        port=target.port,
        config=settings,
        connect_timeout=target.connect_timeout_s,
        forward_agent=False,
        connect_kwargs={
            "key_filename": [str(path) for path in target.identity_files],
            "allow_agent": not target.identities_only and target.identity_agent != "none",
            "look_for_keys": False,
            "passphrase": passphrase,
            "banner_timeout": 15,
            "auth_timeout": 30,
            "channel_timeout": 30,
            "transport_factory": lambda sock, **kwargs: _transport(sock, known, **kwargs),
        },
    )


def _transport(sock: socket.socket, known: list[KnownKey], **kwargs: Any) -> paramiko.Transport:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # 40 ms a command otherwise
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_AFTER_MS)
    transport = paramiko.Transport(sock, default_window_size=WINDOW_BYTES, **kwargs)
    options = transport.get_security_options()
    options.ciphers = [cipher for cipher in CIPHERS if cipher in options.ciphers]
    # ask for the kinds of key we know first, or a host known by one kind would show another and look changed
    types = {known_key.type for known_key in known}
    if "ssh-rsa" in types:
        types |= {"rsa-sha2-512", "rsa-sha2-256"}
    options.key_types = sorted(options.key_types, key=lambda offered: offered not in types)
    return transport


@contextlib.contextmanager
def _proxy(target: Target) -> Iterator[socket.socket | None]:
    """A socket whose other end is a child that leads to the host."""
    if target.proxy is None:
        yield None
        return
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(target.proxy, stdin=theirs.fileno(), stdout=theirs.fileno())
    try:
        yield ours
    except BaseException:
        ours.close()
        raise


_asking = threading.Lock()
_passphrases: dict[str, str] = {}
"""What was typed, by file: several hosts often want the same key, and nobody types it once for each."""


def _ask_passphrase(target: Target) -> str | None:
    """The passphrase of an encrypted identity file, when there is one and somebody to ask."""
    encrypted = [str(path) for path in target.identity_files if _is_encrypted(str(path))]
    if not encrypted or not sys.stdin.isatty():
        return None
    with _asking:
        if encrypted[0] not in _passphrases:
            _passphrases[encrypted[0]] = getpass.getpass(f"Passphrase for {encrypted[0]}: ")
    return _passphrases[encrypted[0]]


def _is_encrypted(path: str) -> bool:
    try:
        paramiko.PKey.from_path(path)
    except paramiko.PasswordRequiredException:
        return True
    except Exception:  # noqa: BLE001  # paramiko and cryptography raise many kinds for a file that is no key
        return False
    return False


def _about_passphrase(error: BaseException) -> bool:
    return isinstance(error, paramiko.PasswordRequiredException)


def _refused(target: Target) -> DeployError:
    tried = ", ".join(str(path) for path in target.identity_files) or "no identity file"
    return DeployError(
        f"{target.spec}: the host refused every key for user '{target.user}' (tried the agent and {tried})",
        f"check it with: {target.ssh.then(target.destination, 'true')}",
    )


def _unreachable(target: Target, error: BaseException) -> UnreachableError:
    if isinstance(error, NoValidConnectionsError):  # one error for each address that the name has
        error = next(iter(error.errors.values()))
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnreachableError(
        f"{target.spec}: cannot connect to {target.hostname} port {target.port}: {reason}",
        f"check it with: {target.ssh.then(target.destination, 'true')}",
    )
