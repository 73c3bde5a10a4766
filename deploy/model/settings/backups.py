"""What an environment says about its backups: who reads them, what is kept, where copies go, when they are made."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from deploy.model.errors import UsageError, nearest
from deploy.model.retention import Retention
from deploy.model.schedule import DrillEvery, Notify, Schedule, parse_times
from deploy.model.settings.reading import (
    check_keys,
    count_of,
    number_of,
    shape_of,
    text_of,
    texts_of,
)
from deploy.model.settings.values import Encryption, Offsite

_WEBHOOK = re.compile(r"https?://[^\s\"\\]+")


def parse_encryption(raw: Any, where: str, source: str) -> Encryption:
    if raw is None:
        return Encryption()
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping", "write public keys under recipients:")
    check_keys(raw, "environments.*.encryption", where, source)
    recipients = texts_of(raw, "recipients", source, where)
    for one in recipients:
        if not re.fullmatch(r"age1[a-z0-9]{58,}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?", one):
            kind = "a private key: take it out" if "SECRET-KEY" in one else f"'{one}' is no public key"
            raise UsageError(f"{source}: deploy.{where}.recipients: {kind}", "age-keygen prints one: age1…")
    if not recipients:
        raise UsageError(f"{source}: deploy.{where}.recipients is empty", "nobody could read what is encrypted")
    return Encryption(recipients, text_of(raw, "identity", "", source, where))


def parse_retention(raw: Any, where: str, source: str, usual: Retention) -> Retention:
    if raw is None:
        return usual
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping of periods to numbers", shape_of(raw))
    check_keys(raw, "environments.*.backup_keep", where, source)
    kept = {
        name: count_of(raw, name, default, source, where, least=0)
        for name, default in dataclasses.asdict(usual).items()
    }
    return Retention(**kept)


def parse_offsite(raw: Any, where: str, source: str, keep: Retention) -> Offsite | None:
    if raw is None:
        return None
    path = f"{source}: deploy.{where}"
    if not isinstance(raw, Mapping):
        raise UsageError(f"{path} is not a mapping", "write what it is under repository:")
    check_keys(raw, "environments.*.offsite", where, source)
    repository = text_of(raw, "repository", "", source, where)
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
        text_of(raw, "env_file", ".env.offsite", source, where),
        parse_retention(raw.get("keep"), f"{where}.keep", source, keep),
        number_of(raw, "timeout_s", 300, source, where, least=1),
    )


def parse_schedule(raw: Any, where: str, source: str) -> Schedule | None:
    """A text is the time alone."""
    if raw is None or raw is False:
        return None
    found = {"at": raw} if isinstance(raw, str | int) else raw
    if not isinstance(found, Mapping):
        raise UsageError(f"{source}: deploy.{where} is neither a time nor a mapping", shape_of(raw))
    check_keys(found, "environments.*.schedule", where, source)
    at, path = found.get("at"), f"{source}: deploy.{where}.at"
    if not isinstance(at, str):  # YAML reads 03:15 as a number of minutes or seconds
        raise UsageError(f"{path} is not a text", f"write it in quotes, for example at: '03:15'; {shape_of(at)}")
    drill = text_of(found, "drill", DrillEvery.RUN, source, where)
    if drill not in [*DrillEvery]:
        raise UsageError(f"{source}: deploy.{where}.drill: '{drill}': unknown", nearest(drill, [*DrillEvery]))
    limit_h = number_of(found, "limit_h", Schedule.limit_h, source, where, least=0.01)
    return Schedule(parse_times(at, path), DrillEvery(drill), limit_h)


def parse_notify(raw: Any, where: str, source: str) -> Notify:
    if raw is None:
        return Notify()
    if not isinstance(raw, Mapping):
        raise UsageError(f"{source}: deploy.{where} is not a mapping", "it takes command, webhook and recovery")
    check_keys(raw, "environments.*.notify", where, source)
    webhook, recovery = text_of(raw, "webhook", "", source, where), raw.get("recovery", False)
    if webhook and not _WEBHOOK.fullmatch(webhook):  # its text is a secret
        raise UsageError(f"{source}: deploy.{where}.webhook is no address", "for example https://hooks.example.com/…")
    if not isinstance(recovery, bool):
        raise UsageError(f"{source}: deploy.{where}.recovery is neither true nor false", shape_of(recovery))
    return Notify(text_of(raw, "command", "", source, where), webhook, recovery)
