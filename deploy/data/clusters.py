"""What a whole PostgreSQL server is beyond its databases, and whether another one is the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.data.postgres import SERVERS_OWN, SUMMED, Postgres
from deploy.model.backup import Content, difference, major_version
from deploy.model.errors import DeployError, UsageError

TEMPLATE = "template1"
_ALL = "SELECT datname FROM pg_database WHERE datname <> 'template0' ORDER BY datname"
_ABOUT = """
    SELECT current_setting('server_version'), current_user, current_setting('data_checksums'),
           (SELECT to_jsonb(d) FROM pg_database d WHERE datname = 'template0'),
           (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template0'),
           pg_is_in_recovery(),
           (SELECT count(*) FROM pg_prepared_xacts),
           (SELECT string_agg(spcname, ', ') FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')),
           (SELECT string_agg(datname, ', ') FROM pg_database WHERE NOT datallowconn AND datname <> 'template0'),
           (SELECT string_agg(slot_name::text, ', ') FROM pg_replication_slots WHERE NOT temporary)
"""
_EXTENSIONS = "SELECT extname FROM pg_extension ORDER BY 1"
_AVAILABLE = "SELECT name FROM pg_available_extensions"
# Two columns each: of what, and what it is like. Passwords are compared by a hash of what the server keeps of them.
_SERVER_WIDE = """
    SELECT 'role ' || rolname,
           concat_ws('|', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
           rolconnlimit, rolvaliduntil, encode(sha256(convert_to(coalesce(rolpassword, ''), 'UTF8')), 'hex'))
    FROM pg_authid WHERE rolname !~ '^pg_';
    SELECT 'member ' || m.rolname || ' of ' || r.rolname, bool_or(a.admin_option)::text
    FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles r ON r.oid = a.roleid
    WHERE m.rolname !~ '^pg_' GROUP BY 1;
    SELECT 'settings of ' || coalesce(r.rolname, 'everybody') || ' in ' || coalesce(d.datname, 'every database'),
           encode(sha256(convert_to((SELECT string_agg(one, '|' ORDER BY one) FROM unnest(s.setconfig) one), 'UTF8')),
                  'hex')
    FROM pg_db_role_setting s
    LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole;
    SELECT 'database ' || datname,
           concat_ws('|', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit,
           datistemplate,
           (SELECT string_agg(one::text, ',' ORDER BY one::text)
            FROM unnest(coalesce(datacl, acldefault('d', datdba))) one))
    FROM pg_database WHERE datname <> 'template0';
"""
_BESIDE_TABLES = """;
    SELECT 'large objects', count(*),
           coalesce(sum(hashtextextended(loid || '/' || pageno || '/' || encode(data, 'hex'), 0)::numeric), 0)
    FROM pg_largeobject;
    SELECT format('SELECT %L, last_value, is_called FROM %s', 'sequence ' || c.oid::regclass, c.oid::regclass)
    FROM pg_class c WHERE c.relkind = 'S' AND c.relpersistence <> 't' \\gexec
    SELECT format('SELECT %L, count(*), '''' FROM %s', 'view ' || c.oid::regclass, c.oid::regclass)
    FROM pg_class c WHERE c.relkind = 'm' AND c.relispopulated \\gexec
"""
EVERYTHING = SUMMED + _BESIDE_TABLES
"""Gives the same of every table, sequence and materialized view of a database, and of its large objects."""
_FILE_SETTINGS = "SELECT name, setting FROM pg_file_settings WHERE applied OR error = 'setting could not be applied'"
_PLACED = frozenset({"config_file", "data_directory", "external_pid_file", "hba_file", "ident_file"})
_FIRST_OID = 16384
"""Objects below it come with every server (FirstNormalObjectId in PostgreSQL's access/transam.h)."""
_CATALOGS = (
    *("pg_class", "pg_proc", "pg_type", "pg_namespace", "pg_extension", "pg_collation", "pg_default_acl"),
    *("pg_largeobject_metadata", "pg_foreign_data_wrapper", "pg_publication", "pg_event_trigger", "pg_language"),
)
_USED = " UNION ALL ".join(f"(SELECT oid FROM {name} WHERE oid >= {_FIRST_OID} LIMIT 1)" for name in _CATALOGS)  # noqa: S608
_SAFE = re.compile(r"[A-Za-z0-9_.@:=-]+")


@dataclass(frozen=True)
class ClusterFacts:
    """A server as it says it is."""

    version: str
    superuser: str
    """Who its data was made by, as far as the container knows."""
    initdb: tuple[str, ...]
    """How `initdb` is told to make one of the same encoding and locale."""
    databases: tuple[str, ...]
    extensions: Mapping[str, tuple[str, ...]]
    """By database."""
    refusals: tuple[str, ...]
    """Why it cannot be upgraded by dump and restore, in sentences."""
    slots: str
    """Its replication slots, which end with it; empty where there are none."""

    @property
    def major(self) -> int:
        return major_version(self.version)


def cluster_facts(server: Postgres) -> ClusterFacts:
    """Raises CommandError when the server does not answer."""
    row = server.query(_ABOUT, SERVERS_OWN)[0]
    version, superuser, checksums, template, encoding, standby, prepared, spaces, closed, slots = row
    refusals = [
        *(["it is a standby of another server"] if standby == "t" else []),
        *([f"{prepared} prepared transactions are neither committed nor rolled back"] if prepared != "0" else []),
        *([f"it has tablespaces outside of its data: {spaces}"] if spaces else []),
        *([f"nobody may connect to {closed} (ALLOW_CONNECTIONS false)"] if closed else []),
    ]
    names = tuple(row[0] for row in server.query(_ALL, SERVERS_OWN)) if not closed else ()
    extensions = {name: tuple(found[0] for found in server.query(_EXTENSIONS, name)) for name in names}
    initdb = initdb_options(json.loads(template), encoding, checksums=checksums == "on")
    return ClusterFacts(version, superuser, initdb, names, extensions, tuple(refusals), slots)


def initdb_options(template: Mapping[str, object], encoding: str, *, checksums: bool) -> tuple[str, ...]:
    """For a server whose `template0` is like another one's, given as its row of pg_database.

    Raises UsageError for a locale that cannot be said in one word.
    """
    locale = template.get("datlocale") or template.get("daticulocale")
    provider = {"i": "icu", "b": "builtin"}.get(str(template.get("datlocprovider") or "c"))
    options = [f"--encoding={encoding}", f"--lc-collate={template['datcollate']}", f"--lc-ctype={template['datctype']}"]
    if provider and locale:
        options += [f"--locale-provider={provider}", f"--{provider}-locale={locale}"]
    for option in options:
        if not _SAFE.fullmatch(option):
            raise UsageError(f"the server's locale is none that initdb can be told: {option}")
    return (*options, *(["--data-checksums"] if checksums else []))


def missing_extensions(old: ClusterFacts, new: Postgres) -> tuple[str, ...]:
    """Extensions in use that a server does not have, each with the database that uses it."""
    have = {row[0] for row in new.query(_AVAILABLE, SERVERS_OWN)}
    return tuple(f"{one} ({name})" for name, used in old.extensions.items() for one in used if one not in have)


def settings_to_carry(old: Postgres, new: Postgres) -> tuple[str, tuple[str, ...]]:
    """What the configuration files of a server say and those of a newer one do not, as lines for such a file.

    Also the names of those that the newer one does not know.
    """
    have = dict(_pairs(new.query(_FILE_SETTINGS, SERVERS_OWN)))
    known = {row[0] for row in new.query("SELECT name FROM pg_settings", SERVERS_OWN)}
    wanted = {
        name: value
        for name, value in _pairs(old.query(_FILE_SETTINGS, SERVERS_OWN))
        if name not in _PLACED and have.get(name) != value
    }
    lines = [f"{name} = {_in_file(value)}\n" for name, value in wanted.items() if name in known or "." in name]
    return "".join(lines), tuple(name for name in wanted if name not in known and "." not in name)


def _pairs(rows: Sequence[Sequence[str]]) -> Sequence[tuple[str, str]]:
    return [(row[0], row[1] if len(row) > 1 else "") for row in rows]


def _in_file(value: str) -> str:
    """A value as a configuration file has it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def server_wide(server: Postgres) -> dict[str, str]:
    """Roles, memberships, settings and databases, each with what it is like. Holds no password."""
    return {row[0]: row[1] if len(row) > 1 else "" for row in server.query(_SERVER_WIDE, SERVERS_OWN)}


def to_carry(old: Postgres, new: Postgres, names: Sequence[str]) -> tuple[str, ...]:
    """Those of a server's databases that hold anything that a new one does not have from the start."""
    there, here = server_wide(old), server_wide(new)

    def untouched(name: str) -> bool:
        settings = any(what.startswith("settings of ") and what.endswith(f" in {name}") for what in there)
        alike = there[f"database {name}"] == here.get(f"database {name}")
        return name in {SERVERS_OWN, TEMPLATE} and alike and not settings and not old.query(_USED, name)

    return tuple(name for name in names if not untouched(name))


def not_the_same(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Names of what differs between two servers."""
    return tuple(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))


def require_same(old: Mapping[str, Content], new: Mapping[str, Content], database: str) -> None:
    """Raises DeployError with everything that differs."""
    if problems := difference(old, new):
        raise DeployError(f"{database}: what was copied is not what there was", details="\n".join(problems))
