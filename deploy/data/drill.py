"""A drill: a backup restored into containers and volumes that nobody uses, compared, and thrown away."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from deploy.data.archive import IMMEDIATE, recovered
from deploy.data.encryption import decrypted
from deploy.data.file_store import FileStore
from deploy.data.mysql_scratch import check_tables, scratch_mysql
from deploy.data.mysql_store import MysqlStore
from deploy.data.mysql_text import identifier
from deploy.data.postgres import SERVERS_OWN, Postgres, pattern
from deploy.data.postgres_store import PostgresStore
from deploy.data.qdrant_store import prove_recovers, scratch_qdrant
from deploy.data.redis_store import prove_loads
from deploy.data.repository import Repository, Stored
from deploy.data.store import Restoring
from deploy.model.backup import Part, StoreKind
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.proof import Proof
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Console, Step

MARK = "drill"


class Drill:
    """One backup on trial."""

    def __init__(
        self,
        repository: Repository,
        stored: Stored,
        running: Mapping[str, str],
        proofs: Mapping[str, str],
        console: Console,
        identity: str = "",
    ) -> None:
        """`running` are images of what runs on the machine, by service: one of them has `tar`.

        One of these stands in where the image that a backup was made from is not there, as on another machine. `proofs`
        are queries of the application's own, by service. `identity` is a file with the key of an encrypted backup.
        """
        self._repository = repository
        self._stored = stored
        self._running = running
        self._proofs = proofs
        self._console = console
        self._identity = identity

    def run(self, parts: Sequence[Part], now: datetime, by: str) -> Proof:
        """Restore every part into a scratch and compare it; what is found is remembered beside the backup."""
        shell, manifest = self._repository.shell, self._stored.manifest
        began, titles = time.monotonic(), tuple(part.title for part in parts)
        problems = [self._stored.problem] if self._stored.problem else []
        with self._repository.locked(f"{by}: drill of {manifest.id}"):
            shell.run(packaged("data", "scratch.sh", "sweep", manifest.project))
            if not problems:
                problems += self._prove_all(parts)
            proof = Proof(now, by, round(time.monotonic() - began, 2), titles, tuple(problems))
            self._repository.note(manifest, proof)
        return proof

    def _prove_all(self, parts: Sequence[Part]) -> Sequence[str]:
        """What is wrong with parts, once they are decrypted. Raises UsageError for a key that does not fit."""
        try:
            with decrypted(
                self._repository, self._stored.manifest, parts, self._identity, self._console.step("Decrypt")
            ) as (
                repository,
                manifest,
            ):
                stored = dataclasses.replace(self._stored, manifest=manifest)
                plain = Drill(repository, stored, self._running, self._proofs, self._console)
                services = dict.fromkeys(part.service for part in parts)
                return [
                    problem
                    for service in services
                    for problem in plain._prove([part.plain for part in parts if part.service == service])
                ]
        except UsageError:
            raise
        except DeployError as error:
            return [error.message]

    def _prove(self, parts: Sequence[Part]) -> Iterator[str]:
        """What is wrong with the parts of one service."""
        manifest, service = self._stored.manifest, parts[0].service
        try:
            with self._console.step(f"Prove {service}") as step:
                for part in parts:
                    if self._repository.sha256(manifest, part) != part.sha256:
                        raise DeployError(f"{part.title}: its content has changed since the backup was made")
                trials = {
                    StoreKind.POSTGRES: self._postgres,
                    StoreKind.MYSQL: self._mysql,
                    StoreKind.QDRANT: self._qdrant,
                    StoreKind.REDIS: self._redis,
                    StoreKind.FILES: self._files,
                    StoreKind.BASE: self._bases,
                }
                for kind, prove in trials.items():
                    if alike := [part for part in parts if part.kind == kind]:
                        prove(alike, step)
                step.result = "everything is equal"
        except DeployError as error:
            more = "; ".join(error.details.splitlines()[-5:])
            yield f"{error.message}: {more}" if more else error.message

    def _image(self, part: Part) -> str:
        return scratch_image(self._repository.shell, part, self._running)

    def _restoring(self, step: Step) -> Restoring:
        return Restoring(self._repository, self._stored.manifest, MARK, step)

    def _qdrant(self, collections: Sequence[Part], step: Step) -> None:
        project, image = self._stored.manifest.project, self._image(collections[0])
        with scratch_qdrant(self._repository.shell, project, image, step) as server:
            for part in collections:
                prove_recovers(server, part.name, part, self._restoring(step))

    def _redis(self, dumps: Sequence[Part], step: Step) -> None:
        for part in dumps:
            prove_loads(self._repository.shell, self._image(part), part, self._restoring(step))

    def _files(self, archives: Sequence[Part], step: Step) -> None:
        images = tuple(dict.fromkeys(self._running.values()))
        for part in archives:
            store = FileStore(self._repository.shell, part.service, part.name, "", images)
            store.prepare(part, self._restoring(step)).discard()

    def _bases(self, bases: Sequence[Part], step: Step) -> None:
        """A server's files and the WAL of the time of their copying come up, and every database can be read."""
        repository, manifest = self._repository, self._stored.manifest
        for part in bases:
            with recovered(repository, manifest, part, self._image(part), IMMEDIATE, step) as server:
                for name in server.databases():
                    step.show(f"{part.title}: looking at every page of {name}")
                    server.tables(name)
                    _amcheck(server, part, name)

    def _postgres(self, databases: Sequence[Part], step: Step) -> None:
        service, restoring = databases[0].service, self._restoring(step)
        image = self._image(databases[0])
        with scratch_postgres(databases[0], image, restoring) as server:
            store = PostgresStore(server, service, image)
            for part in databases:
                store.check(part)
                name = f"{part.name}_{MARK}"
                store.prepare_as(name, part, restoring)
                step.show(f"{part.title}: looking at every page")
                _amcheck(server, part, name)
                if service in self._proofs:
                    _ask(part, self._proofs[service], partial(server.query, database=name))

    def _mysql(self, databases: Sequence[Part], step: Step) -> None:
        service, restoring = databases[0].service, self._restoring(step)
        image = self._image(databases[0])
        with scratch_mysql(databases[0], image, restoring) as server:
            store = MysqlStore(server, service, image)
            for part in databases:
                store.check(part)
                # the image may have made one of that name
                server.query(f"DROP DATABASE IF EXISTS {identifier(part.name)}")
                # under its own name: what is in it may say `database.table`
                store.prepare_as(part.name, part, restoring)
            for part in databases:  # what is in one may refer to another
                step.show(f"{part.title}: looking at every page")
                check_tables(server, part.name, part.title)
                if service in self._proofs:
                    _ask(part, self._proofs[service], partial(server.query, database=part.name))


def scratch_image(shell: Shell, part: Part, running: Mapping[str, str]) -> str:
    """What a server to restore a part into is started from; `running` are images of what runs there, by service."""
    made_from = part.facts["image"]
    look = Command("docker", "image", "inspect", "--format", "{{.Id}}", made_from)
    return made_from if shell.run(look, check=False).ok else running.get(part.service, made_from)


@contextmanager
def scratch_postgres(
    part: Part, image: str, restoring: Restoring, network: str = "", names: Sequence[str] = ()
) -> Iterator[Postgres]:
    """A server of an image, with the roles of the time of a part.

    On no network, or on one that is named, under some names; gone afterwards with its data. It asks for no password.
    """
    shell, manifest = restoring.repository.shell, restoring.backup
    name = f"windlass-scratch-{secrets.token_hex(4)}"
    restoring.step.show("starting a server of its own")
    try:
        place = (network, *names) if network else ()
        start = packaged("data", "scratch.sh", "postgres", manifest.project, name, image, *place)
        done = shell.run(start, check=False)
        if not done.ok:
            raise DeployError("no server could be started to restore into", details=done.stderr)
        server = Postgres(shell, name)
        for roles in manifest.parts:
            if roles.kind == StoreKind.ROLES and roles.service == part.service:
                feed = restoring.feed(roles, server.program("psql", "--quiet", "--dbname", SERVERS_OWN))
                shell.run(feed, check=False)  # the superuser is there already
        yield server
    finally:
        shell.run(packaged("data", "scratch.sh", "remove", name))


def _amcheck(server: Postgres, part: Part, name: str) -> None:
    """PostgreSQL's own look at every page and index, where its image has it."""
    there = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"
    if not server.query(there, name):
        return
    done = server.shell.run(
        server.program(
            "pg_amcheck", "--no-password", "--install-missing", "--heapallindexed", "--database", pattern(name)
        ),
        check=False,
    )
    if not done.ok:
        raise DeployError(f"{part.title}: pg_amcheck found damage", details=done.stderr or done.stdout)


def _ask(part: Part, query: str, answer: Callable[[str], list[list[str]]]) -> None:
    """The application's own question, which counts as answered by any row but `false`, which MySQL calls 0."""
    no = {"0", "NULL"} if part.kind == StoreKind.MYSQL else {"f", "false"}
    try:
        rows = answer(query)
    except CommandError as error:
        raise DeployError(f"{part.title}: x-deploy.proof failed", details=error.stderr) from error
    if not rows or rows[0][0] in {*no, ""}:
        said = " ".join(rows[0]) if rows else "no row"
        raise DeployError(f"{part.title}: x-deploy.proof answered {said}", query)
