"""Restoring: beside the live database first, compared, and only then in its place."""

from __future__ import annotations

from datetime import datetime

from deploy.data.backup import verify_readable
from deploy.data.postgres import Postgres, identifier, literal
from deploy.data.store import Store, Stored
from deploy.model.backup import DUMP_SUFFIX, Manifest, difference, major_version
from deploy.model.errors import CommandError, DeployError
from deploy.ui import Console

SPARE_MARK = "_before_"


def check_backup(database: Postgres, store: Store, stored: Stored) -> None:
    """Refuse a backup that cannot be restored here, before anything is touched. Raises DeployError."""
    manifest = stored.manifest
    file = f"{manifest.id}{DUMP_SUFFIX}"
    if stored.problem:
        raise DeployError(f"{manifest.id} cannot be restored: {stored.problem}", "choose another: inv db.backups")
    found = store.run("feed.sh", file, "sha256sum").stdout.split()[0]
    if found != manifest.sha256:
        raise DeployError(
            f"{manifest.id} cannot be restored: its content has changed since it was made",
            "choose another: inv db.backups",
        )
    server = database.query("SHOW server_version", "postgres")[0][0]
    if manifest.major > major_version(server):
        raise DeployError(
            f"{manifest.id} was made by PostgreSQL {manifest.major}, the server is {major_version(server)}",
            "restore it into a server of its own version or a newer one",
        )
    verify_readable(database, store, file, len(manifest.tables))


def loss(database: Postgres, manifest: Manifest) -> tuple[str, ...]:
    """What restoring would change, table by table, in words; an absent database has nothing to lose."""
    try:
        live = database.rows(manifest.database, lock_timeout="3s") if _exists(database, manifest.database) else {}
    except CommandError:
        return ("what would be lost cannot be counted: somebody holds a lock on a table",)
    return tuple(
        f"{table}: {live.get(table, 'no')} rows now, {manifest.tables.get(table, 'no')} after"
        for table in sorted({*live, *manifest.tables})
        if live.get(table) != manifest.tables.get(table)
    ) or ("every table has as many rows now as in the backup",)


def restore(database: Postgres, store: Store, manifest: Manifest, now: datetime, console: Console) -> str:
    """Restore a backup into a fresh database, compare every table's rows with the manifest, and swap it in.

    Returns the name under which the database that was live is kept. Raises DeployError before the swap when anything
    differs; the live database has not been touched then.
    """
    mark = f"{now:%Y%m%d%H%M%S}"
    fresh, spare = f"{manifest.database}_restore_{mark}", f"{manifest.database}{SPARE_MARK}{mark}"
    try:
        with console.step("Restore into a fresh database") as step:
            _create(database, manifest, fresh)
            command = database.program("pg_restore", "--exit-on-error", "--no-password", "--dbname", fresh)
            database.shell.run(store.feed(manifest, command), on_line=step.show)
            database.query("ANALYZE", fresh)
        with console.step("Compare every table with the manifest") as step:
            wrong = difference(manifest.tables, database.rows(fresh))
            if wrong:
                raise DeployError("the restored database is not what was backed up", details="\n".join(wrong))
            step.result = f"{manifest.rows} rows in {len(manifest.tables)} tables are equal"
    except BaseException as error:
        database.execute(f"DROP DATABASE IF EXISTS {identifier(fresh)} WITH (FORCE)")
        if isinstance(error, CommandError):
            raise DeployError(
                f"{manifest.id} could not be restored; nothing was changed", details=error.stderr
            ) from error
        raise
    with console.step("Swap it in") as step:
        kept = _swap(database, manifest.database, fresh, spare)
        step.result = f"the database before is kept as {kept}" if kept else ""
    return kept


def _create(database: Postgres, manifest: Manifest, name: str) -> None:
    if not database.query(f"SELECT 1 FROM pg_roles WHERE rolname = {literal(manifest.owner)}", "postgres"):
        raise DeployError(
            f"the server has no role '{manifest.owner}', who owns the backup", "create it, then restore again"
        )
    database.execute(
        f"CREATE DATABASE {identifier(name)} TEMPLATE template0 OWNER {identifier(manifest.owner)} "
        f"ENCODING {literal(manifest.encoding)} "
        f"LC_COLLATE {literal(manifest.collate)} LC_CTYPE {literal(manifest.ctype)}"
    )


def _swap(database: Postgres, live: str, fresh: str, spare: str) -> str:
    """Rename, with everybody sent away for the instant that takes; connections come back by themselves.

    The copy that an earlier restore has kept is dropped afterwards: one is enough.
    """
    older = database.query(f"SELECT datname FROM pg_database WHERE datname LIKE {literal(_pattern(live))}", "postgres")
    if not _exists(database, live):
        database.execute(f"ALTER DATABASE {identifier(fresh)} RENAME TO {identifier(live)}")
        return ""
    try:
        database.execute(
            f"ALTER DATABASE {identifier(live)} ALLOW_CONNECTIONS false;\n"
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(live)};\n"
            "BEGIN;\n"
            f"ALTER DATABASE {identifier(live)} RENAME TO {identifier(spare)};\n"
            f"ALTER DATABASE {identifier(fresh)} RENAME TO {identifier(live)};\n"
            "COMMIT;\n"
            f"ALTER DATABASE {identifier(spare)} ALLOW_CONNECTIONS true;"
        )
    except BaseException:
        if not _exists(database, spare):
            database.execute(f"ALTER DATABASE {identifier(live)} ALLOW_CONNECTIONS true")
            database.execute(f"DROP DATABASE {identifier(fresh)} WITH (FORCE)")
        raise
    for (name,) in older:
        database.execute(f"DROP DATABASE {identifier(name)} WITH (FORCE)")
    return spare


def _exists(database: Postgres, name: str) -> bool:
    return bool(database.query(f"SELECT 1 FROM pg_database WHERE datname = {literal(name)}", "postgres"))


def _pattern(live: str) -> str:
    r"""Names of databases that a restore has kept, for LIKE, where `_` stands for any character."""
    return live.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%") + SPARE_MARK.replace("_", "\\_") + "%"
