"""What a release keeps on its host, as stores that can be backed up and restored."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import PurePosixPath

from deploy.data.archive import Archive, receiving_problem
from deploy.data.find import Wanted, look, named_of, store_kind, stores_of, unknown_stores
from deploy.data.offsite import known_copies
from deploy.data.postgres import Postgres
from deploy.data.repository import Repository
from deploy.data.store import DatabaseStore, Store
from deploy.model.facts import Facts
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment
from deploy.model.usage import Newest, newest_backups
from deploy.model.wal import Kept, bases_of, kept_of
from deploy.release.site import Site


def repository_of(site: Site, environment: Environment) -> Repository:
    """The backups of a project on its host."""
    return Repository.of(environment, site.shell, str(site.layout.backups))


def projects_of(site: Site, record: ReleaseRecord) -> tuple[str, ...]:
    """Compose projects that a release consists of; the edge keeps nothing, and its image has `tar`."""
    layout = site.layout
    return (layout.data_project, layout.release_project(record.id), layout.rolling_project, layout.edge_project)


def wanted_of(site: Site, record: ReleaseRecord) -> Wanted:
    """What is known of a release's stores."""
    # what receives the WAL of a database runs its image, and is none
    services = [(name, one) for name, one in record.services.items() if not one.receives]
    unknown = unknown_stores((name, one.kind, one.runs, one.backup) for name, one in services)
    return Wanted(
        project=site.layout.project,
        runs={name: one.runs for name, one in services if one.kind == Kind.DATA},
        skipped=frozenset(name for name, one in services if one.backup is False) | unknown,
        unknown=unknown,
        named=named_of((name, one.backup) for name, one in services),
        proofs={name: one.proof for name, one in services if one.proof},
        receiving=frozenset(one.receives for one in record.services.values() if one.receives),
        folders=PurePosixPath(site.layout.shared),
    )


def wal_of(site: Site, record: ReleaseRecord, environment: Environment) -> tuple[Kept, ...]:
    """How it stands with point in time of each database that is to have it, and that runs."""
    receiving = wanted_of(site, record).receiving
    if not receiving:
        return ()
    repository = repository_of(site, environment)
    good = [one.manifest for one in repository.backups() if not one.problem]
    segments = Archive.of(repository).segments()
    found = {one.service: one for one in look(site.shell, [site.layout.data_project]) if one.running}
    return tuple(
        kept_of(name, bases_of(good, name), segments, receiving_problem(Postgres(site.shell, found[name].id), name))
        for name in sorted(receiving)
        if name in found
    )


def databases_of(site: Site, record: ReleaseRecord, project: str) -> Sequence[Store]:
    """The databases that run in a compose project: what a migration or a take-over can harm."""
    found = [one for one in look(site.shell, [project]) if one.running]
    wanted = wanted_of(site, record)
    runs = {one.service: wanted.runs[one.service] for one in found if one.service in wanted.runs}
    stores = stores_of(site.shell, found, dataclasses.replace(wanted, runs=runs))
    return [store for store in stores if isinstance(store, DatabaseStore)]


def newest_of(site: Site, facts: Facts, environment: Environment) -> tuple[Newest, Newest, Newest]:
    """The newest complete backup of each store of the live release, that a drill has found good, that is off-site."""
    services = facts.live.services if facts.live else {}
    data = {name: one for name, one in services.items() if one.kind == Kind.DATA}
    known = [name for name, one in data.items() if one.backup is not False and store_kind(one.runs)]
    repository = repository_of(site, environment)
    stored = repository.backups() if known else ()
    away = known_copies(repository, environment.offsite) if environment.offsite and known else None
    there = {one.id for one in away.copies} if away else set()
    good = newest_backups((one.manifest for one in stored if not one.problem), known)
    proved = newest_backups((one.manifest for one in stored if one.proved), known)
    return good, proved, newest_backups((one.manifest for one in stored if one.manifest.id in there), known)
