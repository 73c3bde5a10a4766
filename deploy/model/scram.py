"""What PostgreSQL keeps of a password (RFC 5803): sent instead of it, nobody who reads a server's log learns it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_ROUNDS = 4096
_SALT_BYTES = 16


def verifier(password: str, salt: bytes = b"") -> str:
    """For `ALTER ROLE … PASSWORD`. Raises ValueError for a password that is not printable ASCII.

    Others would have to be normalized as every client does it.
    """
    if not password.isascii() or not password.isprintable():
        raise ValueError("not printable ASCII")
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
    stored = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256${_ROUNDS}:{_text(salt)}${_text(stored)}:{_text(_mac(salted, b'Server Key'))}"


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
