"""The release directory of a project on a cluster: its stacks, and a compose document for what runs once."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping

from deploy.model.command import Command, sequence
from deploy.model.kinds import Kind
from deploy.model.places import Place, bind_mounts, local_path
from deploy.model.plan import Action as PlanAction
from deploy.model.plan import Plan
from deploy.model.render import Rendered, stack_volumes
from deploy.model.stack import Stack
from deploy.model.swarm import names
from deploy.model.swarm.render import (
    MountedFile,
    StackDocument,
    Subject,
    own_networks,
    render_app,
    render_beside,
    render_data,
    render_once,
)
from deploy.release.prepare import Prepared
from deploy.release.prune import remove_releases
from deploy.release.stage import SECRET_MODE, add_folder, add_rendered, add_text, making_archives, making_volumes
from deploy.release.steps import Action
from deploy.release.swarm.change import SwarmChange, look
from deploy.ui import Step


class StageForCluster(Action):
    """Writes `releases/<id>` on the manager, and makes volumes and folders where the data is."""

    title = "Stage the release"

    def __init__(self, change: SwarmChange, prepared: Prepared, plan: Plan) -> None:
        self._change = change
        self._prepared = prepared
        self._plan = plan

    def run(self, step: Step) -> None:
        change, prepared, site = self._change, self._prepared, self._change.site
        subject = self._subject()
        app, data = render_app(subject), render_data(subject)
        beside = render_beside(subject) if change.entering else None
        images = {name: one.image for name, one in change.record.services.items()}
        once = render_once(prepared.stack, images, site.layout, change.record.id, prepared.places)
        parts = {name: change.record.services[name].parts for name in change.data}
        archive = _packed(
            {
                "release/release.json": change.record.to_json(),
                "release/compose.yaml": json.dumps(once.document, indent=1, ensure_ascii=False),
                "release/swarm/data/state.json": json.dumps(parts, indent=1),
            },
            {"app": app, "data": data, **({"beside": beside} if beside else {})},
            once,
        )
        site.run("swarm-stage.sh", str(site.layout.root), change.record.id, stdin=archive)
        home = change.data_site
        folders = [Command("mkdir", "-p", str(home.layout.shared / folder)) for folder in once.folders]
        volumes = making_volumes(stack_volumes(prepared.stack, home.layout, prepared.places))
        if making := [*volumes, *folders, *making_archives(change.record, home.layout)]:
            home.shell.run(home.guarded(sequence(*making, name="volumes and folders")))
        step.result = f"{site.layout.release(change.record.id)}"

    def undo(self) -> None:
        remove_releases(self._change.site, [self._change.record])

    def _subject(self) -> Subject:
        change, prepared = self._change, self._prepared
        return Subject(
            prepared.stack,
            change.site.layout,
            prepared.places,
            change.record.id,
            dict(self._images()),
            mounted_files(prepared),
            change.cluster.endpoint,
            change.cluster.held,
        )

    def _images(self) -> Iterable[tuple[str, str]]:
        """What each service is to run. One that stays keeps the very reference: another would restart it."""
        change = self._change
        project = change.site.layout.project
        kept = {one.name for one in (*self._plan.services, *self._plan.data) if one.action == PlanAction.KEEP}
        for name, service in change.record.services.items():
            stack = names.data_stack(project) if service.kind == Kind.DATA else names.app_stack(project)
            there = change.cluster.service(stack, name)
            if name in kept and there:
                yield name, there.image
            else:
                yield name, change.pulled.get(service.image, service.image)


class MakeOverlays(Action):
    """Makes the project's networks, which reach over all nodes, and chooses the node that keeps its data."""

    title = "Make the project's networks"

    def __init__(self, change: SwarmChange, stack: Stack) -> None:
        self._change = change
        self._stack = stack

    def run(self, step: Step) -> None:
        change, site = self._change, self._change.site
        project = site.layout.project
        label = "" if change.cluster.data_node(project) else names.data_label(project)
        words = [word for triple in _networks(self._stack, project) for word in triple]
        site.run("swarm-networks.sh", label, *words, on_line=step.show)
        node = look(site).data_node(project)
        step.result = f"data on {node.hostname}" if node else ""


def _networks(stack: Stack, project: str) -> Iterator[tuple[str, str, str]]:
    for name, raw in own_networks(stack, project).items():
        options = ",".join(f"{key}={value}" for key, value in (raw.get("driver_opts") or {}).items())
        yield name, "yes" if raw.get("internal") else "no", options


def mounted_files(prepared: Prepared) -> Mapping[str, tuple[MountedFile, ...]]:
    """The content of what the stack mounts of the project or gives as configs and secrets, by its path here."""
    found: dict[str, tuple[MountedFile, ...]] = {}
    for _, mount in bind_mounts(prepared.stack):
        placement = prepared.places.of(mount)
        if placement.place == Place.SHIPPED:
            source = str(mount["source"])
            found[source] = tuple(
                _file(source, member) for member in (placement.members if placement.members is not None else [""])
            )
    for section in ("configs", "secrets"):
        for raw in (prepared.stack.document.get(section) or {}).values():
            if raw and raw.get("file") and local_path(str(raw["file"])).is_file():
                found[str(raw["file"])] = (_file(str(raw["file"]), ""),)
    return found


def _file(source: str, inside: str) -> MountedFile:
    path = local_path(source) / inside if inside else local_path(source)
    return MountedFile(path.read_bytes(), inside, bool(path.stat().st_mode & 0o100))


def _packed(texts: Mapping[str, str], stacks: Mapping[str, StackDocument], once: Rendered) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        add_folder(archive, "release")
        add_rendered(archive, "release", once)
        add_folder(archive, "release/swarm")
        for part, stack in stacks.items():
            add_folder(archive, f"release/swarm/{part}")
            document = json.dumps(stack.document, indent=1, ensure_ascii=False)
            add_text(archive, f"release/swarm/{part}/stack.json", document, SECRET_MODE)
            add_folder(archive, f"release/swarm/{part}/files")
            for name, content in stack.files.items():
                info = tarfile.TarInfo(f"release/swarm/{part}/{name}")
                info.size, info.mode = len(content), SECRET_MODE
                archive.addfile(info, io.BytesIO(content))
        for name, text in texts.items():
            add_text(archive, name, text, SECRET_MODE)
    return buffer.getvalue()
