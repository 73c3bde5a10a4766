"""What `--host` names, resolved the way `ssh` would: by asking `ssh -G`, so that every directive of the user's
configuration counts (Include, Match, ProxyJump, IdentityFile, …)."""

from __future__ import annotations

import dataclasses
import getpass
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError

_SPEC = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?:\[(?P<ipv6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:@\s\[\]/]+))(?::(?P<port>\d+))?/?"
)


LAST_PORT = 65535


@dataclass(frozen=True)
class Target:
    """A host as the user named it and as OpenSSH resolves it."""

    spec: str
    """As typed; how messages and the journal call the host."""
    hostname: str
    user: str
    port: int
    identity_files: tuple[Path, ...]
    identities_only: bool
    identity_agent: str
    """Path of the agent's socket, or empty for the one in SSH_AUTH_SOCK, or "none"."""
    proxy: Command | None
    """A command whose standard input and output lead to the host's SSH port."""
    known_hosts: tuple[Path, ...]
    """Files to look a host key up in; a new one is written to the first."""
    host_key_name: str
    """The name the key is filed under: host, or [host]:port off port 22, or HostKeyAlias."""
    hash_known_hosts: bool
    strict: bool
    """Refuse keys never seen before (StrictHostKeyChecking yes)."""
    connect_timeout_s: int
    ssh: Command
    """`ssh` with the options that reach this host, without the destination."""
    destination: str

    def as_user(self, user: str, identities: Sequence[Path] = ()) -> Target:
        """The same host for another user, with further keys to try before the usual ones."""
        ssh = self.ssh.option("-l", user).each("-i", (str(path) for path in identities))
        files = (*identities, *self.identity_files)
        return dataclasses.replace(self, spec=f"{user}@{bare(self.spec)}", user=user, identity_files=files, ssh=ssh)

    @property
    def address(self) -> str:
        """The host as a browser or another program reaches it."""
        return self.hostname

    def interactive(self, remote: Command, *, tty: bool) -> Command:
        """The command that hands the terminal to OpenSSH: keys, resizes and exit status are those of `ssh -t`."""
        return self.ssh.flag("-t", tty).then(self.destination, remote.shell())


def resolve(spec: str, config_file: Path | None = None) -> Target:
    """A target for `user@host[:port]`, `ssh://…`, `[v6]:port` or a name from the user's SSH configuration.

    Raises UsageError for a text that cannot name a host.
    """
    match = _SPEC.fullmatch(spec)
    if not match or spec.startswith("-"):
        shown = spec if spec.isprintable() else repr(spec)
        raise UsageError(
            f"--host {shown}: cannot be read as a host",
            "write user@server, user@server:2222 or a name from ~/.ssh/config",
        )
    if match["port"] and not 0 < int(match["port"]) <= LAST_PORT:
        raise UsageError(f"--host {spec}: {match['port']} is no port", f"ports are from 1 to {LAST_PORT}")
    host = match["ipv6"] or match["host"]
    base = Command("ssh").option("-F", str(config_file) if config_file else None).option("-p", match["port"])
    base = base.option("-l", match["user"])
    options = _ask_ssh(base.then("-G", "--", host), spec)
    hostname, port = _first(options, "hostname"), int(_first(options, "port"))
    user = _first(options, "user") or getpass.getuser()
    tokens = {"%": "%", "h": hostname, "n": host, "p": str(port), "r": user}
    tokens |= {"u": getpass.getuser(), "d": str(Path.home())}
    name = _first(options, "hostkeyalias") or (hostname if port == 22 else f"[{hostname}]:{port}")  # noqa: PLR2004
    return Target(
        spec=spec,
        hostname=hostname,
        user=user,
        port=port,
        identity_files=tuple(
            path for text in options.get("identityfile", ()) if (path := _path(_expanded(text, tokens))).is_file()
        ),
        identities_only=_first(options, "identitiesonly") == "yes",
        identity_agent=_agent(_first(options, "identityagent")),
        proxy=_proxy(options, hostname, port, config_file),
        known_hosts=tuple(
            path
            for key in ("userknownhostsfile", "globalknownhostsfile")
            for path in _paths(_first(options, key))
            if str(path) != "none"
        ),
        host_key_name=name,
        hash_known_hosts=_first(options, "hashknownhosts") == "yes",
        strict=_first(options, "stricthostkeychecking") in {"yes", "true"},
        connect_timeout_s=int(_timeout) if (_timeout := _first(options, "connecttimeout")).isdigit() else 10,
        ssh=base,
        destination=host,
    )


def bare(spec: str) -> str:
    """What names a host, without its user."""
    return spec.removeprefix("ssh://").rpartition("@")[2]


def _ask_ssh(command: Command, spec: str) -> Mapping[str, Sequence[str]]:
    """`ssh -G` as keyword to values, in order."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DeployError(
            "'ssh' is not installed on this machine", "install it, for example: apt-get install openssh-client"
        ) from error
    if answer.returncode:
        remedy = "mend what ssh says above: in the name itself, or in ~/.ssh/config"
        raise UsageError(f"--host {spec}: ssh does not accept it", remedy, details=answer.stderr)
    options: dict[str, list[str]] = {}
    for line in answer.stdout.splitlines():
        key, _, value = line.partition(" ")
        options.setdefault(key.lower(), []).append(value)
    return options


def _proxy(options: Mapping[str, Sequence[str]], hostname: str, port: int, config_file: Path | None) -> Command | None:
    """OpenSSH itself makes the hops, so jump hosts get its keys, agents and host key checks too."""
    jump, command = _first(options, "proxyjump"), _first(options, "proxycommand")
    if jump and jump != "none":
        *before, last = jump.split(",")
        hop = Command("ssh").option("-F", str(config_file) if config_file else None)
        hop = hop.option("-J", ",".join(before) or None)
        last = last.removeprefix("ssh://")
        at, _, hop_port = last.rpartition(":")
        if at and hop_port.isdigit():
            hop, last = hop.then("-p", hop_port), at
        return hop.then("-W", f"[{hostname}]:{port}", "--", last.strip("[]") if last.startswith("[") else last)
    if command and command != "none":
        values = {"%": "%", "h": hostname, "p": str(port), "r": _first(options, "user"), "n": hostname}
        return Command("sh", "-c", f"exec {_expanded(command, values)}")
    return None


def _agent(value: str) -> str:
    return "" if value.lower() in {"", "ssh_auth_sock", "$ssh_auth_sock"} else str(_path(value))


def _expanded(text: str, tokens: Mapping[str, str]) -> str:
    """`ssh -G` prints some values with their tokens (ssh_config(5), TOKENS) as they were written."""
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _paths(text: str) -> Iterator[Path]:
    """Several files, which `ssh -G` prints without the quotation marks that keep them apart: the longest that exist."""
    words = text.split(" ") if text else []
    while words:
        ends = range(len(words), 1, -1)
        end = next((end for end in ends if _path(" ".join(words[:end])).is_file()), 1)
        yield _path(" ".join(words[:end]))
        del words[:end]


def _path(text: str) -> Path:
    return Path(text.strip('"')).expanduser()


def _first(options: Mapping[str, Sequence[str]], key: str) -> str:
    return next(iter(options.get(key, ())), "")
