"""`x-deploy`: what a service says about itself beside its compose definition."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.command import Command
from deploy.model.errors import UsageError, nearest
from deploy.model.kinds import Kind

COMMANDS = ("migrate", "pending", "list_pending", "makemigrations", "shell", "test")
Backup = bool | tuple[str, ...] | None
"""Nothing of a service, all, or some of its volumes and folders by name; unsaid, what can be copied as it runs."""
KEYS = (*COMMANDS, "kind", "overlap", "health_path", "tcp", "keep", "backup", "proof", "point_in_time", "allow")


@dataclass(frozen=True)
class ServiceOptions:
    """`x-deploy` of one service."""

    kind: Kind | None = None
    """Overrides detection."""
    overlap: bool = False
    """A worker that may run twice during a switch."""
    health_path: str = "/"
    """What the edge is asked for after a switch; any status below 500 is an answer."""
    tcp: tuple[int, ...] = ()
    """Container ports that the edge must pass through as plain TCP."""
    keep: tuple[str, ...] = ()
    """Where folders of the project are mounted that hold data, although git knows files in them."""
    backup: Backup = None
    """What `db.backup` copies of what it keeps."""
    proof: str = ""
    """A query that a restored database must answer with a row that is not false."""
    point_in_time: bool = False
    """Whether the WAL of a PostgreSQL server is kept, so that any moment can be restored."""
    allow: Mapping[str, str] = field(default_factory=dict)
    """Rules that may be broken here: id to the reason."""
    migrate: Command | None = None
    """Brings the database to this release's schema; run once, with the new image, before the release starts."""
    pending: Command | None = None
    """Exits 0 when there is nothing to migrate."""
    list_pending: Command | None = None
    """Prints the name of each pending migration on a line of its own; Django and Alembic need none."""
    makemigrations: Command | None = None
    shell: Command | None = None
    test: Command | None = None
    off: frozenset[str] = frozenset()
    """Commands that are said to be `false`: none is looked for either."""
    found: Mapping[str, str] = field(default_factory=dict)
    """Commands that nobody declared: why each is thought to be the service's."""

    def command(self, name: str) -> Command | None:
        """The command declared under one of COMMANDS."""
        value: Command | None = getattr(self, name)
        return value


def parse_options(raw: object, service: str) -> ServiceOptions:
    """Raises UsageError naming the service, the key and the nearest valid key."""
    where = f"services.{service}.x-deploy"
    if raw is None:
        return ServiceOptions()
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where} is not a mapping", f"it is {raw!r}")
    for key in raw:
        if key not in KEYS:
            raise UsageError(f"{where}.{key}: unknown key", nearest(str(key), KEYS))
    commands: dict[str, Any] = {name: _command(raw[name], f"{where}.{name}") for name in COMMANDS if raw.get(name)}
    return ServiceOptions(
        kind=_kind(raw.get("kind"), where),
        overlap=_boolean(raw.get("overlap", False), f"{where}.overlap"),
        health_path=_path(raw.get("health_path", "/"), f"{where}.health_path"),
        tcp=_ports(raw.get("tcp") or (), f"{where}.tcp"),
        keep=_paths(raw.get("keep") or (), f"{where}.keep"),
        backup=_backup(raw.get("backup"), f"{where}.backup"),
        proof=_text(raw.get("proof", ""), f"{where}.proof"),
        point_in_time=_boolean(raw.get("point_in_time", False), f"{where}.point_in_time"),
        allow=parse_reasons(raw.get("allow"), f"{where}.allow"),
        off=frozenset(name for name in COMMANDS if raw.get(name) is False),
        **commands,
    )


def split(text: str, where: str) -> list[str]:
    """The words of a command, as a shell would part them. Raises UsageError naming `where`."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{where} is not a command: {text} ({error})", "close the quotation") from error


def parse_reasons(raw: Any, where: str) -> dict[str, str]:
    """Ids of rules that may be broken, each with why. Raises UsageError for one without a reason."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise UsageError(f"{where} is not a mapping of rules to reasons", f"it is {raw!r}")
    for name, reason in raw.items():
        if not isinstance(reason, str) or not reason.strip():
            raise UsageError(
                f"{where}.{name}: there is no reason", "say why it is right here, for those who read it later"
            )
    return {str(name): reason.strip() for name, reason in raw.items()}


def split_command(text: str) -> list[str]:
    """The words of a command that is to be run. Raises UsageError where there is none."""
    if words := split(text, "the command"):
        return words
    raise UsageError("the command is empty", "say what to run, quoted as one word")


def _command(value: Any, where: str) -> Command:
    words = split(value, where) if isinstance(value, str) else value
    if isinstance(words, list) and words and all(isinstance(word, str | int) for word in words):
        return Command(*words)
    raise UsageError(f"{where} is not a command", "write a text or a list of words, or false for none")


def _kind(value: Any, where: str) -> Kind | None:
    if value is None:
        return None
    try:
        return Kind(value)
    except ValueError as error:
        raise UsageError(f"{where}.kind: '{value}' is not a kind", nearest(str(value), [*Kind])) from error


def _boolean(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise UsageError(f"{where} is not true or false", f"it is {value!r}")


def _backup(value: Any, where: str) -> Backup:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise UsageError(f"{where} is not true, false, or a list of volumes", f"it is {value!r}")


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    raise UsageError(f"{where} is not a text", f"it is {value!r}")


def _path(value: Any, where: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"/[\x21-\x7e]*", value):
        return value
    raise UsageError(f"{where} is not a path that starts with '/'", f"it is {value!r}")


def _paths(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(path, str) and path.startswith("/") for path in value):
        return tuple(value)
    raise UsageError(f"{where} is not a list of paths in the container", f"it is {value!r}")


def _ports(value: Any, where: str) -> tuple[int, ...]:
    if isinstance(value, list | tuple) and all(map(_is_port, value)):
        return tuple(value)
    raise UsageError(f"{where} is not a list of port numbers", f"it is {value!r}")


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536  # noqa: PLR2004
