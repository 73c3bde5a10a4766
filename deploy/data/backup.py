"""Taking a backup: every store copied, checked, and only then given a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.data.repository import Repository, Writing
from deploy.data.store import Store
from deploy.model.backup import Label, Manifest, Part, StoreKind, backup_id
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
            written = tuple(parts(Writing(repository, name, step)))
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
    step.result = f"{manifest.id}: {size(manifest.size_bytes)}, {told(manifest)}"
    return manifest


def told(manifest: Manifest) -> str:
    """What a backup holds, in words."""
    tables = sum(len(part.contents) for part in manifest.parts if part.kind == StoreKind.POSTGRES)
    folders = [part for part in manifest.parts if part.kind == StoreKind.FILES]
    points = [part for part in manifest.parts if part.kind == StoreKind.QDRANT]
    keys = [part for part in manifest.parts if part.kind == StoreKind.REDIS]
    words = [f"{count(manifest.rows, 'row')} in {count(tables, 'table')}"] if tables or not manifest.parts else []
    words += [f"{count(sum(part.count for part in keys), 'key')}"] if keys else []
    words += [f"{count(sum(part.count for part in points), 'point')}"] if points else []
    words += (
        [f"{count(sum(part.count for part in folders), 'file')} in {count(len(folders), 'folder')}"] if folders else []
    )
    return ", ".join(words) or "no rows"
