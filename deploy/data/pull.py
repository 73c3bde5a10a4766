"""Bringing databases to another machine: restored on a scratch where they are, masked there, and only then sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deploy.data.drill import scratch_postgres
from deploy.data.postgres import Postgres, compression, connection, identifier, literal
from deploy.data.postgres_store import PostgresStore
from deploy.data.repository import Repository, Writing
from deploy.data.store import Restoring, Store
from deploy.model.backup import Manifest, Part, StoreKind, file_name
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.ui import Step

Masks = Mapping[str, Mapping[str, str]]
"""Tables, as `schema.table` or `table`, each with its columns, each with the SQL expression that replaces it."""
MARK = "pull"


@contextmanager
def masked(
    repository: Repository, manifest: Manifest, part: Part, masks: Masks, step: Step
) -> Iterator[tuple[Postgres, str]]:
    """A server beside the backup that has a database of it, masked; and the database's name there.

    Raises UsageError for a mask of a table or column that the database does not have.
    """
    if repository.sha256(manifest, part) != part.sha256:
        raise DeployError(
            f"{part.title}: its content has changed since the backup was made", "choose another: inv db.backups"
        )
    restoring = Restoring(repository, manifest, MARK, step)
    with scratch_postgres(part, part.facts["image"], restoring) as server:
        name = f"{part.name}_{MARK}"
        store = PostgresStore(server, part.service, part.facts["image"])
        store.prepare_as(name, part, restoring)
        for table, columns in masks.items():
            step.show(f"masking {table}")
            _mask(server, name, table, columns)
        yield server, name


def bring(server: Postgres, name: str, part: Part, writing: Writing, *, database: str, owner: str) -> Part:
    """Send a masked database from its server into a backup here, under the name and the owner that it has here."""
    contents = server.tables(name, checksums=True)
    options = ("--format=custom", compression(part.facts["server_version"]), "--no-owner", "--no-acl", "--no-password")
    dump = server.program("pg_dump", *options, "--dbname", connection(name))
    file = file_name(part.service, database, ".dump")
    written = writing.receive(file, server.shell, dump, what=part.title, magic="PGDMP")
    facts = {**part.facts, "owner": owner}
    return Part(StoreKind.POSTGRES, part.service, database, file, written.size_bytes, written.sha256, contents, facts)


def _mask(server: Postgres, database: str, table: str, columns: Mapping[str, str]) -> None:
    schema, _, name = table.rpartition(".")
    where = f"table_schema = {literal(schema or 'public')} AND table_name = {literal(name)}"
    found = {
        row[0] for row in server.query(f"SELECT column_name FROM information_schema.columns WHERE {where}", database)
    }
    if not found:
        raise UsageError(f"mask: there is no table {table} in {database.removesuffix(f'_{MARK}')}", "correct its name")
    for column in columns:
        if column not in found:
            raise UsageError(f"mask: {table} has no column {column}", f"it has {', '.join(sorted(found))}")
    values = ", ".join(f"{identifier(column)} = {expression}" for column, expression in columns.items())
    # what refers to a value that is replaced is not looked at again: keys are not for masking
    try:
        server.query(f"UPDATE {identifier(schema or 'public')}.{identifier(name)} SET {values}", database)
    except CommandError as error:
        raise UsageError(f"mask: {table} cannot be masked so", error.stderr.strip().splitlines()[-1]) from error


def masks_of(masks: Masks, parts: Sequence[Part]) -> Masks:
    """Masks, when there is one database that they can be of. Raises UsageError otherwise."""
    if masks and len(parts) != 1:
        names = ", ".join(part.title for part in parts)
        raise UsageError(f"mask: there are several databases: {names}", "name one: --only db/NAME")
    return masks


def home_of(part: Part, stores: Sequence[Store]) -> tuple[str, str]:
    """The name and the owner that a database gets where it is brought to: those of its service's own.

    Raises UsageError where nothing there can take it.
    """
    store = next((one for one in stores if isinstance(one, PostgresStore) and one.holds(part)), None)
    if store is None:
        raise UsageError(f"nothing of the name of {part.title} runs where it is to go", "start what runs there first")
    own = store.server.about()
    return own.name, own.owner
