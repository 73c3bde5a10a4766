"""What users name of a backup by `--only`: services, databases and folders, and single tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deploy.model.backup import DATABASES, Part, StoreKind
from deploy.model.errors import UsageError, nearest

USUAL_SCHEMA = "public."
FEW = 12
"""As many names as fit into an error."""


@dataclass(frozen=True)
class SomeTables(Part):
    """Some tables of a database, to be restored without the others: `contents` are theirs alone."""

    @classmethod
    def of(cls, part: Part, names: Iterable[str]) -> SomeTables:
        """`names` are as `contents` has them."""
        own = {one.name: getattr(part, one.name) for one in dataclasses.fields(part)}
        return cls(**own | {"contents": {name: part.contents[name] for name in sorted(set(names))}})

    @property
    def title(self) -> str:
        """`db/shop/orders`, `db/shop/audit.orders`: how users name them."""
        return ", ".join(f"{self.place}/{name.removeprefix(USUAL_SCHEMA)}" for name in self.contents)


def chosen(parts: Iterable[Part], only: Iterable[str]) -> tuple[Part, ...]:
    """The parts that users name; all without a name. Raises UsageError for a name that is none's."""
    parts, only = tuple(parts), tuple(only)
    for word in only:
        if not any(part.is_called(word) for part in parts):
            raise _unknown(parts, word)
    return tuple(part for part in parts if not only or any(part.is_called(word) for word in only))


def chosen_tables(parts: Iterable[Part], only: Iterable[str]) -> tuple[Part, ...]:
    """The same, where users may name single tables, too: SERVICE/DATABASE/TABLE. Raises UsageError."""
    parts, only = tuple(parts), tuple(only)
    words = [word for word in only if not any(part.is_called(word) for part in parts)]
    tables: dict[int, list[str]] = {}
    for word in words:
        part = home(parts, word)
        tables.setdefault(parts.index(part), []).append(_table(part, word))
    others = [word for word in only if word not in words]
    whole = chosen(parts, others) if others or not only else ()
    picked = (SomeTables.of(part, tables[n]) if n in tables else part for n, part in enumerate(parts))
    return tuple(
        part if part in whole else some
        for part, some in zip(parts, picked, strict=True)
        if part in whole or isinstance(some, SomeTables)
    )


def home(parts: Sequence[Part], word: str) -> Part:
    """The part that a word names, or that a table it names is of. Raises UsageError."""
    called = [part for part in parts if part.is_called(word)]
    around = [part for part in parts if part.kind in DATABASES and _within(part, word)]
    found = [*called, *sorted(around, key=lambda part: len(part.name), reverse=True)]
    if not found:
        raise _unknown(parts, word)
    return found[0]


def _within(part: Part, word: str) -> str:
    """What a word names in a database; empty where it names nothing there."""
    for name in (part.place, part.name):
        if word.startswith(f"{name}/"):
            return word[len(name) + 1 :]
    return ""


def _table(part: Part, word: str) -> str:
    """The table of a database that a word names, as `contents` has it. Raises UsageError."""
    if part.kind != StoreKind.POSTGRES:
        raise UsageError(
            f"--only {word}: a table of MariaDB or MySQL cannot be restored alone",
            f"--only {part.place} --into NAME restores the database beside the live one; copy its rows from there",
        )
    name = _within(part, word)
    found = _tables_called(part, name)
    if not found:
        raise UsageError(f"--only {word}: {part.place} has no table '{name}' in the backup", _known(part, name))
    if len(found) > 1:
        raise UsageError(
            f"--only {word}: {part.place} has more than one table '{name}'",
            f"name its schema, too: --only {part.place}/{found[0]}; there are {', '.join(found)}",
        )
    return found[0]


def _tables_called(part: Part, name: str) -> Sequence[str]:
    """With its schema or without, which is then the usual one, or whichever has one of that name."""
    for exact in (name, USUAL_SCHEMA + name):
        if exact in part.contents:
            return [exact]
    return [known for known in part.contents if known.partition(".")[2] == name]


def _known(part: Part, name: str) -> str:
    known = [one.removeprefix(USUAL_SCHEMA) for one in part.contents]
    if not known:
        return "there is none at all"
    said = nearest(name, known)
    return said if said.endswith("?") or len(known) <= FEW else f"it has {', '.join(known[:FEW])}, …"


def _unknown(parts: Sequence[Part], word: str) -> UsageError:
    """A table that is named without its database is told that."""
    _, _, table = word.rpartition("/")
    homes = [part for part in parts if part.kind == StoreKind.POSTGRES and _tables_called(part, table)]
    remedy = f"it has {', '.join(part.title for part in parts)}"
    if homes:
        remedy += f"; a table is named with its database: {homes[0].place}/{table}"
    return UsageError(f"--only {word}: the backup has no such part", remedy)
