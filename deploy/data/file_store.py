"""Volumes, and folders that services write to, as stores: an archive that is read back, and a restore beside."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence

from deploy.data.repository import Writing
from deploy.data.store import Prepared, Restoring, Store, wrong
from deploy.model.backup import Content, Part, StoreKind, difference, file_name
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step

ENTRIES = "entries"
SCRATCH_LABEL = "windlass.scratch"


class FileStore(Store):
    """One volume or folder, with the name that users know and the one that the engine does."""

    def __init__(self, shell: Shell, service: str, name: str, place: str, images: Sequence[str]) -> None:
        """`place` is a volume's name or a folder's path; `images` are those that may have `tar`, the best first."""
        self.title = f"{service}/{name}"
        self._shell = shell
        self._service = service
        self._name = name
        self._place = place
        self._images = " ".join(images)

    def expected_bytes(self) -> int:
        kilobytes, _ = self._measured()
        return kilobytes * 1024

    def back_up(self, writing: Writing) -> Iterator[Part]:
        file = file_name(self._service, self._name, ".tar")
        pack = self._folder("pack", self._place)
        written = writing.take(file, pack, what=self.title, pack=True)
        writing.step.show(f"{self.title}: reading it back")
        entries = int(self._shell.run(writing.feed(written.name, self._folder("list"))).stdout)
        contents = {ENTRIES: Content(entries - 1)}  # without the folder itself
        facts = {"place": self._place}
        yield Part(
            StoreKind.FILES,
            self._service,
            self._name,
            written.name,
            written.size_bytes,
            written.sha256,
            contents,
            facts,
        )

    def holds(self, part: Part) -> bool:
        return part.kind == StoreKind.FILES and part.title == self.title

    def check(self, part: Part) -> None:
        """Files can be restored anywhere."""

    def contents(self, part: Part) -> Mapping[str, Content]:  # noqa: ARG002  # it has one only
        return {ENTRIES: Content(self._measured()[1])}

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        """Unpack into a volume of its own."""
        restoring.step.show(f"{part.title}: unpacking beside")
        scratch = f"windlass-scratch-{secrets.token_hex(4)}"
        project = restoring.backup.project
        self._shell.run(Command("docker", "volume", "create", "--label", f"{SCRATCH_LABEL}={project}", scratch))

        def remove() -> None:
            self._shell.run(Command("docker", "volume", "rm", "--force", scratch))

        def swap(step: Step) -> str:
            step.show(f"{part.title}: replacing what is there")
            self._shell.run(self._folder("replace", scratch, self._place))
            remove()
            return ""

        try:
            unpack = restoring.feed(part, self._folder("unpack", scratch))
            entries = int(self._shell.run(unpack).stdout)
            if problems := difference(part.contents, {ENTRIES: Content(entries)}):
                raise wrong(part, problems)
        except CommandError as error:
            remove()
            raise DeployError(f"{part.title} could not be unpacked", details=error.stderr) from error
        except BaseException:
            remove()
            raise
        return Prepared(part, swap, remove)

    def _measured(self) -> tuple[int, int]:
        kilobytes, entries = self._shell.run(self._folder("measure", self._place)).stdout.split()
        return int(kilobytes), int(entries)

    def _folder(self, verb: str, *places: str) -> Command:
        return packaged("data", "folder.sh", self._images, verb, *places)
