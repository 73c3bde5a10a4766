"""`db.backups`: what there is, how old it is, and whether it was proved."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime

from deploy.data.repository import Stored
from deploy.model.backup import ACCOUNTS
from deploy.model.offsite import Copy
from deploy.model.settings import LOCAL
from deploy.tasks.app import App
from deploy.tasks.base import JSON_HELP, task
from deploy.tasks.offsite import copies_of
from deploy.tasks.place import PLACE_HELP, place_of
from deploy.tasks.schedule import scheduled
from deploy.ui.units import age, count, duration, size

HEADINGS = ("backup", "age", "size", "rows", "stores", "label", "release", "proved", "off-site", "problem")


@task(
    iterable=("host",),
    help=PLACE_HELP
    | {
        "offsite": "look into the off-site repository, and list those that are only there, too",
        "json": JSON_HELP,
    },
)
def backups(app: App, host: list[str], env: str = LOCAL, offsite: bool = False, json: bool = False) -> None:
    """List the backups, oldest first: age, size, what is in them, what a drill found; damaged ones are named.

    Whether one is off-site is as it was when that was last looked at; --offsite looks.
    Example: inv db.backups --env prod --host app1
    """
    with place_of(app, env, host) as place:
        copies = {one.id: one for one in copies_of(app, place, ask=offsite)}
        stored = place.repository.backups()
        here = {one.manifest.id for one in stored}
        away = [one for one in copies.values() if offsite and one.id not in here]
        known = copies.keys() if place.environment.offsite else None
        if json:
            app.console.json([*map(_copy_document, away), *(_document(one, known) for one in stored)])
            return
        now = datetime.now(UTC)
        rows = [
            *((one.started_at, _copy_row(one, now)) for one in away),
            *((one.manifest.started_at, _row(one, now, known)) for one in stored),
        ]
        app.console.table(HEADINGS, [row for _, row in sorted(rows)])
        for name, size_bytes in place.repository.unfinished().items():
            app.console.warn(
                f"{name} ({size(size_bytes)}) is no backup: it is being made, or was left by a run that was killed; "
                "the next inv db.backup removes it"
            )
        for line in scheduled(place):
            app.console.data(line)
        elsewhere = f"; {count(len(away), 'other')} off-site only" if away else ""
        app.console.say(f"{count(len(stored), 'backup')} in {place.repository.folder} on {place.where}{elsewhere}.")


def _row(one: Stored, now: datetime, known: Container[str] | None) -> tuple[str, ...]:
    manifest = one.manifest
    return (
        manifest.id,
        age(manifest.started_at, now),
        size(manifest.size_bytes),
        str(manifest.rows),
        ", ".join(part.title for part in manifest.parts if part.kind not in ACCOUNTS),
        str(manifest.label),
        manifest.release,
        _proof(one, now),
        "" if known is None else "yes" if manifest.id in known else "no",
        one.problem,
    )


def _copy_row(one: Copy, now: datetime) -> tuple[str, ...]:
    stores = ", ".join(sorted(one.services))
    about = (str(one.label), one.release, "", "only", "")
    return (one.id, age(one.started_at, now), size(one.size_bytes), "", stores, *about)


def _copy_document(one: Copy) -> dict[str, object]:
    return {
        "id": one.id,
        "bytes": one.size_bytes,
        "started_at": one.started_at.isoformat(),
        "label": one.label,
        "release": one.release,
        "here": False,
        "offsite": True,
    }


def _document(one: Stored, known: Container[str] | None) -> dict[str, object]:
    manifest, proof = one.manifest, one.proof
    return {
        "id": manifest.id,
        "bytes": manifest.size_bytes,
        "rows": manifest.rows,
        "started_at": manifest.started_at.isoformat(),
        "label": manifest.label,
        "release": manifest.release,
        "parts": [
            {"name": part.title, "kind": part.kind, "bytes": part.size_bytes, "count": part.count}
            for part in manifest.parts
        ],
        "proved": one.proved,
        "proof": {
            "at": proof.at.isoformat(),
            "by": proof.by,
            "recover_s": proof.recover_s,
            "problems": proof.problems,
        }
        if proof
        else None,
        "problem": one.problem,
        "here": True,
        "offsite": None if known is None else manifest.id in known,
    }


def _proof(one: Stored, now: datetime) -> str:
    if one.proof is None:
        return "no"
    return f"{age(one.proof.at, now)}, {duration(one.proof.recover_s)}" if one.proof.ok else "failed"
