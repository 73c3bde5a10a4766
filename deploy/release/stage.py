"""The release directory: what a release is, written to the host complete or not at all."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.command import Command, sequence
from deploy.model.errors import DeployError
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.render import Rendered, ShippedFile, Volume, render_data, render_release, stack_volumes
from deploy.release.change import Change
from deploy.release.prepare import Prepared
from deploy.release.prune import remove_releases
from deploy.release.steps import Action
from deploy.shell import Process
from deploy.ui import Step

SECRET_MODE = 0o600
READABLE_MODE = 0o444
"""Of secrets, which whoever a container runs as must be able to read: the project's folder is closed to others."""


class StageRelease(Action):
    """Writes `releases/<id>` and the next state of the data project."""

    title = "Stage the release"

    def __init__(self, change: Change, prepared: Prepared) -> None:
        self._change = change
        self._prepared = prepared

    def run(self, step: Step) -> None:
        change, prepared = self._change, self._prepared
        site, record = change.site, change.record
        images = {name: service.image for name, service in record.services.items()}
        parts = {name: record.services[name].parts for name in change.data}
        app = render_release(prepared.stack, images, site.layout, record.id, prepared.places)
        data = render_data(prepared.stack, images, site.layout, prepared.places, parts)
        unpack = site.bare("stage.sh", str(site.layout.root), record.id, *app.folders, *data.folders)
        volumes = making_volumes(stack_volumes(prepared.stack, site.layout, prepared.places))
        stage = sequence(*volumes, *making_archives(record, site.layout), unpack, name="stage.sh")
        with site.shell.start(site.guarded(stage)) as process:
            _send(process, record.to_json(), app, data, parts)
            process.close_stdin()
            complaint = process.read_stderr(1 << 16).decode(errors="replace")
            if process.wait():
                raise DeployError(
                    f"{site.shell.name}: the release could not be written", "see above", details=complaint
                )
        step.result = f"{site.layout.release(record.id)}"

    def undo(self) -> None:
        # its images stay until a release stands: the next try may need them, and their layers
        remove_releases(self._change.site, [self._change.record])


def making_volumes(volumes: Iterable[Volume]) -> Iterator[Command]:
    """Named volumes belong to no release. Creating one that exists is harmless."""
    for volume in volumes:
        options = (f"{key}={value}" for key, value in volume.options.items())
        command = Command("docker", "volume", "create").option("--driver", volume.driver or None).each("--opt", options)
        yield command.then(volume.name)


def making_archives(record: ReleaseRecord, layout: HostLayout) -> Iterator[Command]:
    """Folders for WAL, of whoever works here: the engine would make them root's. What is there stays as it is."""
    for service in record.services.values():
        if service.receives:
            folders = (layout.backups, layout.archive, layout.wal(service.receives))
            yield Command("mkdir", "-p", "-m", "0700", *map(str, folders))


def _send(process: Process, record: str, app: Rendered, data: Rendered, data_parts: Mapping[str, Any]) -> None:
    with archive_to(process) as archive:
        for folder, rendered in (("release", app), ("data", data)):
            add_folder(archive, folder)
            add_rendered(archive, folder, rendered)
            add_text(
                archive,
                f"{folder}/compose.yaml",
                json.dumps(rendered.document, indent=1, ensure_ascii=False),
                SECRET_MODE,
            )
        add_text(archive, "release/release.json", record, SECRET_MODE)
        add_text(archive, "data/state.json", json.dumps(data_parts, indent=1), SECRET_MODE)


def archive_to(process: Process) -> tarfile.TarFile:
    """A tar that goes to a command's standard input."""
    return tarfile.open(fileobj=_Writer(process), mode="w|", format=tarfile.PAX_FORMAT)


def add_rendered(archive: tarfile.TarFile, folder: str, rendered: Rendered) -> None:
    """What has to stand beside a compose document."""
    for file in rendered.files:
        _add(archive, PurePosixPath(folder), file)
    for value in rendered.texts:
        add_text(archive, f"{folder}/{value.remote}", value.text, READABLE_MODE)


def _add(archive: tarfile.TarFile, folder: PurePosixPath, file: ShippedFile) -> None:
    """A file, or a folder with those of its files that go, and the folders between."""
    remote = folder / file.remote

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo:
        """Who owns a file here means nothing there."""
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        if file.readable:
            info.mode |= READABLE_MODE
        return info

    local = file.local.resolve()
    if file.members is None:
        archive.add(local, str(remote), filter=owned)
        return
    names = {PurePosixPath(name) for name in file.members}
    between = {parent for name in names for parent in name.parents} | {PurePosixPath()}
    for name in sorted(between | names):
        archive.add(local / name, str(remote / name), recursive=name in names, filter=owned)


def add_folder(archive: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o750, int(time.time())
    archive.addfile(info)


def add_text(archive: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, int(time.time())
    archive.addfile(info, io.BytesIO(content))


class _Writer(io.RawIOBase):
    """A command's standard input as a file that tarfile can write to."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._process.write(bytes(data))
        return len(data)
