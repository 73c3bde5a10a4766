"""Reading settings from what Invoke gives, with an error that names the key for everything that cannot be."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from deploy.model.errors import UsageError, nearest
from deploy.model.options import parse_reasons
from deploy.model.retention import Retention
from deploy.model.scan import NEVER, THRESHOLDS
from deploy.model.schedule import DrillEvery, Notify, Schedule, parse_times
from deploy.model.settings.secrets import parse_secrets
from deploy.model.settings.values import (
    LOCAL,
    Acme,
    Encryption,
    Engine,
    Environment,
    KeepFree,
    Offsite,
    Scanning,
    Settings,
)
from deploy.model.waves import AT_ONCE, CANARY, Wave, parse_waves

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""At most as long as a host name's part may be: containers' names and their host names begin with it."""
TAKEN = ("db", "env", "host", "sandbox", "stack", "test")
"""Names of tasks, which no environment can have."""

_FREE = re.compile(r"(\d+(?:\.\d+)?)(%|[kMGT]?B?)", re.IGNORECASE)
_WEBHOOK = re.compile(r"https?://[^\s\"\\]+")
_HUNDRED = 100
MOST = 1_000_000_000
"""No number of anything here is larger: infinity is none, nor is what is none (`.nan`)."""
_UNITS = {unit: 1000**power for power, letter in enumerate(("", "K", "M", "G", "T")) for unit in (letter, f"{letter}B")}
KEYS = {
    "": ("project", "stack", "environments", "backups"),
    "environments.*": (
        "project",
        "compose",
        "env_file",
        "hosts",
        "domains",
        "acme",
        "maintenance_page",
        "path",
        "keep",
        "drain_s",
        "keep_free",
        "keep_warm_s",
        "backup_max_age_h",
        "proof_max_age_h",
        "deploy_needs_proof_h",
        "schedule",
        "notify",
        "backup_keep",
        "encryption",
        "offsite",
        "rehearse",
        "mask",
        "data_from",
        "engine",
        "nodes",
        "waves",
        "parallel",
        "builder",
        "allow",
        "secrets",
        "env_identity",
        "sudo",
        "scan",
    ),
    "environments.*.acme": ("email", "server", "ca"),
    "environments.*.encryption": ("recipients", "identity"),
    "environments.*.schedule": ("at", "drill", "limit_h"),
    "environments.*.notify": ("command", "webhook", "recovery"),
    "environments.*.backup_keep": tuple(one.name for one in dataclasses.fields(Retention)),
    "environments.*.scan": ("fail_on", "sbom"),
    "environments.*.offsite": ("repository", "env_file", "keep", "timeout_s"),
}
HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def parse_settings(raw: Mapping[str, Any], *, folder: str, source: str = "invoke.yaml") -> Settings:
    """Settings from the mapping under `deploy:`.

    `folder` is the project folder's name, the default for the project's own name. Raises UsageError naming `source`,
    the path of the key and the nearest valid key.
    """
    _check_keys(raw, "", "", source)
    stack = _text(raw, "stack", "", source)
    project = _name(_text(raw, "project", stack or slug(folder), source), "project", source)
    declared = _mapping(raw.get("environments"), "environments", source, "of names to settings")
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
    return Settings(project, _text(raw, "backups", "backups", source), environments)


def environment_names(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the remote environments, for building task namespaces before the settings are checked."""
    declared = raw.get("environments")
    names = declared if isinstance(declared, Mapping) else {}
    return tuple(name for name in dict.fromkeys(("prod", *names)) if name != LOCAL and name not in TAKEN)


def _environment(name: str, raw: Any, project: str, stack: str, source: str) -> Environment:
    where = f"environments.{name}"
    if not isinstance(name, str):
        raise UsageError(f"{source}: deploy.environments: {name!r} is not a name", f'write it as a text: "{name}"')
    _name(name, where, source)
    if name in TAKEN:
        raise UsageError(f"{source}: deploy.{where}: '{name}' is the name of other tasks", "call it something else")
    raw = _mapping(raw, where, source)
    _check_keys(raw, "environments.*", where, source)
    overlay = "dev" if name == LOCAL else "prod"
    conventional = [f"compose/{stack}/compose.yaml", f"compose/{stack}/{overlay}.yaml"] if stack else []
    backup_keep = _retention(raw.get("backup_keep"), f"{where}.backup_keep", source, Retention())
    encryption = _encryption(raw.get("encryption"), f"{where}.encryption", source)
    schedule = _schedule(raw.get("schedule"), f"{where}.schedule", source)
    if encryption.recipients and schedule and schedule.drill != DrillEvery.NEVER:
        raise UsageError(
            f"{source}: deploy.{where}.schedule.drill: a host has no key for encrypted backups, and cannot prove them",
            f"drill: {DrillEvery.NEVER}, and inv db.drill from a machine that has the key",
        )
    own = _name(
        _text(raw, "project", project if name == "prod" else f"{project}-{name}", source, where),
        f"{where}.project",
        source,
    )
    return Environment(
        name=name,
        project=own,
        compose=_full_texts(raw, "compose", source, where) or tuple(conventional),
        env_file=_text(raw, "env_file", ".env" if name == LOCAL else f".env.{name}", source, where),
        hosts=_hosts(raw, where, source),
        domains=_domains(raw, where, source),
        acme=_acme(raw.get("acme"), where, source),
        maintenance_page=_text(raw, "maintenance_page", "", source, where),
        path=_absolute(_text(raw, "path", f"/opt/{own}", source, where), where, source),
        keep=_count(raw, "keep", 5, source, where, least=2),
        drain_s=_number(raw, "drain_s", 30, source, where, least=0),
        keep_free=_keep_free(raw, source, where),
        keep_warm_s=_number(raw, "keep_warm_s", 0, source, where, least=0),
        backup_max_age_h=_number(raw, "backup_max_age_h", 0, source, where, least=0),
        proof_max_age_h=_number(raw, "proof_max_age_h", 0, source, where, least=0),
        backup_keep=backup_keep,
        encryption=encryption,
        offsite=_offsite(raw.get("offsite"), f"{where}.offsite", source, backup_keep),
        rehearse=_boolean(raw, "rehearse", source, where),
        deploy_needs_proof_h=_number(raw, "deploy_needs_proof_h", 0, source, where, least=0),
        schedule=schedule,
        notify=_notify(raw.get("notify"), f"{where}.notify", source),
        mask=_masks(raw.get("mask"), f"{source}: deploy.{where}.mask"),
        data_from=_texts(raw, "data_from", source, where),
        engine=_engine(_text(raw, "engine", Engine.COMPOSE, source, where), f"{source}: deploy.{where}.engine"),
        nodes=_texts(raw, "nodes", source, where),
        waves=_waves(raw.get("waves"), f"{source}: deploy.{where}.waves"),
        parallel=_count(raw, "parallel", AT_ONCE, source, where, least=1),
        builder=_builder(raw, where, source),
        allow=parse_reasons(raw.get("allow"), f"{source}: deploy.{where}.allow"),
        secrets=parse_secrets(raw.get("secrets"), f"{source}: deploy.{where}.secrets"),
        env_identity=_text(raw, "env_identity", "", source, where),
        sudo=_boolean(raw, "sudo", source, where),
        scan=_scan(raw.get("scan"), f"{where}.scan", source),
    )


def _engine(text: str, where: str) -> Engine:
    if text not in [*Engine]:
        raise UsageError(f"{where}: '{text}' is no engine", nearest(text, [*Engine]))
    return Engine(text)


def _masks(raw: Any, where: str) -> dict[str, dict[str, str]]:
    tables = {} if raw is None else raw
    if not isinstance(tables, Mapping):
        raise UsageError(f"{where} is not a mapping of tables to columns", _shape_of(tables))
    for table, columns in tables.items():
        if not isinstance(columns, Mapping) or not all(isinstance(one, str) for one in columns.values()):
            raise UsageError(
                f"{where}.{table} is not a mapping of columns to SQL expressions",
                "for example email: \"'x@example.com'\"",
            )
    return {str(table): {str(column): text for column, text in columns.items()} for table, columns in tables.items()}


def _encryption(raw: Any, where: str, source: str) -> Encryption:
    if raw is None:
        return Encryption()
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping", "write public keys under recipients:")
    _check_keys(raw, "environments.*.encryption", where, source)
    recipients = _texts(raw, "recipients", source, where)
    for one in recipients:
        if not re.fullmatch(r"age1[a-z0-9]{58,}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?", one):
            kind = "a private key: take it out" if "SECRET-KEY" in one else f"'{one}' is no public key"
            raise UsageError(f"{source}: deploy.{where}.recipients: {kind}", "age-keygen prints one: age1…")
    if not recipients:
        raise UsageError(f"{source}: deploy.{where}.recipients is empty", "nobody could read what is encrypted")
    return Encryption(recipients, _text(raw, "identity", "", source, where))


def _retention(raw: Any, where: str, source: str, usual: Retention) -> Retention:
    if raw is None:
        return usual
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping of periods to numbers", _shape_of(raw))
    _check_keys(raw, "environments.*.backup_keep", where, source)
    kept = {
        name: _count(raw, name, default, source, where, least=0) for name, default in dataclasses.asdict(usual).items()
    }
    return Retention(**kept)


def _offsite(raw: Any, where: str, source: str, keep: Retention) -> Offsite | None:
    if raw is None:
        return None
    path = f"{source}: deploy.{where}"
    if not isinstance(raw, Mapping):
        raise UsageError(f"{path} is not a mapping", "write what it is under repository:")
    _check_keys(raw, "environments.*.offsite", where, source)
    repository = _text(raw, "repository", "", source, where)
    if not re.match(r"/|(local:/|sftp:|rest:|s3:|b2:|azure:|gs:|swift:).", repository):
        raise UsageError(
            f"{path}.repository: '{repository}' is no repository that restic reaches from its image",
            "for example sftp:backup@nas.example.com:/srv/shop, s3:https://s3.example.com/bucket, or /mnt/disk/shop",
        )
    if not repository.isprintable():
        raise UsageError(f"{path}.repository has a line break or another character that cannot be seen", "remove it")
    if re.match(r"rest:https?://[^/@]*:[^/@]*@", repository):  # it is shown wherever the repository is named
        raise UsageError(
            f"{path}.repository holds a password",
            "take it out of the address, and write RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD to offsite.env_file",
        )
    return Offsite(
        repository,
        _text(raw, "env_file", ".env.offsite", source, where),
        _retention(raw.get("keep"), f"{where}.keep", source, keep),
        _number(raw, "timeout_s", 300, source, where, least=1),
    )


def _schedule(raw: Any, where: str, source: str) -> Schedule | None:
    """A text is the time alone."""
    if raw is None or raw is False:
        return None
    found = {"at": raw} if isinstance(raw, str | int) else raw
    if not isinstance(found, Mapping):
        raise UsageError(f"{source}: deploy.{where} is neither a time nor a mapping", _shape_of(raw))
    _check_keys(found, "environments.*.schedule", where, source)
    at, path = found.get("at"), f"{source}: deploy.{where}.at"
    if not isinstance(at, str):  # YAML reads 03:15 as a number of minutes or seconds
        raise UsageError(f"{path} is not a text", f"write it in quotes, for example at: '03:15'; {_shape_of(at)}")
    drill = _text(found, "drill", DrillEvery.RUN, source, where)
    if drill not in [*DrillEvery]:
        raise UsageError(f"{source}: deploy.{where}.drill: '{drill}': unknown", nearest(drill, [*DrillEvery]))
    limit_h = _number(found, "limit_h", Schedule.limit_h, source, where, least=0.01)
    return Schedule(parse_times(at, path), DrillEvery(drill), limit_h)


def _scan(raw: Any, where: str, source: str) -> Scanning | None:
    if raw is None or raw is False:
        return Scanning() if raw is None else None
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping, nor false", "it takes fail_on and sbom")
    _check_keys(raw, "environments.*.scan", where, source)
    fail_on = _text(raw, "fail_on", NEVER, source, where)
    if fail_on not in THRESHOLDS:
        raise UsageError(f"{source}: deploy.{where}.fail_on: '{fail_on}': unknown", nearest(fail_on, THRESHOLDS))
    return Scanning(fail_on, _boolean(raw, "sbom", source, where))


def _notify(raw: Any, where: str, source: str) -> Notify:
    if raw is None:
        return Notify()
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping", "it takes command, webhook and recovery")
    _check_keys(raw, "environments.*.notify", where, source)
    webhook, recovery = _text(raw, "webhook", "", source, where), raw.get("recovery", False)
    if webhook and not _WEBHOOK.fullmatch(webhook):  # its text is a secret
        raise UsageError(f"{source}: deploy.{where}.webhook is no address", "for example https://hooks.example.com/…")
    if not isinstance(recovery, bool):
        raise UsageError(f"{source}: deploy.{where}.recovery is neither true nor false", _shape_of(recovery))
    return Notify(_text(raw, "command", "", source, where), webhook, recovery)


def _domains(raw: Mapping[str, Any], where: str, source: str) -> dict[str, tuple[str, ...]]:
    domains = _mapping(raw.get("domains"), f"{where}.domains", source, "of services to host names")
    named = {str(service): _texts(domains, service, source, f"{where}.domains") for service in domains}
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
        raise UsageError(f"{source}: deploy.{path} is not a mapping, nor false", _shape_of(raw))
    _check_keys(found, "environments.*.acme", path, source)
    server = _text(found, "server", LETS_ENCRYPT, source, path)
    if not re.fullmatch(r"https://\S+", server):
        raise UsageError(f"{source}: deploy.{path}.server: '{server}' is not an https address", LETS_ENCRYPT)
    email = _text(found, "email", "", source, path)
    if email and not re.fullmatch(r"[\w.+-]+@[\w.-]+", email):
        raise UsageError(f"{source}: deploy.{path}.email: '{email}' is not an address", "for example ops@example.com")
    return Acme(email, server, _text(found, "ca", "", source, path))


def _check_keys(raw: Mapping[str, Any], level: str, path: str, source: str) -> None:
    for key in raw:
        if key not in KEYS[level]:
            raise UsageError(f"{source}: deploy.{_join(path, str(key))}: unknown key", nearest(str(key), KEYS[level]))


def _text(raw: Mapping[str, Any], key: str, default: str, source: str, path: str = "") -> str:
    value = raw.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, str | int):
        return str(value)
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not a text", _shape_of(value))


def _texts(raw: Mapping[str, Any], key: str, source: str, path: str) -> tuple[str, ...]:
    value = raw.get(key)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not a list of texts", _shape_of(value))


def _full_texts(raw: Mapping[str, Any], key: str, source: str, path: str) -> tuple[str, ...]:
    values = _texts(raw, key, source, path)
    if all(value.strip() for value in values):
        return values
    raise UsageError(f"{source}: deploy.{_join(path, key)} has an empty text", f"leave it out; {_shape_of([*values])}")


def _number(raw: Mapping[str, Any], key: str, default: float, source: str, path: str, *, least: float) -> float:
    value = raw.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= MOST:
        raise UsageError(f"{source}: deploy.{_join(path, key)} is not a number of at least {least:g}", _shape_of(value))
    return value


def _count(raw: Mapping[str, Any], key: str, default: int, source: str, path: str, *, least: int) -> int:
    value = _number(raw, key, default, source, path, least=least)
    if isinstance(value, int):
        return value
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not a whole number", _shape_of(value))


def _boolean(raw: Mapping[str, Any], key: str, source: str, path: str) -> bool:
    value = raw.get(key, False)
    if isinstance(value, bool):
        return value
    raise UsageError(f"{source}: deploy.{_join(path, key)} is not true or false", _shape_of(value))


def _keep_free(raw: Mapping[str, Any], source: str, path: str) -> KeepFree:
    text = _text(raw, "keep_free", "0", source, path).replace(" ", "")
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
    hosts = _full_texts(raw, "hosts", source, where)
    for one in hosts:
        if one.startswith("-") or re.search(r"[\s,]", one):
            raise UsageError(
                f"{source}: deploy.{where}.hosts: {one!r} cannot be read as a host",
                "write user@server, user@server:2222 or a name from ~/.ssh/config, one an entry",
            )
    return hosts


def _builder(raw: Mapping[str, Any], where: str, source: str) -> str:
    builder = _text(raw, "builder", "", source, where)
    if builder and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", builder):
        raise UsageError(f"{source}: deploy.{where}.builder: {builder!r} is no builder", "docker buildx ls lists them")
    return builder


def _name(value: str, path: str, source: str) -> str:
    if NAME.fullmatch(value):
        return value
    raise UsageError(
        f"{source}: deploy.{path}: '{value}' cannot name a compose project",
        "use lower-case letters, digits, '-' and '_', starting with a letter or digit",
    )


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


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _mapping(raw: Any, path: str, source: str, what: str = "") -> Mapping[str, Any]:
    """Nothing is an empty one; `what` says of what it is one."""
    if raw is None:
        return {}
    if isinstance(raw, Mapping):
        return raw
    raise UsageError(f"{source}: deploy.{path} is not a mapping{what and ' ' + what}", _shape_of(raw))


def _shape_of(value: object) -> str:
    return f"it is {reprlib.repr(value)}"
