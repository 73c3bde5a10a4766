"""Commands on a host, over one SSH connection that Fabric opens."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import fabric
import paramiko
from invoke.config import Config

from deploy.model.command import Command
from deploy.model.errors import DeployError, LinkLostError
from deploy.remote.hostkeys import CheckHostKey, KnownKey, known_keys
from deploy.remote.target import Target
from deploy.shell.base import Process, Shell

KILLED = 137  # what a shell reports for a command ended by a signal; SSH does not tell which number it was
WINDOW_BYTES = 16 << 20  # paramiko's own 2 MiB limits a download to one window per round trip
KEEPALIVE_S = 15
LOST_AFTER_MS = 30_000  # unacknowledged data for this long means the cable is out
# with hardware AES these move twice the bytes of paramiko's first choice; all are OpenSSH defaults
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr")


class RemoteProcess(Process):
    """A command on a host, over a channel of its own."""

    def __init__(self, channel: paramiko.Channel, host: str, name: str) -> None:
        self._channel = channel
        self._host = host
        self._name = name

    def write(self, data: bytes) -> None:
        try:
            self._channel.sendall(data)
        except (OSError, EOFError) as error:
            raise BrokenPipeError(f"{self._host}: '{self._name}' no longer reads") from error

    def close_stdin(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def read(self, size: int) -> bytes:
        return self._channel.recv(size)

    def read_stderr(self, size: int) -> bytes:
        return self._channel.recv_stderr(size)

    def wait(self) -> int:
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


class Host(Shell):
    """A host reached by SSH. Connects on first use; one connection carries every command."""

    def __init__(self, target: Target, config: Config | None = None) -> None:
        self.target = target
        self.name = target.spec
        self.config = config
        self._connection: fabric.Connection | None = None
        self.accepted_key = ""
        """Fingerprint of the host key when this connection was the first to see it."""

    def start(self, command: Command) -> RemoteProcess:
        channel = self._session()
        channel.exec_command(command.shell())
        return RemoteProcess(channel, self.name, command.title)

    def connect(self) -> None:
        """Open the connection now. Raises DeployError that says what failed and what to do."""
        if self._connection is None:
            self._connection = _open(self)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _session(self) -> paramiko.Channel:
        self.connect()
        transport = self._connection.transport if self._connection else None
        if transport is None or not transport.is_active():
            raise LinkLostError(
                f"{self.name}: the connection was lost", "check the network, then run the command again"
            )
        try:
            channel: paramiko.Channel = transport.open_session(timeout=30)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise LinkLostError(f"{self.name}: cannot open a channel ({error})", "run the command again") from error
        return channel


def _open(host: Host) -> fabric.Connection:
    target = host.target
    known = known_keys(target)
    policy = CheckHostKey(target, known)
    passphrase = None
    while True:
        connection = _connection(host, known, passphrase)
        connection.client.set_missing_host_key_policy(policy)
        try:
            with _agent_of(target), _proxy(target) as sock:
                if sock is not None:
                    connection.connect_kwargs["sock"] = sock
                connection.open()
        except DeployError:
            raise
        except paramiko.AuthenticationException as error:
            if passphrase is None and (passphrase := _ask_passphrase(target)) is not None:
                continue
            raise _refused(target) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
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


@contextlib.contextmanager
def _agent_of(target: Target) -> Iterator[None]:
    """IdentityAgent, for the moment of authentication: paramiko only knows the environment variable."""
    before = os.environ.get("SSH_AUTH_SOCK")
    if target.identity_agent and target.identity_agent != "none":
        os.environ["SSH_AUTH_SOCK"] = target.identity_agent
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("SSH_AUTH_SOCK", None)
        else:
            os.environ["SSH_AUTH_SOCK"] = before


def _ask_passphrase(target: Target) -> str | None:
    """The passphrase of an encrypted identity file, when there is one and somebody to ask."""
    encrypted = [path for path in target.identity_files if _is_encrypted(str(path))]
    if not encrypted or not sys.stdin.isatty():
        return None
    return getpass.getpass(f"Passphrase for {encrypted[0]}: ")


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


def _unreachable(target: Target, error: BaseException) -> DeployError:
    reason = str(error) or type(error).__name__
    return DeployError(
        f"{target.spec}: cannot connect to {target.hostname} port {target.port}: {reason}",
        f"check it with: {target.ssh.then(target.destination, 'true')}",
    )
