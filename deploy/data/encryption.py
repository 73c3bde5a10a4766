"""Backups that only the holder of a key can read: encrypted with age, decrypted for as long as a restore takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from deploy.data.repository import Repository, Writing
from deploy.model.backup import ACCOUNTS, Manifest, Part
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.shell.reading import read_file
from deploy.ui import Step
from deploy.ui.units import size

IMAGE = "windlass/age:1"
"""Made from `docker/age`."""


def encrypted(writing: Writing, part: Part) -> Part:
    """A part that has been written and read back, as nobody but the recipients can read it. Raises DeployError."""
    try:
        return writing.encrypt(part, IMAGE)
    except CommandError as error:
        raise DeployError(f"{part.title} could not be encrypted", details=error.stderr) from error


@contextmanager
def decrypted(
    repository: Repository,
    backup: Manifest,
    parts: Sequence[Part],
    identity: str,
    telling: AbstractContextManager[Step],
) -> Iterator[tuple[Repository, Manifest]]:
    """Where parts can be read from while the block runs, and the backup as it is there.

    `identity` is a file of this machine with the private key; `telling` is entered where anything is decrypted. Raises
    DeployError for content that has changed, and UsageError for a key that there is not or that does not fit.
    """
    if not any(part.encrypted for part in parts):
        yield repository, backup
        return
    try:
        with telling as step:
            _decrypt(repository, backup, parts, identity, step)
        plain = dataclasses.replace(backup, parts=tuple(part.plain for part in backup.parts))
        yield dataclasses.replace(repository, decrypted=f".{backup.id}.decrypted"), plain
    finally:
        repository.run("decrypt.sh", backup.id, check=False)


def _decrypt(repository: Repository, backup: Manifest, parts: Sequence[Part], identity: str, step: Step) -> None:
    """Decrypt parts, with the roles that their databases belong to."""
    key = _key(identity)
    services, files = {part.service for part in parts}, {part.file for part in parts}
    needed = [one for one in backup.parts if one.file in files or (one.kind in ACCOUNTS and one.service in services)]
    for part in needed:
        step.show(part.title)
        if repository.sha256(backup, part) != part.sha256:
            raise DeployError(f"{part.title}: its content has changed since the backup was made")
    try:
        repository.run("decrypt.sh", backup.id, IMAGE, *(part.file for part in needed), stdin=key)
    except CommandError as error:
        if "no identity matched" in error.stderr:
            raise UsageError(
                f"the key in {identity} cannot decrypt {backup.id}", "encryption.identity in invoke.yaml names another"
            ) from error
        raise DeployError(f"{backup.id} could not be decrypted", details=error.stderr) from error
    step.result = size(sum(part.size_bytes for part in needed))


def _key(identity: str) -> bytes:
    if not identity:
        raise UsageError(
            "the backup is encrypted, and no key is named", "name its file: encryption.identity under the environment"
        )
    return read_file(Path(identity).expanduser(), said="invoke.yaml: encryption.identity")
