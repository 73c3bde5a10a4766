"""The release directory: what a release is, written to the host complete or not at all."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from deploy.model.command import Command, sequence
from deploy.model.errors import DeployError
from deploy.model.render import Rendered, Volume, render_data, render_release, stack_volumes
from deploy.release.change import Change
from deploy.release.prepare import Prepared
from deploy.release.prune import remove_releases
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.shell import Process
from deploy.ui import Step

SECRET_MODE = 0o600


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
        app = render_release(prepared.stack, images, site.layout, record.id, prepared.root)
        data = render_data(prepared.stack, images, site.layout, prepared.root)
        _create_volumes(site, stack_volumes(prepared.stack))
        command = site.script("stage.sh", str(site.layout.root), record.id, *app.folders, *data.folders)
        with site.shell.start(command) as process:
            _send(process, record.to_json(), app, data, {name: record.services[name].parts for name in change.data})
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


def _create_volumes(site: Site, volumes: Iterable[Volume]) -> None:
    """Named volumes belong to no release. Creating one that exists is harmless."""
    commands = []
    for volume in volumes:
        options = (f"{key}={value}" for key, value in volume.options.items())
        command = Command("docker", "volume", "create").option("--driver", volume.driver or None).each("--opt", options)
        commands.append(command.then(volume.name))
    if commands:
        site.shell.run(site.guarded(sequence(*commands, name="volumes")))


def _send(process: Process, record: str, app: Rendered, data: Rendered, data_parts: Mapping[str, Any]) -> None:
    with tarfile.open(fileobj=_Writer(process), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for folder, rendered in (("release", app), ("data", data)):
            _folder(archive, folder)
            _text(
                archive,
                f"{folder}/compose.yaml",
                json.dumps(rendered.document, indent=1, ensure_ascii=False),
                SECRET_MODE,
            )
            for file in rendered.files:
                archive.add(file.local, str(PurePosixPath(folder) / file.remote), filter=_anonymous)
        _text(archive, "release/release.json", record, SECRET_MODE)
        _text(archive, "data/state.json", json.dumps(data_parts, indent=1), SECRET_MODE)


def _folder(archive: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o750, int(time.time())
    archive.addfile(info)


def _text(archive: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    content = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, int(time.time())
    archive.addfile(info, io.BytesIO(content))


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Who owns a file here means nothing there."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


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
