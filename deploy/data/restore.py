"""Restoring: everything beside what is live first, compared, and only then in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from deploy.data.repository import Repository, Stored
from deploy.data.store import Prepared, Restoring, Store
from deploy.model.backup import Content, Manifest, Part
from deploy.model.errors import CommandError, DeployError
from deploy.ui import Console, Step

Pairs = Sequence[tuple[Part, Store]]


def pair(stored: Stored, parts: Sequence[Part], stores: Sequence[Store]) -> Pairs:
    """Each part with the store it belongs into. Raises DeployError for one that has none here."""
    found = [(part, next((store for store in stores if store.holds(part)), None)) for part in parts]
    homeless = [part.title for part, store in found if store is None]
    if homeless:
        raise DeployError(
            f"{stored.manifest.id} has {', '.join(homeless)}, and nothing of that name runs here",
            "--only NAME restores what is named, and can be repeated",
        )
    return [(part, store) for part, store in found if store is not None]


def check_backup(repository: Repository, stored: Stored, pairs: Pairs) -> None:
    """Refuse a backup that cannot be restored here, before anything is touched. Raises DeployError."""
    name = stored.manifest.id
    if stored.problem:
        raise DeployError(f"{name} cannot be restored: {stored.problem}", "choose another: inv db.backups")
    for part, store in pairs:
        if repository.sha256(stored.manifest, part) != part.sha256:
            raise DeployError(
                f"{name} cannot be restored: the content of {part.file} has changed since it was made",
                "choose another: inv db.backups",
            )
        store.check(part)


def loss(pairs: Pairs) -> tuple[str, ...]:
    """What restoring would change, table by table and folder by folder, in words.

    Raises DeployError for a part that nothing there can take.
    """
    lines: list[str] = []
    for part, store in pairs:
        try:
            live = store.contents(part)
        except CommandError:
            lines.append(f"{part.title}: what would be lost cannot be counted: somebody holds a lock on a table")
            continue
        lines += [
            f"{part.place} {name}: {_there(live.get(name))} now, {_there(part.contents.get(name))} after"
            for name in sorted({*live, *part.contents})
            if _there(live.get(name)) != _there(part.contents.get(name))
        ]
    return tuple(lines) or ("there is as much of everything now as in the backup",)


def _there(content: Content | None) -> str:
    return "none" if content is None else str(content.count)


def restore(
    pairs: Pairs,
    repository: Repository,
    backup: Manifest,
    now: datetime,
    console: Console,
    by: str,
    paused: Callable[[], AbstractContextManager[None]],
) -> tuple[str, ...]:
    """Restore parts beside what is live, compare them, and swap all of them in while users are `paused`.

    Nobody else takes or restores a backup meanwhile, a deploy that is about to migrate neither. Returns the names under
    which what was live is kept. Raises DeployError before anything is swapped when any of it is not right; what is live
    has not been touched then.
    """
    with repository.locked(f"{by}: restore of {backup.id}"):
        prepared = _prepared(pairs, repository, backup, now, console)
        kept: list[str] = []
        try:
            with console.step("Swap it in") as step, paused():
                for one in prepared:
                    kept.append(_swapped(one, prepared, backup, step))  # noqa: PERF401  # how many, where one fails
                step.result = ", ".join(f"what was live is kept as {name}" for name in kept if name)
        except BaseException:
            for left in prepared[len(kept) :]:
                left.discard()
            raise
    return tuple(name for name in kept if name)


def _prepared(
    pairs: Pairs, repository: Repository, backup: Manifest, now: datetime, console: Console
) -> Sequence[Prepared]:
    """Every part beside what is live. When one of them cannot be, none is left."""
    mark = f"{now:%Y%m%d%H%M%S}"
    prepared: list[Prepared] = []
    try:
        with console.step("Restore beside what is live, and compare") as step:
            restoring = Restoring(repository, backup, mark, step)
            for part, store in pairs:
                prepared.append(store.prepare(part, restoring))
            step.result = ", ".join(part.title for part, _ in pairs)
    except BaseException:
        for one in prepared:
            one.discard()
        raise
    return prepared


def _swapped(one: Prepared, all_parts: Sequence[Prepared], backup: Manifest, step: Step) -> str:
    try:
        return one.swap(step)
    except CommandError as error:
        done = [other.part.title for other in all_parts[: all_parts.index(one)]]
        before = f"{', '.join(done)} is as in {backup.id} already; " if done else ""
        raise DeployError(
            f"{one.part.title} could not be swapped in",
            f"{before}mend what is said above, then restore again",
            details=error.stderr,
        ) from error
