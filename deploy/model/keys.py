"""Public SSH keys, as they stand in a `.pub` file and in `authorized_keys`."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from deploy.model.errors import UsageError

TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519@", "sk-ecdsa-sha2-")


@dataclass(frozen=True)
class PublicKey:
    """One key."""

    type: str
    blob: str
    """The key itself, in base64."""
    comment: str = ""

    @property
    def line(self) -> str:
        return f"{self.type} {self.blob} {self.comment}".rstrip()

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(self.blob)).digest()).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}" + (f" ({self.comment})" if self.comment else "")


def parse_public_key(text: str, where: str) -> PublicKey:
    """The only key in a text. Raises UsageError for anything else; what a private key's file holds is never shown."""
    if "PRIVATE KEY" in text:
        raise UsageError(f"{where} holds a private key, which never leaves this machine", f"name {where}.pub")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise UsageError(f"{where} holds {len(lines)} public keys, and one is wanted", "name a file with one key")
    words = lines[0].split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(TYPES) or not _is_key(*words[:2]):  # noqa: PLR2004  # type and key
        raise UsageError(f"{where} is no public SSH key", "for example ~/.ssh/id_ed25519.pub")
    return PublicKey(words[0], words[1], "".join(words[2:]).strip())


def _is_key(kind: str, blob: str) -> bool:
    """Whether a key says of itself what its line says of it: its type, with its length before (RFC 4253, 6.6)."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw[4 : 4 + int.from_bytes(raw[:4])] == kind.encode()
