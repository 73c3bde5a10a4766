"""Whom we talk to: host keys checked as OpenSSH does with `StrictHostKeyChecking accept-new`.

A key never seen is accepted once and written down, a key that changed is refused. Lookups are left to `ssh-keygen -F`,
which knows hashed names, patterns and markers; the file is only ever appended to, never rewritten.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import paramiko

from deploy.model.errors import DeployError
from deploy.remote.target import Target


@dataclass(frozen=True)
class KnownKey:
    """One line of a known_hosts file that applies to a host."""

    type: str
    base64: str
    marker: str
    """"revoked", "cert-authority" or empty."""
    file: Path


def known_keys(target: Target) -> list[KnownKey]:
    """Every key on file for the host."""
    return [key for file in target.known_hosts if file.is_file() for key in _lookup(target.host_key_name, file)]


class CheckHostKey(paramiko.MissingHostKeyPolicy):
    """Decides on the key a server shows. Paramiko asks it for every key, since we load none into its own store."""

    def __init__(self, target: Target, known: list[KnownKey]) -> None:
        self._target = target
        self._known = known
        self.accepted: str = ""
        """Fingerprint of a key that was new and has been written down."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002
        shown = key.get_base64()
        if any(known.marker == "revoked" and known.base64 == shown for known in self._known):
            raise DeployError(
                f"{self._target.spec}: its host key is marked as revoked", "do not connect; ask whoever runs the host"
            )
        trusted = [known for known in self._known if not known.marker]
        if any(known.base64 == shown for known in trusted):
            return
        if trusted:
            raise self._changed(key, trusted)
        if self._target.strict:
            raise DeployError(
                f"{self._target.spec}: its host key is not known, and StrictHostKeyChecking is on",
                f"compare {key.fingerprint} with the host's, then: ssh-keyscan -p {self._target.port} "
                f"{self._target.hostname} >> {self._target.known_hosts[0]}",
            )
        self._write_down(key)

    def _changed(self, key: paramiko.PKey, trusted: list[KnownKey]) -> DeployError:
        return DeployError(
            f"{self._target.spec}: the host key has changed (now {key.get_name()} {key.fingerprint}): somebody may be "
            "listening in, or the host was installed anew",
            f"if the host was installed anew: ssh-keygen -f {trusted[0].file} -R '{self._target.host_key_name}'",
        )

    def _write_down(self, key: paramiko.PKey) -> None:
        name = self._target.host_key_name
        if self._target.hash_known_hosts:
            name = paramiko.HostKeys.hash_host(name)
        file = self._target.known_hosts[0]
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{name} {key.get_name()} {key.get_base64()}\n")
        self.accepted = key.fingerprint


def _lookup(name: str, file: Path) -> list[KnownKey]:
    found = subprocess.run(["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, text=True, check=False)
    keys = []
    for line in found.stdout.splitlines():
        words = line.split()
        if not words or words[0] == "#":
            continue
        marker = words.pop(0).lstrip("@") if words[0].startswith("@") else ""
        if len(words) >= 3:  # noqa: PLR2004  # names, type, key
            keys.append(KnownKey(words[1], words[2], marker, file))
    return keys
