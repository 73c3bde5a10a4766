"""`db.restore --at`: a database as it was at any moment, made a recovery point like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime

from deploy.data.archive import BaseStore, patient_problem, receiving_problem, recovered
from deploy.data.backup import Origin, told, write_backup
from deploy.data.encryption import decrypted
from deploy.data.postgres_store import PostgresStore
from deploy.data.repository import Writing
from deploy.data.store import Store
from deploy.model.backup import Label, Manifest, Part, StoreKind
from deploy.model.chosen import home
from deploy.model.errors import DeployError, UsageError
from deploy.model.wal import Base, Segment, Span, bases_of, needless, parse_moment, told_spans
from deploy.shell.packaged import packaged
from deploy.tasks.app import App
from deploy.tasks.place import Place, have_age
from deploy.ui.units import size

AT_HELP = "a moment in place of a backup: '2026-11-21 10:05' (your own time), '2026-11-21T09:05:30Z'"


def moment_of(app: App, at: str, env: str) -> datetime:
    """What a user has typed. Raises UsageError for what is no moment, and for an environment that keeps no WAL."""
    if app.settings.environment(env).local:
        raise UsageError("--at is for an environment's hosts: development keeps no WAL", "add --env prod")
    return parse_moment(at, datetime.now(UTC))


def recover(app: App, place: Place, moment: datetime, only: Sequence[str]) -> str:
    """The id of a recovery point that holds databases as they were at a moment. Nothing that runs is touched.

    Raises UsageError, saying what can be recovered, for a moment that cannot.
    """
    from deploy.release.prepare import whoami

    now = datetime.now(UTC)
    manifests = [one.manifest for one in place.repository.backups() if not one.problem]
    wanted = _wanted(place, manifests, only)
    spans = [(store, _span(app, place, store, bases_of(manifests, store.service), moment)) for store in wanted]
    for store, span in spans:
        app.console.say(
            f"{store.service} as of {moment.astimezone():%Y-%m-%d %H:%M:%S %Z} ({moment:%Y-%m-%d %H:%M:%S} UTC), "
            f"from the base in {span.base.manifest.id}"
        )

    have_age(app, place, [span.base.part for _, span in spans])

    def parts(writing: Writing) -> Iterator[Part]:
        place.repository.shell.run(packaged("data", "scratch.sh", "sweep", place.project))
        for store, span in spans:
            yield from _recovered(place, store, span.base, moment, writing)

    names = ", ".join(store.service for store in wanted)
    with app.console.step(f"Recover {names} beside what is live") as step:
        origin = Origin(place.project, place.release, Label.POINT_IN_TIME, whoami())
        needed = sum(int(span.base.part.facts["data_bytes"]) for _, span in spans)
        made = write_backup(place.repository, origin, now, step, parts, lambda: needed)
        step.result = f"{made.id}: {told(made.parts)}"
    return made.id


def _wanted(place: Place, manifests: Sequence[Manifest], only: Sequence[str]) -> tuple[BaseStore, ...]:
    """The databases to recover."""
    if not place.wanted.receiving:
        raise UsageError(
            f"no database on {place.where} keeps its WAL",
            "x-deploy: {point_in_time: true} beside it in the compose file; every moment can be had from the first "
            "inv db.backup on that comes after a deploy with it",
        )
    known = [part for one in manifests for part in one.parts if part.kind in {StoreKind.POSTGRES, StoreKind.ROLES}]
    services = {home(known, word).service for word in only} if only else set(place.wanted.receiving)
    if strange := sorted(services - set(place.wanted.receiving)):
        raise UsageError(f"{', '.join(strange)} keeps no WAL", f"--at is for {', '.join(place.wanted.receiving)}")
    found = tuple(store for store in place.bases() if store.service in services)
    if missing := sorted(services - {store.service for store in found}):
        raise UsageError(f"{', '.join(missing)} does not run on {place.where}", place.start)
    return found


def _span(app: App, place: Place, store: BaseStore, bases: Sequence[Base], moment: datetime) -> Span:
    """What leads to the moment from the newest base before it."""
    service = store.service
    with app.console.step(f"Find what leads to that moment of {service}") as step:
        if problem := receiving_problem(store.server, service):
            app.console.warn(f"{problem}: only what was received before can be had")
        else:
            place.archive.flush(store.server, service)
        spans = place.archive.spans(bases, store.image)
        found = [span for span in spans if moment in span]
        if not found:
            can = f"it can be had {told_spans(spans)}" if spans else "nothing of it can be had"
            how = "--at takes a time in there" if spans else f"inv db.backup{place.words} takes a base to go on from"
            raise UsageError(f"{service} cannot be had as of {moment.astimezone():%Y-%m-%d %H:%M:%S %Z}: {can}", how)
        step.result = f"it can be had {told_spans(spans)}"
        return found[-1]


def _recovered(place: Place, store: BaseStore, base: Base, moment: datetime, writing: Writing) -> Iterator[Part]:
    """The databases of one server as they were."""
    repository, service = place.repository, store.service
    writing.step.show(f"{service}: {size(base.part.size_bytes)} of {base.manifest.id}")
    if repository.sha256(base.manifest, base.part) != base.part.sha256:
        raise DeployError(f"{base.part.title} in {base.manifest.id}: its content has changed since it was made")
    target = moment.isoformat(sep=" ")
    identity = place.environment.encryption.identity
    with (
        decrypted(repository, base.manifest, [base.part], identity, nullcontext(writing.step)) as opened,
        recovered(*opened, base.part.plain, store.image, target, writing.step) as server,
    ):
        for part in PostgresStore(server, service, store.image).back_up(writing):
            yield dataclasses.replace(part, facts={**part.facts, "as_of": moment.isoformat()})


def receivable(stores: Sequence[Store]) -> tuple[tuple[Store, ...], tuple[str, ...]]:
    """Those of some stores that can be backed up now, and why bases cannot: nothing receives the WAL they need.

    Raises DeployError when none is left.
    """
    found = {
        store: patient_problem(store.server, store.service) if isinstance(store, BaseStore) else "" for store in stores
    }
    problems = tuple(filter(None, found.values()))
    left = tuple(store for store, problem in found.items() if not problem)
    if not left:
        raise DeployError(f"no backup was made: {'; '.join(problems)}", "prod.status says what is wrong")
    return left, problems


def require_bases(problems: Sequence[str], backup: str) -> None:
    """Raises DeployError where a backup that is good had to do without what point in time needs."""
    if problems:
        raise DeployError(
            f"{backup} has nothing for point in time to go on from: {'; '.join(problems)}",
            "mend that, then take another; everything else is in it",
        )


def drillable(app: App, place: Place, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts without the bases whose WAL is on another machine, as of a backup that was copied here."""
    if not any(part.kind == StoreKind.BASE for part in parts):
        return tuple(parts)
    chains = {(one.service, one.chain) for one in place.archive.segments()}
    strange = [one for one in parts if one.kind == StoreKind.BASE and (one.service, one.facts["chain"]) not in chains]
    for one in strange:
        app.console.note(f"{one.title} is left out: its WAL is not on {place.where}")
    return tuple(one for one in parts if one not in strange)


def needless_wal(place: Place, kept: Sequence[Manifest]) -> tuple[Segment, ...]:
    """WAL that no backup to be kept needs."""
    if place.site is None:
        return ()
    segments = place.archive.segments()
    return needless(segments, {name: bases_of(kept, name) for name in {one.service for one in segments}})
