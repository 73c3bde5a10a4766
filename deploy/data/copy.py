"""Copying backups between machines: off a host, and onto another one when the first is lost."""

from __future__ import annotations

from deploy.data.repository import Repository, Stored, Writing
from deploy.model.errors import DeployError
from deploy.shell.packaged import packaged
from deploy.ui import Step
from deploy.ui.units import count, size


def copy_backup(source: Repository, stored: Stored, target: Repository, by: str, step: Step) -> None:
    """Make a backup what it is on another machine, too. Every file is compared with its hash as it arrives.

    It passes through this process in pieces. Raises DeployError; nothing that looks like a backup is left there then.
    """
    manifest = stored.manifest
    if stored.problem:
        raise DeployError(f"{manifest.id} is no backup to copy: {stored.problem}", "choose another: inv db.backups")
    with target.locked(f"{by}: copy of {manifest.id}"):
        target.run("begin.sh", manifest.id, manifest.size_bytes)
        try:
            writing = Writing(target, manifest.id, step)
            for part in manifest.parts:
                read = packaged("data", "read.sh", source.folder, f"{manifest.id}/{part.file}")
                written = writing.receive(part.file, source.shell, read, what=part.title, of_bytes=part.size_bytes)
                if written.sha256 != part.sha256:
                    raise DeployError(
                        f"{part.title}: what arrived is not what was backed up",
                        f"inv db.drill tells whether {manifest.id} is damaged on {source.shell.name}",
                    )
            target.run("commit.sh", manifest.id, stdin=manifest.to_json().encode())
        except BaseException:
            target.run("discard.sh", manifest.id, check=False)
            raise
    step.result = f"{count(len(manifest.parts), 'file')}, {size(manifest.size_bytes)}"
