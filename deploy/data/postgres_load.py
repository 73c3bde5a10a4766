"""A dump of PostgreSQL read to its end, and a fresh database filled from it: whole, or with the rows of some tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from deploy.data.postgres import Postgres, connection
from deploy.data.store import Restoring
from deploy.model.backup import Content, Part
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.shell.packaged import packaged

WORTH_A_FILE = 16 * 1024 * 1024
"""Bytes of a dump that several processes restore at once, for which it is copied into the container."""
# disabling all of a table's triggers and enabling them again forgets these
_TRIGGER_MODES = """
    SELECT format('ALTER TABLE %I.%I %s TRIGGER %I', nspname, relname,
                  CASE tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'DISABLE' END,
                  tgname)
    FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE NOT tgisinternal AND tgenabled <> 'O'
"""
_TABLE_DATA = re.compile(r"^\d+; \d+ \d+ TABLE DATA (.*)$", re.MULTILINE)


def verify_readable(
    server: Postgres, fed: Callable[[Command], Command], title: str, tables: Mapping[str, Content]
) -> None:
    """Let the server's own tool read a dump from end to end, and see that it holds every table.

    `pg_restore --list` alone accepts half a file; reading everything does not. `fed` gives a command the dump as its
    standard input. Raises DeployError.
    """
    listed = server.shell.run(fed(server.program("pg_restore", "--list")), check=False)
    held = [entry.replace(".", " ") for entry in _TABLE_DATA.findall(listed.stdout)]
    missing = [name for name in tables if not any(entry.startswith(f"{name.replace('.', ' ')} ") for entry in held)]
    if not listed.ok or missing:
        lacks = f"lacks {', '.join(missing)}" if missing else "has no table of contents"
        raise DeployError(f"{title}: the dump {lacks}", "it is not a backup", details=listed.stderr)
    read = server.shell.run(fed(server.program("pg_restore", "--file=/dev/null")), check=False)
    if not read.ok:
        raise DeployError(f"{title}: the dump cannot be read to its end", "it is not a backup", details=read.stderr)


def load(server: Postgres, part: Part, fresh: str, restoring: Restoring, *words: str) -> None:
    """Let `pg_restore` fill a database from a part, with what some words take of it. Raises CommandError."""
    options = ("--exit-on-error", "--no-password", *words, "--dbname", connection(fresh))
    command = server.program("pg_restore", *options)
    server.shell.run(restoring.feed(part, command), on_line=restoring.step.show)


def worth_a_file(part: Part) -> bool:
    """Whether copying a dump into the container saves more time than it takes; a packed one would be too large."""
    return part.size_bytes >= WORTH_A_FILE and part.file.endswith(".dump")


def load_at_once(server: Postgres, part: Part, fresh: str, restoring: Restoring) -> bool:
    """Let several processes fill a database from a part: whether it is whole then; else it may be half full."""
    script = packaged("data", "restore-jobs.sh", part.size_bytes, connection(fresh))
    command = restoring.feed(part, server.program(*script))
    return server.shell.run(command, check=False, on_line=restoring.step.show).ok


def load_some(server: Postgres, part: Part, fresh: str, restoring: Restoring) -> None:
    """Fill a database with everything but rows, and then with those of the part's tables, which may refer to nothing.

    Raises CommandError.
    """
    for section in ("pre-data", "post-data"):
        load(server, part, fresh, restoring, f"--section={section}")
    modes = server.query(_TRIGGER_MODES, fresh)
    load(server, part, fresh, restoring, "--data-only", "--disable-triggers", *named(part.contents))
    server.query("".join(f"{sql};\n" for (sql,) in modes), fresh)


def named(tables: Iterable[str]) -> tuple[str, ...]:
    """What tells `pg_restore` to take these tables: some more where schemas have tables of the same names."""
    pairs = [name.partition(".")[::2] for name in tables]
    words = [*(f"--schema={schema}" for schema, _ in pairs), *(f"--table={table}" for _, table in pairs)]
    return tuple(dict.fromkeys(words))
