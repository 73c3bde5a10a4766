"""Copies of backups off their machine: a restic repository, worked on by a container beside the backups."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deploy.data.repository import Repository, Stored
from deploy.model.backup import PARTIAL_SUFFIX, Manifest
from deploy.model.errors import DeployError, tail
from deploy.model.offsite import (
    IMAGE,
    LOCKED,
    NO_REPOSITORY,
    PLACE,
    Copy,
    Known,
    Message,
    backup_words,
    check_words,
    complaints,
    forget_words,
    local_folder,
    masked,
    options,
    parse_message,
    parse_snapshots,
    restore_words,
    snapshots_words,
    why,
)
from deploy.model.settings import Offsite
from deploy.shell.base import lines_of
from deploy.shell.packaged import packaged
from deploy.ui import Step
from deploy.ui.units import count, size

STDERR_BYTES = 1 << 16


@dataclass(frozen=True)
class _Answer:
    """What a call of restic came to."""

    exit_code: int
    text: str
    """Its standard output, where it was asked for."""
    summary: Mapping[str, Any]
    stderr: str


@dataclass(frozen=True)
class _Mount:
    """A folder of the machine in restic's container."""

    place: str = ""
    target: str = ""
    access: str = ""
    """`ro` or `rw`."""


@dataclass(frozen=True)
class OffsiteRepository:
    """Where copies of one project's backups are that stand in a folder of a machine."""

    backups: Repository
    project: str
    environment: str
    settings: Offsite
    secrets: Mapping[str, str] = field(repr=False)
    """Variables for restic. They go over standard input into the container, and nowhere else."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return masked(self.settings.repository)

    @property
    def folder(self) -> str:
        """What this keeps for itself beside the backups: a cache, what is known, a backup on trial."""
        return f"{self.backups.folder}/.offsite"

    @contextlib.contextmanager
    def locked(self, by: str) -> Iterator[None]:
        """Nobody else of this machine writes there while the block runs. Backups can be taken meanwhile."""
        with Repository(self.backups.shell, self.folder).locked(by):
            self.backups.run("offsite.sh", "sweep", self.project)
            yield

    def known(self) -> Known | None:
        """What was there when it was last asked; None when it never was."""
        return known_copies(self.backups, self.settings)

    def copies(self, step: Step) -> tuple[Copy, ...]:
        """What is there, oldest first; nothing where no repository was made yet.

        Raises DeployError where one is gone that had copies: to make a new one would hide that.
        """
        return self._look(step) or ()

    def _look(self, step: Step) -> tuple[Copy, ...] | None:
        """None where there is no repository."""
        step.show(f"looking into {self.name}")
        answer = self._restic(snapshots_words(self.project), step, keep=True)
        if answer.exit_code == NO_REPOSITORY:
            known = self.known()
            if known and known.copies:
                raise DeployError(
                    f"{self.name} is gone: it had {count(len(known.copies), 'backup')} of {self.project}",
                    f"is its disk mounted? To begin a new one: rm {self.folder}/known.json",
                )
            return None
        self._require(answer)
        found = parse_snapshots(answer.text)
        self.remember(found)
        return found

    def open(self, step: Step) -> tuple[tuple[Copy, ...], bool]:
        """What is there, and whether the repository had to be made for that."""
        found = self._look(step)
        if found is None:
            step.show(f"making {self.name}")
            self._require(self._restic(("init",), step))
            return (), True
        return found, False

    def upload(self, manifest: Manifest, step: Step) -> tuple[Copy, int]:
        """Copy a backup there; how many bytes that took. Raises DeployError, and then no snapshot of it is left."""
        folder = f"{self.backups.folder}/{manifest.id}"
        mount = _Mount(folder, f"{PLACE}/{manifest.id}", "ro")
        words = backup_words(manifest, self.environment)
        answer = self._writing(words, step, mount, what=manifest.id)
        summary = answer.summary
        whole = (
            not answer.exit_code
            and summary.get("total_files_processed") == len(manifest.parts) + 1  # with the manifest
            and summary.get("total_bytes_processed", 0) > manifest.size_bytes
        )
        if not whole:
            if snapshot := summary.get("snapshot_id"):
                self._restic(forget_words([snapshot], prune=False), step)
            self._require(answer)
            raise DeployError(f"{self.name}: not all of {manifest.id} arrived", "run this again")
        copy = Copy(
            manifest.id,
            summary["snapshot_id"],
            manifest.label,
            manifest.release,
            manifest.started_at,
            manifest.services,
            summary["total_bytes_processed"],
        )
        return copy, int(summary.get("data_added_packed", summary.get("data_added", 0)))

    def download(self, copy: Copy, into: Repository, by: str, step: Step) -> Stored:
        """Make a copy an ordinary backup in a folder. Every file is compared with the manifest's hash.

        Raises DeployError; nothing that looks like a backup is left there then.
        """
        partial = f".{copy.id}{PARTIAL_SUFFIX}"
        with into.locked(f"{by}: {copy.id} from {self.name}"):
            into.run("begin.sh", copy.id, copy.size_bytes)
            try:
                mount = _Mount(f"{into.folder}/{partial}", f"{PLACE}/{copy.id}", "rw")
                words = restore_words(copy)
                self._require(self._restic(words, step, mount, what=copy.id, alive=f"{into.folder}/.lock"))
                text = into.run("read.sh", f"{partial}/manifest.json").stdout
                manifest = Manifest.from_json(text, where=f"{copy.id} in {self.name}")
                for part in manifest.parts:
                    step.show(f"{part.title}: comparing")
                    if into.run("sum.sh", f"{partial}/{part.file}").stdout.strip() != part.sha256:
                        raise DeployError(
                            f"{part.title} in {self.name} is not what was backed up",
                            "inv db.check --share 100% reads all of it",
                        )
                into.run("commit.sh", copy.id, stdin=text.encode())
            except BaseException:
                into.run("discard.sh", copy.id, check=False)
                raise
        step.result = f"{count(len(manifest.parts), 'file')}, {size(manifest.size_bytes)}"
        return Stored(manifest)

    def forget(self, copies: Sequence[Copy], step: Step) -> None:
        """Remove copies, and what only they needed."""
        self._require(self._writing(forget_words((one.snapshot for one in copies), prune=True), step))

    def check(self, share: str, step: Step) -> None:
        """Let restic look at its structure, and read a share of its packs. Raises DeployError with what is damaged."""
        answer = self._writing(check_words(share), step)
        if "repository contains errors" in answer.stderr:
            raise DeployError(
                f"{self.name} is damaged",
                "restic repair (see its manual) saves what can be saved; inv db.upload brings back what is still here",
                details=tail("\n".join(complaints(answer.stderr))),
            )
        self._require(answer)

    def remember(self, copies: Iterable[Copy]) -> None:
        """Note beside the backups what is there now."""
        known = Known(self.settings.repository, datetime.now(UTC), tuple(copies))
        self.backups.run("offsite.sh", "remember", stdin=known.to_json().encode())

    def _require(self, answer: _Answer) -> None:
        if answer.exit_code:
            machine, settings = self.backups.shell.name, self.settings
            raise why(answer.exit_code, answer.stderr, settings.repository, machine, settings.env_file)

    def _writing(self, words: Sequence[str], step: Step, mount: _Mount = _Mount(), *, what: str = "") -> _Answer:
        """A call that locks the repository. Locks that the dead have left are removed where they are in the way."""
        lock = f"{self.folder}/.lock"
        answer = self._restic(words, step, mount, what=what, alive=lock)
        if answer.exit_code == LOCKED:
            self._restic(("unlock",), step)
            answer = self._restic(words, step, mount, what=what, alive=lock)
        return answer

    def _restic(
        self,
        words: Iterable[str],
        step: Step,
        mount: _Mount = _Mount(),
        *,
        what: str = "",
        alive: str = "",
        keep: bool = False,
    ) -> _Answer:
        """One call to its end. `what` is moved; `alive` is the lock that is ours meanwhile."""
        repository, timeout_s = self.settings.repository, int(self.settings.timeout_s)
        place = (alive, local_folder(repository), mount.place, mount.target, mount.access)
        command = packaged(
            "data",
            "restic.sh",
            *(self.backups.folder, self.project, IMAGE, timeout_s, *place),
            *words,
            *options(repository),
        )
        variables = {**self.secrets, "RESTIC_REPOSITORY": repository}
        summary: Mapping[str, Any] = {}
        text: list[str] = []
        with self.backups.shell.start(command) as process:
            with contextlib.suppress(BrokenPipeError):  # it ended without reading: its status tells
                process.write("".join(f"{name}={value}\n" for name, value in variables.items()).encode())
            process.close_stdin()
            for line in lines_of(process.read):
                message = parse_message(line)
                summary = message.summary or summary
                _tell(message, what, step)
                if keep:
                    text.append(line)
            stderr = process.read_stderr(STDERR_BYTES)
            while more := process.read_stderr(STDERR_BYTES):
                stderr += more
            return _Answer(process.wait(), "\n".join(text), summary, stderr.decode(errors="replace"))


def known_copies(backups: Repository, settings: Offsite) -> Known | None:
    """What the repository had when it was last asked; None when it never was. Asks nobody."""
    return Known.from_json(backups.run("offsite.sh", "known").stdout, settings.repository)


def _tell(message: Message, what: str, step: Step) -> None:
    if message.done_bytes is not None:
        step.progress(message.done_bytes, message.total_bytes or None)
    elif what and message.text:
        step.show(f"{what}: {message.text}")
    elif message.text:
        step.show(message.text)
