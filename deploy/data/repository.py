"""The folder of backups of one project on a machine."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.model.backup import PARTIAL_SUFFIX, Label, Manifest, Part, StoreKind
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.proof import Proof
from deploy.model.settings import Environment
from deploy.shell import Completed, OnLine, Process, Shell
from deploy.shell.base import CHUNK_BYTES, lines_of
from deploy.shell.packaged import packaged
from deploy.ui import Step
from deploy.ui.units import size

LATEST = "latest"
NEVER_LATEST = frozenset({Label.PRE_RESTORE, Label.POINT_IN_TIME})
BEAT_S = 10.0
RELEASE_S = 5.0
"""How long the end of a lock is waited for, on a busy host."""
STALL_S = 120
"""A copy that sends no byte for this long is ended: a dump holds a transaction open."""


@dataclass(frozen=True)
class Stored:
    """A backup that is there, or what looks like one: `problem` says what is wrong with it."""

    manifest: Manifest
    problem: str = ""
    proofs: tuple[Proof, ...] = ()

    @property
    def proof(self) -> Proof | None:
        """What the last drill found."""
        return self.proofs[-1] if self.proofs else None

    @property
    def proved(self) -> bool:
        """Whether the last drill of every part of it was green."""
        last = {title: proof.ok for proof in self.proofs for title in proof.parts}
        # a base is proved where its WAL is, and not as a copy elsewhere
        return not self.problem and all(
            last.get(part.title, part.kind == StoreKind.BASE) for part in self.manifest.parts
        )


@dataclass(frozen=True)
class Written:
    """A file that was written and read back."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Repository:
    """Backups of one project in a folder."""

    shell: Shell
    folder: str
    recipients: tuple[str, ...] = ()
    """Who can decrypt what is written here, as age names them; nothing is encrypted for nobody."""
    decrypted: str = ""
    """The folder in which one backup's parts are, decrypted; empty for where they always are."""
    alike: bool = False
    """Whether a backup is to share as many of its bytes as can be with the one before, for a place that keeps equal
    ones once; it takes longer to make."""

    @classmethod
    def of(cls, environment: Environment, shell: Shell, folder: str) -> Repository:
        """A folder in which an environment's backups are as its settings want them."""
        return cls(shell, folder, environment.encryption.recipients, alike=environment.offsite is not None)

    def script(self, name: str, *arguments: str | int) -> Command:
        """One of the scripts of `data/scripts` that work on the folder."""
        return packaged("data", name, self.folder, *arguments)

    def run(
        self, name: str, *arguments: str | int, stdin: bytes = b"", check: bool = True, on_line: OnLine | None = None
    ) -> Completed:
        return self.shell.run(self.script(name, *arguments), stdin=stdin, check=check, on_line=on_line)

    @contextlib.contextmanager
    def locked(self, by: str) -> Iterator[None]:
        """Nobody else writes here while the block runs. Raises DeployError naming who does.

        What runs there on our behalf ends by itself, and so does the lock, within two minutes of our last sign of life.
        """
        with self.shell.start(self.script("lock.sh", by)) as holder:
            if holder.read_line() != "locked":
                who = holder.read_stderr(1 << 12).decode(errors="replace").strip()
                raise DeployError(
                    f"{self.shell.name}: {who or 'somebody else'} works on the backups in {self.folder}",
                    "try again when that has ended",
                )
            ended = threading.Event()

            def beat() -> None:
                with contextlib.suppress(BrokenPipeError):
                    while not ended.wait(BEAT_S):
                        holder.write(b"beat\n")

            beating = threading.Thread(target=beat, daemon=True)
            beating.start()
            try:
                yield
            finally:
                ended.set()
                beating.join()
                holder.close_stdin()
                _await_end(holder)

    def backups(self) -> tuple[Stored, ...]:
        """Every backup, oldest first. Folders without a manifest are none and are left out."""
        return tuple(sorted(self._read(), key=lambda stored: (stored.manifest.started_at, stored.manifest.id)))

    def unfinished(self) -> Mapping[str, int]:
        """Folders of backups that are being made or were given up by a killed run, with their bytes."""
        lines = self.run("unfinished.sh").stdout.splitlines()
        return {name: int(size_bytes) for size_bytes, _, name in (line.partition(" ") for line in lines)}

    def find(self, wanted: str) -> Stored:
        """A backup by a part of its id that only one has, or the `latest`. Raises UsageError naming what there is.

        The latest is the newest that was not taken before a restore: that one holds what was to be got rid of. Nor does
        one count that was recovered as of a moment.
        """
        candidates = self.backups()
        if not candidates:
            raise UsageError(f"there is no backup in {self.folder} on {self.shell.name}", "make one: inv db.backup")
        if wanted == LATEST:
            regular = [stored for stored in candidates if stored.manifest.label not in NEVER_LATEST]
            return (regular or candidates)[-1]
        found = [stored for stored in candidates if wanted in stored.manifest.id]
        if len(found) == 1:
            return found[0]
        what = "no backup is" if not found else f"{len(found)} backups are"
        known = ", ".join(stored.manifest.id for stored in candidates[-5:])
        raise UsageError(f"{what} called '{wanted}'", f"the newest are: {known}; inv db.backups lists all")

    def sha256(self, backup: Manifest, part: Part) -> str:
        """What a part's file has now."""
        return self.run("sum.sh", self._file(backup, part)).stdout.strip()

    def feed(self, backup: Manifest, part: Part, command: Command) -> Command:
        """A command that reads a part's content from its standard input."""
        return self.script("feed.sh", self._file(backup, part), *command)

    def _file(self, backup: Manifest, part: Part) -> str:
        return f"{self.decrypted or backup.id}/{part.file}"

    def note(self, backup: Manifest, proof: Proof) -> None:
        """Remember what a drill has found."""
        self.run("note.sh", backup.id, stdin=f"{proof.to_json()}\n".encode())

    def remove(self, backups: Iterable[str]) -> None:
        """Remove backups by their ids."""
        self.run("remove.sh", *backups)

    def _read(self) -> Iterator[Stored]:
        sections: dict[str, dict[str, list[str]]] = {}
        lines: list[str] = []
        for line in self.run("list.sh").stdout.splitlines():
            if line.startswith("@@"):
                section, _, name = line[2:].partition(" ")
                lines = sections.setdefault(name, {}).setdefault(section, [])
            elif line:
                lines.append(line)
        for name, found in sections.items():
            with contextlib.suppress(DeployError):  # another program's folder
                manifest = Manifest.from_json("\n".join(found["manifest"]), where=f"{self.folder}/{name}")
                sizes = {file: int(count) for count, _, file in (line.partition(" ") for line in found["files"])}
                yield Stored(manifest, _problem(manifest, sizes), tuple(_proofs(found["proofs"])))


def _problem(manifest: Manifest, sizes: Mapping[str, int]) -> str:
    for part in manifest.parts:
        if part.file not in sizes:
            return f"{part.file} is missing"
        if sizes[part.file] != part.size_bytes:
            return f"{part.file} has {sizes[part.file]} bytes instead of {part.size_bytes}"
    return ""


def _proofs(lines: Iterable[str]) -> Iterator[Proof]:
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # cut as it was written
            yield Proof.from_json(line)


class Writing:
    """A backup that is being written: the files that stores put into it."""

    def __init__(self, repository: Repository, backup_id: str, step: Step) -> None:
        self._repository = repository
        self._folder = f"{repository.folder}/.{backup_id}{PARTIAL_SUFFIX}"
        self.alike = repository.alike
        self.step = step

    def take(
        self, file: str, command: Command, *, what: str, magic: str = "", pack: bool = False, of_bytes: int = 0
    ) -> Written:
        """Write what a command prints to a file. No byte of it passes through here.

        Raises CommandError when the command fails, sends nothing for long, or its output does not begin with `magic`.
        """
        report = _Report(self.step, what, of_bytes)
        packing = "pack" if pack else "plain"
        words = (file, magic, STALL_S, packing, *command)
        self._repository.shell.run(packaged("data", "take.sh", self._folder, *words), on_line=report.hear)
        return Written(report.file, report.size_bytes, report.sha256)

    def receive(
        self, file: str, source: Shell, command: Command, *, what: str, magic: str = "", of_bytes: int = 0
    ) -> Written:
        """Write what a command on another machine prints to a file, as it comes.

        Raises CommandError when either side fails; then no file is left.
        """
        shell = self._repository.shell
        report = _Report(self.step, what, of_bytes)
        taking = packaged("data", "take.sh", self._folder, file, magic, STALL_S, "plain", "cat")
        with source.start(command) as sender, shell.start(taking) as taker:
            told = threading.Thread(target=report.hear_all, args=(taker,), daemon=True)
            told.start()
            try:
                while chunk := sender.read(CHUNK_BYTES):
                    taker.write(chunk)
            except BrokenPipeError:  # it could not go on, and says why
                sender.kill()
            else:
                if sender.wait():  # what has come is not all of it, and must not be taken for a whole
                    taker.kill()
                taker.close_stdin()
            taken = taker.wait()
            said = b"" if taken == 0 else taker.read_stderr(1 << 14) + sender.read_stderr(1 << 14)
            told.join()  # before its stream is closed: the last it says is what was written
        if taken or not report.sha256:
            raise CommandError(
                f"{source.name}: '{command.title}' could not be received",
                exit_code=1,
                stderr=said.decode(errors="replace"),
            )
        return Written(report.file, report.size_bytes, report.sha256)

    def feed(self, file: str, command: Command) -> Command:
        """A command that reads a file of this backup from its standard input."""
        return packaged("data", "feed.sh", self._folder, file, *command)

    def encrypt(self, part: Part, image: str) -> Part:
        """Encrypt a part that has been read back, for those who may read it, with age from an image."""
        report = _Report(self.step, part.title, 0)
        self.step.show(f"{part.title}: encrypting")
        words = (self._folder, part.file, image, *self._repository.recipients)
        self._repository.shell.run(packaged("data", "encrypt.sh", *words), on_line=report.hear)
        return part.as_encrypted(report.file, report.size_bytes, report.sha256)


class _Report:
    """Hears what take.sh says."""

    def __init__(self, step: Step, what: str, of_bytes: int) -> None:
        self._step = step
        self._what = what
        self._of = f" of {size(of_bytes)}" if of_bytes else ""
        self.file = ""
        self.sha256 = ""
        self.size_bytes = 0

    def hear_all(self, taker: Process) -> None:
        """All that it says; what is closed meanwhile, by Ctrl-C, has no more to say."""
        with contextlib.suppress(OSError, ValueError):
            for line in lines_of(taker.read):
                self.hear(line)

    def hear(self, line: str) -> None:
        word, _, value = line.partition(" ")
        if word == "progress":
            self._step.show(f"{self._what}: {size(int(value))}{self._of}")
        elif word == "file":
            self.file = value
        elif word == "sha256":
            self.sha256 = value
        elif word == "size":
            self.size_bytes = int(value)


def _await_end(holder: Process) -> None:
    """Let a lock end where it is held: whoever locks next would still find it. A lost link is not waited for."""

    def wait() -> None:
        with contextlib.suppress(DeployError, OSError):
            holder.wait()

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(RELEASE_S)
