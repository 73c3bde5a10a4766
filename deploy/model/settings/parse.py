"""Reading settings from what Invoke gives, with an error that names the key for everything that cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.errors import UsageError, nearest
from deploy.model.options import parse_reasons
from deploy.model.retention import Retention
from deploy.model.scan import NEVER, THRESHOLDS
from deploy.model.schedule import DrillEvery
from deploy.model.settings.backups import parse_encryption, parse_notify, parse_offsite, parse_retention, parse_schedule
from deploy.model.settings.reading import (
    boolean_of,
    check_keys,
    count_of,
    full_texts_of,
    mapping_of,
    name_of,
    number_of,
    shape_of,
    text_of,
    texts_of,
)
from deploy.model.settings.secrets import parse_secrets
from deploy.model.settings.values import (
    LOCAL,
    Acme,
    Engine,
    Environment,
    KeepFree,
    Scanning,
    Settings,
)
from deploy.model.waves import AT_ONCE, CANARY, Wave, parse_waves

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
TAKEN = ("db", "env", "host", "sandbox", "stack", "test")
"""Names of tasks, which no environment can have."""
_FREE = re.compile(r"(\d+(?:\.\d+)?)(%|[kMGT]?B?)", re.IGNORECASE)
_HUNDRED = 100
_UNITS = {unit: 1000**power for power, letter in enumerate(("", "K", "M", "G", "T")) for unit in (letter, f"{letter}B")}
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def parse_settings(raw: Mapping[str, Any], *, folder: str, source: str = "invoke.yaml") -> Settings:
    """Settings from the mapping under `deploy:`.

    `folder` is the project folder's name, the default for the project's own name. Raises UsageError naming `source`,
    the path of the key and the nearest valid key.
    """
    check_keys(raw, "", "", source)
    stack = text_of(raw, "stack", "", source)
    project = name_of(text_of(raw, "project", stack or slug(folder), source), "project", source)
    declared = mapping_of(raw.get("environments"), "environments", source, "of names to settings")
    environments = {
        name: _environment(name, declared.get(name), project, stack, source)
        for name in dict.fromkeys((LOCAL, "prod", *declared))
    }
    for name, one in environments.items():
        for source_env in one.data_from:
            if source_env not in environments:
                raise UsageError(
                    f"{source}: deploy.environments.{name}.data_from: there is no environment '{source_env}'",
                    nearest(source_env, [*environments]),
                )
    return Settings(project, text_of(raw, "backups", "backups", source), environments)


def environment_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the remote environments, for building task namespaces before the settings are checked."""
    declared = raw.get("environments")
    names = declared if isinstance(declared, Mapping) else {}
    return tuple(name for name in dict.fromkeys(("prod", *names)) if name != LOCAL and name not in TAKEN)


def _environment(name: str, raw: Any, project: str, stack: str, source: str) -> Environment:
    where = f"environments.{name}"
    if not isinstance(name, str):
        raise UsageError(f"{source}: deploy.environments: {name!r} is not a name", f'write it as a text: "{name}"')
    name_of(name, where, source)
    if name in TAKEN:
        raise UsageError(f"{source}: deploy.{where}: '{name}' is the name of other tasks", "call it something else")
    raw = mapping_of(raw, where, source)
    check_keys(raw, "environments.*", where, source)
    overlay = "dev" if name == LOCAL else "prod"
    conventional = [f"compose/{stack}/compose.yaml", f"compose/{stack}/{overlay}.yaml"] if stack else []
    backup_keep = parse_retention(raw.get("backup_keep"), f"{where}.backup_keep", source, Retention())
    encryption = parse_encryption(raw.get("encryption"), f"{where}.encryption", source)
    schedule = parse_schedule(raw.get("schedule"), f"{where}.schedule", source)
    if encryption.recipients and schedule and schedule.drill != DrillEvery.NEVER:
        raise UsageError(
            f"{source}: deploy.{where}.schedule.drill: a host has no key for encrypted backups, and cannot prove them",
            f"drill: {DrillEvery.NEVER}, and inv db.drill from a machine that has the key",
        )
    own = name_of(
        text_of(raw, "project", project if name == "prod" else f"{project}-{name}", source, where),
        f"{where}.project",
        source,
    )
    return Environment(
        name=name,
        project=own,
        compose=full_texts_of(raw, "compose", source, where) or tuple(conventional),
        env_file=text_of(raw, "env_file", ".env" if name == LOCAL else f".env.{name}", source, where),
        hosts=_hosts(raw, where, source),
        domains=_domains(raw, where, source),
        acme=_acme(raw.get("acme"), where, source),
        maintenance_page=text_of(raw, "maintenance_page", "", source, where),
        path=_absolute(text_of(raw, "path", f"/opt/{own}", source, where), where, source),
        keep=count_of(raw, "keep", 5, source, where, least=2),
        drain_s=number_of(raw, "drain_s", 30, source, where, least=0),
        keep_free=_keep_free(raw, source, where),
        keep_warm_s=number_of(raw, "keep_warm_s", 0, source, where, least=0),
        backup_max_age_h=number_of(raw, "backup_max_age_h", 0, source, where, least=0),
        proof_max_age_h=number_of(raw, "proof_max_age_h", 0, source, where, least=0),
        backup_keep=backup_keep,
        encryption=encryption,
        offsite=parse_offsite(raw.get("offsite"), f"{where}.offsite", source, backup_keep),
        rehearse=boolean_of(raw, "rehearse", source, where),
        deploy_needs_proof_h=number_of(raw, "deploy_needs_proof_h", 0, source, where, least=0),
        schedule=schedule,
        notify=parse_notify(raw.get("notify"), f"{where}.notify", source),
        mask=_masks(raw.get("mask"), f"{source}: deploy.{where}.mask"),
        data_from=texts_of(raw, "data_from", source, where),
        engine=_engine(text_of(raw, "engine", Engine.COMPOSE, source, where), f"{source}: deploy.{where}.engine"),
        nodes=texts_of(raw, "nodes", source, where),
        waves=_waves(raw.get("waves"), f"{source}: deploy.{where}.waves"),
        parallel=count_of(raw, "parallel", AT_ONCE, source, where, least=1),
        builder=_builder(raw, where, source),
        allow=parse_reasons(raw.get("allow"), f"{source}: deploy.{where}.allow"),
        secrets=parse_secrets(raw.get("secrets"), f"{source}: deploy.{where}.secrets"),
        env_identity=text_of(raw, "env_identity", "", source, where),
        sudo=boolean_of(raw, "sudo", source, where),
        scan=_scan(raw.get("scan"), f"{where}.scan", source),
    )


def _engine(text: str, where: str) -> Engine:
    if text not in [*Engine]:
        raise UsageError(f"{where}: '{text}' is no engine", nearest(text, [*Engine]))
    return Engine(text)


def _masks(raw: Any, where: str) -> dict[str, dict[str, str]]:
    tables = {} if raw is None else raw
    if not isinstance(tables, Mapping):
        raise UsageError(f"{where} is not a mapping of tables to columns", shape_of(tables))
    for table, columns in tables.items():
        if not isinstance(columns, Mapping) or not all(isinstance(one, str) for one in columns.values()):
            raise UsageError(
                f"{where}.{table} is not a mapping of columns to SQL expressions",
                "for example email: \"'x@example.com'\"",
            )
    return {str(table): {str(column): text for column, text in columns.items()} for table, columns in tables.items()}


def _scan(raw: Any, where: str, source: str) -> Scanning | None:
    if raw is None or raw is False:
        return Scanning() if raw is None else None
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping, nor false", "it takes fail_on and sbom")
    check_keys(raw, "environments.*.scan", where, source)
    fail_on = text_of(raw, "fail_on", NEVER, source, where)
    if fail_on not in THRESHOLDS:
        raise UsageError(f"{source}: deploy.{where}.fail_on: '{fail_on}': unknown", nearest(fail_on, THRESHOLDS))
    return Scanning(fail_on, boolean_of(raw, "sbom", source, where))


def _domains(raw: Mapping[str, Any], where: str, source: str) -> dict[str, tuple[str, ...]]:
    domains = mapping_of(raw.get("domains"), f"{where}.domains", source, "of services to host names")
    named = {str(service): texts_of(domains, service, source, f"{where}.domains") for service in domains}
    seen: set[str] = set()
    for service, names in named.items():
        for name in names:
            path = f"{source}: deploy.{where}.domains.{service}: '{name}'"
            if not HOST_NAME.fullmatch(name):
                raise UsageError(
                    f"{path} is not a host name", "for example shop.example.com, without https:// or a port"
                )
            if name in seen:
                raise UsageError(f"{path} is there twice", "one name is answered by one service")
            seen.add(name)
    return named


def _acme(raw: Any, where: str, source: str) -> Acme | None:
    if raw is False:
        return None
    path = f"{where}.acme"
    found: Mapping[str, Any] = {} if raw is None else raw
    if not isinstance(found, Mapping):
        raise UsageError(f"{source}: deploy.{path} is not a mapping, nor false", shape_of(raw))
    check_keys(found, "environments.*.acme", path, source)
    server = text_of(found, "server", LETS_ENCRYPT, source, path)
    if not re.fullmatch(r"https://\S+", server):
        raise UsageError(f"{source}: deploy.{path}.server: '{server}' is not an https address", LETS_ENCRYPT)
    email = text_of(found, "email", "", source, path)
    if email and not re.fullmatch(r"[\w.+-]+@[\w.-]+", email):
        raise UsageError(f"{source}: deploy.{path}.email: '{email}' is not an address", "for example ops@example.com")
    return Acme(email, server, text_of(found, "ca", "", source, path))


def _keep_free(raw: Mapping[str, Any], source: str, path: str) -> KeepFree:
    text = text_of(raw, "keep_free", "0", source, path).replace(" ", "")
    match = _FREE.fullmatch(text)
    if match and match[2] == "%" and float(match[1]) < _HUNDRED:
        return KeepFree(share=float(match[1]) / _HUNDRED)
    if match and match[2] != "%":
        return KeepFree(size_bytes=int(float(match[1]) * _UNITS[match[2].upper()]))
    raise UsageError(
        f"{source}: deploy.{path}.keep_free: '{text}' is neither a share nor a size", "for example 20% or 10GB"
    )


def _waves(value: Any, where: str) -> tuple[Wave, ...]:
    """`1,50%`, a number, or a list of both."""
    if value is None:
        return CANARY
    words = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    return parse_waves(map(str, words), where) or CANARY


def _hosts(raw: Mapping[str, Any], where: str, source: str) -> tuple[str, ...]:
    """What a name means only OpenSSH knows; these are none."""
    hosts = full_texts_of(raw, "hosts", source, where)
    for one in hosts:
        if one.startswith("-") or re.search(r"[\s,]", one):
            raise UsageError(
                f"{source}: deploy.{where}.hosts: {one!r} cannot be read as a host",
                "write user@server, user@server:2222 or a name from ~/.ssh/config, one an entry",
            )
    return hosts


def _builder(raw: Mapping[str, Any], where: str, source: str) -> str:
    builder = text_of(raw, "builder", "", source, where)
    if builder and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", builder):
        raise UsageError(f"{source}: deploy.{where}.builder: {builder!r} is no builder", "docker buildx ls lists them")
    return builder


def _absolute(value: str, path: str, source: str) -> PurePosixPath:
    where = PurePosixPath(value)
    # never the root or a folder right below it
    if not where.is_absolute() or len(where.parts) < 3 or ".." in where.parts:  # noqa: PLR2004
        raise UsageError(f"{source}: deploy.{path}.path: '{value}' is not an absolute folder", "for example /opt/myapp")
    if strange := re.search(r"[^A-Za-z0-9._/@+=-]", value):
        raise UsageError(
            f"{source}: deploy.{path}.path: {value!r} has {strange[0]!r}, which not every program takes in a path",
            "use letters, digits and any of . _ - + = @, for example /opt/myapp",
        )
    return where


def slug(folder: str) -> str:
    """A folder's name as a project's."""
    return re.sub(r"[^a-z0-9_-]+", "-", folder.lower()).strip("-_") or "app"
