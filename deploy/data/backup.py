"""Taking a backup: every store copied, checked, and only then given a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.data.encryption import encrypted
from deploy.data.repository import Repository, Writing
from deploy.data.store import Store
from deploy.model.backup import DATABASES, Label, Manifest, Part, StoreKind, backup_id
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.ui import Step
from deploy.ui.units import count, size


@dataclass(frozen=True)
class Origin:
    """What a backup is of, and who takes it."""

    project: str
    release: str
    label: Label
    by: str


def take_backup(stores: Sequence[Store], repository: Repository, origin: Origin, now: datetime, step: Step) -> Manifest:
    """Copy stores into one recovery point and prove its files readable. Constant memory: no byte passes through here.

    Raises DeployError when anything on the way fails; then nothing is left that looks like a backup.
    """

    def parts(writing: Writing) -> Iterator[Part]:
        for store in stores:
            try:
                yield from store.back_up(writing)
            except CommandError as error:
                raise DeployError(f"{store.title} could not be copied", details=error.stderr) from error

    return write_backup(repository, origin, now, step, parts, lambda: sum(one.expected_bytes() for one in stores))


def write_backup(
    repository: Repository,
    origin: Origin,
    now: datetime,
    step: Step,
    parts: Callable[[Writing], Iterable[Part]],
    expected_bytes: Callable[[], int] = lambda: 0,
) -> Manifest:
    """A backup of whatever parts are written. Raises DeployError; nothing is left then."""
    began = time.monotonic()
    name = backup_id(origin.project, now)
    with repository.locked(f"{origin.by}: {origin.label} backup {name}"):
        try:
            repository.run("begin.sh", name, expected_bytes())
            writing = Writing(repository, name, step)
            written = tuple(parts(writing))
            if repository.recipients:
                written = tuple(encrypted(writing, part) for part in written)
            took = round(time.monotonic() - began, 2)
            manifest = Manifest(name, origin.project, origin.label, origin.release, now, took, origin.by, written)
            repository.run("commit.sh", name, stdin=manifest.to_json().encode())
        except BaseException as error:
            repository.run("discard.sh", name, check=False)
            if isinstance(error, DeployError) and not isinstance(error, UsageError):
                raise DeployError(
                    f"{repository.shell.name}: no backup was made: {error.message}",
                    error.remedy or "nothing was left behind",
                    details=error.details,
                ) from error
            raise
    step.result = f"{manifest.id}: {size(manifest.size_bytes)}, {told(manifest.parts)}"
    return manifest


def told(parts: Sequence[Part]) -> str:
    """What parts of a backup hold, in words."""

    def of(*kinds: StoreKind) -> list[Part]:
        return [part for part in parts if part.kind in kinds]

    databases, folders = of(*DATABASES), of(StoreKind.FILES)
    words = []
    if databases:
        tables = sum(len(part.contents) for part in databases)
        words.append(f"{count(sum(part.count for part in databases), 'row')} in {count(tables, 'table')}")
    for kind, noun in ((StoreKind.REDIS, "key"), (StoreKind.QDRANT, "point")):
        if found := of(kind):
            words.append(count(sum(part.count for part in found), noun))
    if folders:
        words.append(f"{count(sum(part.count for part in folders), 'file')} in {count(len(folders), 'folder')}")
    return ", ".join(words) or "nothing"
