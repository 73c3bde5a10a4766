"""Some tables of a PostgreSQL database: their rows as a backup has them, in the place of those that are there now.

A table cannot be swapped by its name as a database can: views, foreign keys, grants and sequences hold on to the table
itself. So it stays, and its rows are replaced in one transaction that is given up when anything is not right.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.data.postgres import CHECKSUM, LOCK_TIMEOUT, SAME_TEXT, Postgres, connection, identifier, literal
from deploy.model.backup import Content, Part
from deploy.model.errors import CommandError, DeployError

_LOOK = """
    SET search_path = pg_catalog;
    SELECT n.nspname || '.' || c.relname, n.nspname, c.relname,
           (SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
           (SELECT count(*) FROM pg_inherits WHERE inhparent = c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname || '.' || c.relname = ANY (ARRAY[{names}]::text[])
"""
# Runs in psql. `replica` keeps triggers and rules from firing, and foreign keys from deleting rows elsewhere; triggers
# that fire even then are put off by hand. What foreign keys and deferred constraints would have seen to is looked at
# afterwards.
_REPLACE = """
SET statement_timeout = 0; SET lock_timeout = '{lock_timeout}';
{same_text}
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL session_replication_role = replica;
{made}
LOCK TABLE {tables} IN EXCLUSIVE MODE;
CREATE TEMP TABLE windlass_wrong (what text) ON COMMIT DROP;
CREATE TEMP TABLE windlass_table ON COMMIT DROP AS SELECT unnest(ARRAY[{literals}]::regclass[])::oid AS id;
CREATE TEMP TABLE windlass_related ON COMMIT DROP AS
    SELECT id FROM windlass_table UNION SELECT pg_partition_ancestors(id)::oid FROM windlass_table;
CREATE TEMP TABLE windlass_trigger ON COMMIT DROP AS
    SELECT format('ALTER TABLE %s', tgrelid::regclass) AS on_table, quote_ident(tgname) AS name,
           CASE tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END AS mode
    FROM pg_trigger WHERE tgrelid IN (SELECT id FROM windlass_table) AND NOT tgisinternal AND tgenabled IN ('A', 'R');
SELECT format('%s DISABLE TRIGGER %s', on_table, name) FROM windlass_trigger \\gexec
{rows}
{finished}
SELECT format('%s ENABLE %s TRIGGER %s', on_table, mode, name) FROM windlass_trigger \\gexec
SELECT CASE WHEN indisexclusion THEN format('REINDEX INDEX %s', conindid::regclass)
            ELSE format('INSERT INTO pg_temp.windlass_wrong SELECT count(*) || %L FROM '
                        '(SELECT FROM ONLY %s WHERE %s GROUP BY %s HAVING count(*) > 1) twice HAVING count(*) > 0',
                        format(' values would be more than once in %s (%s)', conrelid::regclass, conname),
                        conrelid::regclass,
                        CASE WHEN to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' THEN 'true' ELSE own.given END,
                        own.columns)
       END
    FROM pg_constraint k JOIN pg_index i ON indexrelid = conindid, LATERAL (
        SELECT string_agg(quote_ident(attname), ', '), string_agg(format('%I IS NOT NULL', attname), ' AND ')
        FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)
    ) AS own (columns, given)
    WHERE conrelid IN (SELECT id FROM windlass_table) AND contype IN ('p', 'u', 'x') AND condeferrable \\gexec
SELECT format('INSERT INTO pg_temp.windlass_wrong SELECT count(*) || %L FROM %s a LEFT JOIN %s b ON %s '
              'WHERE b.%I IS NULL AND %s HAVING count(*) > 0',
              format(' rows of %s would refer to rows that %s lacks (%s)',
                     conrelid::regclass, confrelid::regclass, conname),
              CASE WHEN f.relkind = 'p' THEN '' ELSE 'ONLY ' END || conrelid::regclass,
              CASE WHEN p.relkind = 'p' THEN '' ELSE 'ONLY ' END || confrelid::regclass,
              pairs.equal, pairs.key, pairs.given)
    FROM pg_constraint k JOIN pg_class f ON f.oid = conrelid JOIN pg_class p ON p.oid = confrelid, LATERAL (
        SELECT string_agg(format('b.%I OPERATOR(%I.%s) a.%I', pa.attname, n.nspname, o.oprname, fa.attname), ' AND '),
               min(pa.attname::text), string_agg(format('a.%I IS NOT NULL', fa.attname), ' AND ')
        FROM unnest(conkey, confkey, conpfeqop) AS one (own, other, op)
        JOIN pg_attribute fa ON fa.attrelid = conrelid AND fa.attnum = own
        JOIN pg_attribute pa ON pa.attrelid = confrelid AND pa.attnum = other
        JOIN pg_operator o ON o.oid = op JOIN pg_namespace n ON n.oid = o.oprnamespace
    ) AS pairs (equal, key, given)
    WHERE contype = 'f' AND conparentid = 0 AND convalidated
      AND (conrelid IN (SELECT id FROM windlass_related) OR confrelid IN (SELECT id FROM windlass_related)) \\gexec
SELECT 'wrong', what FROM windlass_wrong;
SELECT count(*) = 0 AS fits FROM windlass_wrong \\gset
\\if :fits
SELECT format('SELECT setval(%L, %s(%I)) FROM %s HAVING %s(%I) %s (SELECT last_value FROM %s)',
              s.seqrelid::regclass, e.most, attname, refobjid::regclass, e.most, attname, e.compared,
              s.seqrelid::regclass)
    FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
    JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid AND atttypid IN ({whole_numbers}),
    LATERAL (SELECT CASE WHEN seqincrement > 0 THEN 'max' ELSE 'min' END,
                    CASE WHEN seqincrement > 0 THEN '>=' ELSE '<=' END) AS e (most, compared)
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND refobjid IN (SELECT id FROM windlass_table) \\gexec
COMMIT;
\\echo done
\\else
ROLLBACK;
\\endif
"""
# of tables that were dropped along with what referred to them; a table that is gone itself is left alone
_REFERENCES = """
    SET search_path = pg_catalog;
    SELECT format('SELECT %L WHERE to_regclass(%L) IS NOT NULL',
                  format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)),
                  conrelid::regclass)
    FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
      AND confrelid = ANY (ARRAY[{literals}]::regclass[]) AND conrelid <> ALL (ARRAY[{literals}]::regclass[])
"""
_WHOLE_NUMBERS = "'int2'::regtype, 'int4'::regtype, 'int8'::regtype"


@dataclass(frozen=True)
class Table:
    """A table as it is in some database."""

    name: str
    """As a backup's contents have it: `public.orders`."""
    sql: str
    """The same, quoted for SQL."""
    columns: str
    """With their types, in order."""
    inherited: bool
    """Whether other tables are read along with it."""


@dataclass(frozen=True)
class Made:
    """SQL for psql that makes tables: empty ones, and what they get when they have their rows."""

    before: str = ""
    after: str = ""


def tables_called(server: Postgres, database: str, names: Sequence[str]) -> Mapping[str, Table]:
    """Those of some tables that a database has, by name."""
    rows = server.query(_LOOK.format(names=", ".join(map(literal, names))), database)
    return {
        name: Table(name, f"{identifier(schema)}.{identifier(table)}", columns, children != "0")
        for name, schema, table, columns, children in rows
    }


def require_tables(server: Postgres, part: Part) -> Mapping[str, Table]:
    """The tables that rows of a part go into, as far as they are there. Raises DeployError where none can."""
    beside = f"--only {part.title.split(', ')[0]} --into NAME restores it beside the live database"
    if not server.exists(part.name):
        raise DeployError(f"there is no database {part.place}", f"restore it as a whole: --only {part.place}")
    found = tables_called(server, part.name, tuple(part.contents))
    if parents := [table.name for table in found.values() if table.inherited]:
        raise DeployError(f"{', '.join(parents)} has tables that inherit from it", beside)
    return found


def require_alike(part: Part, live: Mapping[str, Table], restored: Mapping[str, Table]) -> None:
    """Raises DeployError for a table that has other columns than it had when the backup was made."""
    for name, table in live.items():
        then = restored[name].columns
        if table.columns != then:
            raise DeployError(
                f"{part.place} {name} has other columns now: rows of the backup do not fit",
                f"--only {part.place}/{name} --into NAME restores it beside; copy from there what is needed",
                details=f"then: {then}\nnow:  {table.columns}",
            )


def lacking(server: Postgres, fresh: str, tables: Sequence[Table]) -> Made:
    """What makes tables of a database beside in another one, with whatever refers to them."""
    if not tables:
        return Made()
    options = ("--no-password", "--schema-only", "--encoding=UTF8", *(f"--table={one.sql}" for one in tables))
    before, after = (
        server.shell.run(
            server.program("pg_dump", *options, f"--section={section}", "--dbname", connection(fresh))
        ).stdout
        for section in ("pre-data", "post-data")
    )
    references = server.query(_REFERENCES.format(literals=", ".join(literal(one.sql) for one in tables)), fresh)
    own = (
        f"RESET client_encoding; SET lock_timeout = '{LOCK_TIMEOUT}';{SAME_TEXT}"  # those of pg_dump are in force there
    )
    added = [f"{sql}\n\\gexec" for (sql,) in references]
    return Made(f"{before}{own}", "\n".join([after, own, *added]))


def replace_rows(server: Postgres, part: Part, fresh: str, tables: Mapping[str, Table], made: Made) -> None:
    """The rows of tables by those that a database beside has, in one transaction, compared with the backup.

    `made` is of those that are not there, which come into being with their indexes, constraints and triggers.
    Readers see the rows before until then; whoever writes to one of the tables waits. Sequences of their columns are
    led past what came in. Raises DeployError, and then nothing has changed.
    """
    remedy = "nothing was changed; mend what is said above, then restore again"
    try:
        answers = server.query(replacing(fresh, tables, part.contents, made), part.name)
    except CommandError as error:
        raise DeployError(
            f"the rows of {part.title} could not be put in place", remedy, details=error.stderr
        ) from error
    wrong = [row[1] for row in answers if row[0] == "wrong"]
    if wrong or ["done"] not in answers:
        raise DeployError(
            f"the rows of {part.title} do not fit what is there now: {'; '.join(wrong) or 'the server went away'}",
            "nothing was changed; name the other tables, too, by --only, or look at its rows beside: --into NAME",
        )
    for table in tables.values():
        with contextlib.suppress(CommandError):  # it would come by itself, later
            server.query(f"SET lock_timeout = '3s';\nVACUUM (ANALYZE) {table.sql};", part.name)


def replacing(fresh: str, tables: Mapping[str, Table], contents: Mapping[str, Content], made: Made) -> str:
    """What psql is told to do: it says `wrong` and why for whatever does not fit, and `done` when it is."""
    sql = [table.sql for table in tables.values()]
    steps = [
        *(f"DELETE FROM ONLY {one};" for one in sql),  # noqa: S608  # quoted
        *(f"\\copy {one} from program {literal(_reading(fresh, one))}" for one in sql),
        *(_comparing(table, contents[name]) for name, table in tables.items()),
    ]
    return _REPLACE.format(
        lock_timeout=LOCK_TIMEOUT,
        same_text=SAME_TEXT,
        tables=", ".join(sql),
        literals=", ".join(map(literal, sql)),
        rows="\n".join(steps),
        made=made.before,
        finished=made.after,
        whole_numbers=_WHOLE_NUMBERS,
    )


def _reading(database: str, table: str) -> str:
    """A command that prints the rows of a table, for the shell in the container."""
    words = (
        "psql",
        "--no-psqlrc",
        "--quiet",
        "--no-password",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={connection(database)}",
    )
    return shlex.join([*words, f"--command={' '.join(SAME_TEXT.split())}", f"--command=COPY {table} TO STDOUT"])


def _comparing(table: Table, wanted: Content) -> str:
    differs = f"count(*) <> {wanted.count}"
    if wanted.checksum:
        differs += f" OR {CHECKSUM} <> {wanted.checksum}"
    said = literal(f"{table.name} took the rows of the backup, and has other ones")
    return f"INSERT INTO windlass_wrong SELECT {said} FROM ONLY {table.sql} AS windlass_row HAVING {differs};"  # noqa: S608
