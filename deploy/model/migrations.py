"""Frameworks whose migrations can be named before they run and taken back afterwards, known by their `migrate` command.

Sources: `showmigrations --plan` and `migrate --plan` as Django 5.2 prints them, `current` and `history -r current:head`
as Alembic 1.18 does, by itself or as `flask db` of Flask-Migrate 4.1.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.journal import Entry, Ran

_DJANGO = re.compile(r"(?:.*/)?(?:manage\.py|django-admin(?:\.py)?)")
_DJANGO_LINE = re.compile(r"\[([ X])\]\s+(\w+)\.(\S+)")
_DJANGO_OPTIONS = ("--database", "--settings", "--pythonpath")
_FLASK_OPTIONS = ("-d", "--directory")
_DJANGO_FILE = re.compile(r"(?:.*/)?([^/]+)/migrations/([^_~./][^/.]*)\.py")
_ALEMBIC_FILE = re.compile(r"(?:.*/)?versions/[^/]+\.py")
_ALEMBIC_REVISION = re.compile(r"^revision(?:\s*:\s*\w+)?\s*=\s*[\"'](\w+)[\"']", re.MULTILINE)
_ALEMBIC_TITLE = re.compile(r"^[\"']{3}(.+?)(?:[\"']{3})?$", re.MULTILINE)
_ALEMBIC_LINE = re.compile(r"\S+(?:, \S+)* -> ([^\s,]+)(?: \([^)]*\))*,? ?(.*)")
DJANGO_NOTHING, ALEMBIC_NOTHING = "zero", "base"
ALEMBIC_REVISION = "revision"


@dataclass(frozen=True)
class Schema:
    """Where a database stands, seen from an image's migrations."""

    pending: tuple[str, ...]
    """Names in the order in which they would run."""
    before: Mapping[str, str] = field(default_factory=dict)
    """What leads back to where it stands: target by what it is a target of."""


class Framework(ABC):
    """One way to migrate."""

    @property
    @abstractmethod
    def looks(self) -> tuple[Command, ...]:
        """Commands that say what is pending. They change nothing."""

    @abstractmethod
    def schema(self, outputs: Sequence[str]) -> Schema:
        """From what these printed."""

    @abstractmethod
    def name_of(self, path: str, read: Callable[[], str]) -> str:
        """What a file of the source is as a migration, named as in a schema; empty for any other file."""

    @abstractmethod
    def ways_back(self, before: Mapping[str, str]) -> tuple[Command, ...]:
        """Commands that lead back to a schema."""

    def tries(self, before: Mapping[str, str]) -> tuple[Command, ...]:  # noqa: ARG002  # for those that can be tried
        """Commands that say whether the way back can be gone, where the framework can tell."""
        return ()

    def hindrances(self, output: str) -> tuple[str, ...]:  # noqa: ARG002
        """Migrations that cannot be taken back, from what one of `tries` printed."""
        return ()


@dataclass(frozen=True)
class Django(Framework):
    """`manage.py`, as far as it is needed to call it, and the options that count for every command of it."""

    prefix: Command
    options: tuple[str, ...]

    @property
    def looks(self) -> tuple[Command, ...]:
        return (self.prefix.then("showmigrations", "--plan", *self.options),)

    def schema(self, outputs: Sequence[str]) -> Schema:
        pending: list[str] = []
        last: dict[str, str] = {}
        before: dict[str, str] = {}
        for done, app, name in _DJANGO_LINE.findall("\n".join(outputs)):
            if done == "X":
                last[app] = name
            else:
                pending.append(f"{app}.{name}")
                before[app] = ""
        return Schema(tuple(pending), {app: last.get(app, DJANGO_NOTHING) for app in before})

    def name_of(self, path: str, read: Callable[[], str]) -> str:  # noqa: ARG002  # the path says it all
        found = _DJANGO_FILE.fullmatch(path)
        return f"{found[1]}.{found[2]}" if found else ""

    def ways_back(self, before: Mapping[str, str]) -> tuple[Command, ...]:
        return tuple(self.prefix.then("migrate", app, name, "--noinput", *self.options) for app, name in before.items())

    def tries(self, before: Mapping[str, str]) -> tuple[Command, ...]:
        return tuple(command.then("--plan") for command in self.ways_back(before))

    def hindrances(self, output: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        migration = ""
        for line in output.splitlines():
            if not line.startswith(" "):
                migration = line.strip()
            elif "IRREVERSIBLE" in line:
                found[migration] = None
        return tuple(found)


@dataclass(frozen=True)
class Alembic(Framework):
    """`alembic` with the options that stand before its command; or `flask db`, with those that stand behind it."""

    prefix: Command
    options: tuple[str, ...] = ()

    @property
    def looks(self) -> tuple[Command, ...]:
        return (
            self.prefix.then("current", *self.options),
            self.prefix.then("history", *self.options, "-r", "current:head"),
        )

    def schema(self, outputs: Sequence[str]) -> Schema:
        current = [line.split()[0] for line in outputs[0].splitlines() if line.strip()]
        found = [match for line in outputs[1].splitlines() if (match := _ALEMBIC_LINE.fullmatch(line.strip()))]
        pending = tuple(
            f"{revision} {title}".rstrip()
            for revision, title in (match.groups() for match in reversed(found))
            if revision not in current
        )
        # from several heads no one revision leads back
        known = pending and len(current) <= 1
        return Schema(pending, {ALEMBIC_REVISION: current[0] if current else ALEMBIC_NOTHING} if known else {})

    def name_of(self, path: str, read: Callable[[], str]) -> str:
        if not _ALEMBIC_FILE.fullmatch(path):
            return ""
        text = read()
        revision, title = _ALEMBIC_REVISION.search(text), _ALEMBIC_TITLE.search(text)
        return f"{revision[1]} {title[1].strip() if title else ''}".rstrip() if revision else ""

    def ways_back(self, before: Mapping[str, str]) -> tuple[Command, ...]:
        return tuple(self.prefix.then("downgrade", *self.options, revision) for revision in before.values())


def framework_of(migrate: Sequence[str]) -> Framework | None:
    """Whose `migrate` command this is; None for one that is not known, or that stands inside a shell's text."""
    words = list(migrate)
    for number, word in enumerate(words):
        if _DJANGO.fullmatch(word) and words[number + 1 : number + 2] == ["migrate"]:
            return Django(Command(*words[: number + 1]), tuple(_kept(words[number + 2 :], _DJANGO_OPTIONS)))
        if word.rpartition("/")[2] == "alembic" and "upgrade" in words[number:]:
            return Alembic(Command(*words[: words.index("upgrade", number)]))
        if word == "db" and words[number + 1 : number + 2] == ["upgrade"] and _is_flask(words[:number]):
            return Alembic(Command(*words[: number + 1]), tuple(_kept(words[number + 2 :], _FLASK_OPTIONS)))
    return None


def _is_flask(words: Sequence[str]) -> bool:
    return any(word.rpartition("/")[2] == "flask" for word in words)


def _kept(words: Sequence[str], options: Sequence[str]) -> Iterator[str]:
    for number, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in options:
            yield from [word] if equals else words[number : number + 2]


def migrated_since(entries: Iterable[Entry], target: str) -> tuple[Entry, ...]:
    """Changes after a release that changed the schema and were not taken back; failed ones too, which may have."""
    found: list[Entry] = []
    for entry in entries:
        if entry.reversed:
            found = [one for one in found if one.release <= entry.release]
        if entry.migrated and entry.release > target:
            found.append(entry)
    return tuple(found)


def taken_back(entries: Iterable[Entry], target: str) -> tuple[str, ...]:
    """Migrations that a release ran or came after, and that are not there any more."""
    ran: dict[str, str] = {}
    gone: dict[str, str] = {}
    for entry in entries:
        if entry.reversed:
            gone |= {name: release for name, release in ran.items() if release > entry.release}
        for name in (name for one in entry.migrations for name in one.names):
            ran[name] = entry.release
            gone.pop(name, None)
    return tuple(name for name, release in gone.items() if release <= target)


def way_back(since: Sequence[Entry], live: str) -> Mapping[str, Mapping[str, str]]:
    """For each service what leads back to the schema before the oldest of some changes.

    Raises DeployError when that is not known, or when it cannot be gone with the live release's migrations.
    """
    found: dict[str, dict[str, str]] = {}
    for entry in since:
        if entry.release > live:
            raise DeployError(
                f"{entry.release} failed after it had migrated: {live}, which is live, does not know its migrations",
                f"deploy what it was made from, then go back; or restore its backup {entry.backup}",
            )
        if not entry.migrations or not all(one.before for one in entry.migrations):
            raise DeployError(
                f"how {entry.release} can be taken back is not known: its migrations are not Django's or Alembic's",
                f"go back without --reverse-migrations, or restore its backup {entry.backup}",
            )
        for one in entry.migrations:
            known = found.setdefault(one.service, {})
            found[one.service] = {**one.before, **known}
    return found


def names_of(migrations: Iterable[Ran]) -> tuple[str, ...]:
    """Names of all of them, each service's own after its name where they are not known."""
    return tuple(name for one in migrations for name in (one.names or (f"migrations of {one.service}",)))
