"""SQL for MariaDB and MySQL as text: names and values quoted, and what counts and sums the rows of tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

_LONG = re.compile(r"(tiny|medium|long)?(blob|text)|json|vector|geom\w*|(multi)?(point|linestring|polygon)")
"""Types whose values may be longer than a server lets a text be."""


@dataclass(frozen=True)
class Column:
    """A column of a table that is dumped: one whose values are computed is not."""

    table: str
    name: str
    type: str
    """As `information_schema` calls it: `varchar`, `bit`, `json`."""


def counting(database: str, columns: Iterable[Column], *, checksums: bool) -> str:
    """SQL that tells of every table its name, its rows and, if wanted, their sum of hashes.

    The sum is the same for the same rows in any order. Each statement lets go of the table when it has ended: whoever
    changes tables need not wait for all of them.
    """
    return "".join(
        "SAVEPOINT windlass;\n"
        f"SELECT {literal(table)}, COUNT(*), {_checksum(tuple(found)) if checksums else literal('')} "
        f"FROM {qualified(database, table)};\n"
        "ROLLBACK TO SAVEPOINT windlass;\n"
        for table, found in groupby(columns, key=lambda one: one.table)
    )


def _checksum(columns: Sequence[Column]) -> str:
    row = f"CONCAT_WS(',', {', '.join(map(_told, columns))})"
    return f"COALESCE(SUM(CAST(CONV(LEFT(SHA2({row}, 256), 16), 16, 10) AS UNSIGNED)), 0)"


def _told(column: Column) -> str:
    """A column's value as a text that tells NULL from any other, and is never longer than a server lets a text be."""
    name = identifier(column.name)
    if _LONG.fullmatch(column.type):
        return f"IFNULL(SHA2({name}, 256), 'NULL')"
    value = f"{name} + 0" if column.type == "bit" else name
    return f"QUOTE(CAST({value} AS BINARY))"


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return "`" + name.replace("`", "``") + "`"


def qualified(database: str, name: str) -> str:
    return f"{identifier(database)}.{identifier(name)}"


def literal(text: str) -> str:
    """A text quoted for SQL, in a session whose `sql_mode` lets a backslash escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
