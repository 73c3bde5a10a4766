"""Making an env file from its documented example, and the secrets that it asks for."""

from __future__ import annotations

import base64
import re
import secrets
import string
import uuid
from collections.abc import Callable, Mapping

from deploy.model.envfile.edit import quoted
from deploy.model.envfile.parse import Assignment, parse
from deploy.model.errors import UsageError, nearest

_RANDOM = re.compile(r"<random:(\d+)>")
_ALPHABET = string.ascii_letters + string.digits  # nothing that a shell, a URL or a parser of env files gives a meaning
_HINT = re.compile(r"#\s*generate:\s*(?P<kind>\S+)[ \t\r]*$")
_COMMENTED = re.compile(r"^[ \t]*#[ \t]?([A-Z_][A-Z0-9_]*)=", re.MULTILINE)
_PASSWORD = 32
_FERNET_BYTES = 32
_MOST = 4096


def random_text(length: int) -> str:
    """Letters and digits from the system's secure source."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


_SIZED: Mapping[str, Callable[[int], str]] = {
    "hex": lambda digits: secrets.token_hex((digits + 1) // 2)[:digits],
    "base64": lambda size: base64.b64encode(secrets.token_bytes(size)).decode(),
}
_FIXED: Mapping[str, Callable[[], str]] = {
    "password": lambda: random_text(_PASSWORD),
    "fernet": lambda: base64.urlsafe_b64encode(secrets.token_bytes(_FERNET_BYTES)).decode(),
    "uuid": lambda: str(uuid.uuid4()),
}
KINDS = ("50", "hex:64", "base64:32", *_FIXED)
"""What may follow `# generate:`, numbers being examples."""


def fill_example(
    text: str, generate: Callable[[int], str] = random_text, source: str = ".env.example"
) -> tuple[str, tuple[str, ...]]:
    """The example with its secrets made, and the names that got one.

    `<random:N>` becomes N random characters. The value after a comment `# generate: KIND`, in the line above or at the
    end of its own, becomes one of that kind; the comment stays. Raises UsageError with file and line.
    """
    names: list[str] = []
    for one in reversed(parse(text, source)):
        kind, inside = _hint(text, one)
        written = text[one.value_start : one.value_end]
        if kind:
            made = quoted(_generated(kind, generate, f"{source}:{one.line}"), one.quote)
            made = f"{made} {written}" if inside else made
        else:
            made = _RANDOM.sub(lambda found: generate(int(found[1])), written)
        if made != written:
            names.append(one.name)
            text = text[: one.value_start] + made + text[one.value_end :]
    return text, tuple(reversed(names))


def generators(text: str, source: str) -> Mapping[str, str]:
    """Names of an example's secrets, each with its kind as KINDS has them. Raises UsageError with file and line."""
    found = {}
    for one in parse(text, source):
        random = _RANDOM.fullmatch(one.raw)
        kind = _hint(text, one)[0] or (random[1] if random else "")
        if kind:
            found[one.name] = kind
    return found


def generated(kind: str, source: str) -> str:
    """A new secret of a kind. Raises UsageError for a kind that there is not, beginning with `source`."""
    return _generated(kind, random_text, source)


def documented(text: str, source: str) -> Mapping[str, str | None]:
    """Names that an example knows with their values there; None for one in a comment (`# NAME=…`).

    A value that is to be made is blank. Raises UsageError with file and line.
    """
    found: dict[str, str | None] = dict.fromkeys(_COMMENTED.findall(text))
    for one in parse(text, source):
        made = _hint(text, one)[0] or _RANDOM.search(one.raw)
        found[one.name] = "" if made else one.raw
    return found


def _hint(text: str, one: Assignment) -> tuple[str, bool]:
    """The kind of a statement's secret, empty where none is to be made; whether compose takes the comment for a value.

    That is where nothing stands before the comment.
    """
    line_end = text.find("\n", one.value_start)
    end = len(text) if line_end < 0 else line_end
    inside = _HINT.fullmatch(text[one.value_start : end])
    own = inside or _HINT.fullmatch(text[one.value_end : max(end, one.value_end)].lstrip())
    if own:
        return own["kind"], bool(inside)
    for line in reversed(text[: one.start].split("\n")[:-1]):
        above = _HINT.fullmatch(line.strip())
        if above or not line.lstrip().startswith("#"):
            return (above["kind"] if above else ""), False
    return "", False


def _generated(kind: str, generate: Callable[[int], str], where: str) -> str:
    if kind in _FIXED:
        return _FIXED[kind]()
    name, colon, number = kind.partition(":") if ":" in kind else ("", "", kind)
    if number.isdecimal() and 0 < int(number) <= _MOST and (not colon or name in _SIZED):
        return _SIZED[name](int(number)) if colon else generate(int(number))
    if name in _SIZED or number.isdecimal():
        raise UsageError(f"{where}: generate: {kind}: a length is a number from 1 to {_MOST}", "for example hex:32")
    raise UsageError(f"{where}: generate: {kind}: there is no such kind of secret", nearest(kind, KINDS))
