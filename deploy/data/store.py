"""A folder of backups on a machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.model.backup import DUMP_SUFFIX, Manifest
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.shell import Completed, OnLine, Shell
from deploy.shell.packaged import packaged

LATEST = "latest"


@dataclass(frozen=True)
class Stored:
    """A backup that is there, or what looks like one: `problem` says what is wrong with it."""

    manifest: Manifest
    problem: str = ""


@dataclass(frozen=True)
class Store:
    """Backups of one project in a folder."""

    shell: Shell
    folder: str

    def script(self, name: str, *arguments: str | int) -> Command:
        """One of the scripts of `data/scripts` that work on the folder."""
        return packaged("data", name, self.folder, *arguments)

    def run(
        self, name: str, *arguments: str | int, stdin: bytes = b"", check: bool = True, on_line: OnLine | None = None
    ) -> Completed:
        return self.shell.run(self.script(name, *arguments), stdin=stdin, check=check, on_line=on_line)

    def backups(self) -> tuple[Stored, ...]:
        """Every backup, oldest first. Files without a manifest are none and are left out."""
        return tuple(sorted(self._read(), key=lambda stored: stored.manifest.started_at))

    def find(self, wanted: str, service: str | None = None) -> Stored:
        """A backup by a part of its id that only one has, or the `latest`. Raises UsageError naming what there is."""
        candidates = [stored for stored in self.backups() if service in (None, stored.manifest.service)]
        if not candidates:
            raise UsageError(f"there is no backup in {self.folder} on {self.shell.name}", "make one: inv db.backup")
        if wanted == LATEST:
            return candidates[-1]
        found = [stored for stored in candidates if wanted in stored.manifest.id]
        if len(found) == 1:
            return found[0]
        what = "no backup is" if not found else f"{len(found)} backups are"
        known = ", ".join(stored.manifest.id for stored in candidates[-5:])
        raise UsageError(f"{what} called '{wanted}'", f"the newest are: {known}; inv db.backups lists all")

    def feed(self, backup: Manifest, command: Command) -> Command:
        """A command that reads the dump from its standard input."""
        return self.script("feed.sh", f"{backup.id}{DUMP_SUFFIX}", *command)

    def _read(self) -> Iterator[Stored]:
        name = size = ""
        lines: list[str] = []
        for line in [*self.run("list.sh").stdout.splitlines(), "@@"]:
            if not line.startswith("@@"):
                lines.append(line)
                continue
            if name:
                yield from self._stored(name, size, "\n".join(lines))
            name, _, size = line[2:].partition(" ")
            lines = []

    def _stored(self, name: str, size: str, text: str) -> Iterator[Stored]:
        try:
            manifest = Manifest.from_json(text, where=f"{self.folder}/{name}.json")
        except DeployError:
            return  # another program's file
        problem = ""
        if size == "missing":
            problem = "its dump is missing"
        elif int(size) != manifest.size_bytes:
            problem = f"its dump has {size} bytes instead of {manifest.size_bytes}"
        yield Stored(manifest, problem)
