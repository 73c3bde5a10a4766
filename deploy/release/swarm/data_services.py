"""The data services of a cluster: where each is, and how one is stopped, started and replaced.

A container that is stopped by hand is replaced by the cluster at once. So it is the service that is scaled to nothing,
and back.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping
from typing import Any

from deploy.data.find import look as containers_of
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names
from deploy.model.swarm.progress import Watch
from deploy.release.site import Site
from deploy.release.stage import SECRET_MODE, add_text
from deploy.release.swarm.change import look
from deploy.release.swarm.roll import settle, up_from, watch_for
from deploy.ui import Step

STOPS_WITHIN_S = 300.0
NEXT = "data.next"
"""The folder on the manager for a definition that is about to hold."""


def container_of(site: Site, service: str) -> str:
    """The id of the container of a data service that runs. Raises DeployError when none does."""
    for one in containers_of(site.shell, [site.layout.data_project]):
        if one.service == service and one.running:
            return one.id
    raise DeployError(f"{site.shell.name}: {service} does not run there", "inv ENVIRONMENT.status says why")


def name_of(site: Site, service: str) -> str:
    """What the cluster calls a data service."""
    return names.service_name(names.data_stack(site.layout.project), service)


def stop(site: Site, service: str) -> None:
    """Have no container of a data service, until it is started. Raises DeployError when one does not end."""
    scale(site, service, 0)
    until = time.monotonic() + STOPS_WITHIN_S
    while _running(site, service):
        if time.monotonic() > until:
            raise DeployError(f"{site.shell.name}: the cluster does not stop {service}")
        time.sleep(0.5)


def scale(site: Site, service: str, replicas: int) -> None:
    """Tell the cluster how many containers of a data service there are to be; waits for none of them."""
    told = f"{name_of(site, service)}={replicas}"
    site.shell.run(site.guarded(Command("docker", "service", "scale", "--detach", told)))


def _running(site: Site, service: str) -> bool:
    found = containers_of(site.shell, [site.layout.data_project])
    return any(one.service == service and one.running for one in found)


def await_data(site: Site, step: Step) -> None:
    """Wait until every data service is as the cluster was told. Raises DeployError for one that will not be."""
    stack = names.data_stack(site.layout.project)
    settle(site, watch_for(look(site, stack), stack, {}), step)


def await_app(site: Site, step: Step) -> None:
    """Wait until all that a release has brought is well again, once what it needs is."""
    stack = names.app_stack(site.layout.project)
    settle(site, Watch(stack, known=frozenset(task.id for task in look(site, stack).tasks)), step)


def define(
    site: Site,
    document: Mapping[str, Any],
    files: Mapping[str, bytes],
    state: Mapping[str, Any],
    record: ReleaseRecord,
    step: Step,
) -> None:
    """Make the data services what a document says, and that what holds; `files` are those of it that are new.

    Waits until they are well. Raises DeployError when they do not become so: what is noted is as it was then.
    """
    root, folder = str(site.layout.root), site.layout.root / NEXT
    texts = {
        "stack.json": json.dumps(document, indent=1, ensure_ascii=False),
        "state.json": json.dumps(state, indent=1),
        "release.json": record.to_json(),
    }
    site.run("swarm-define.sh", root, NEXT, stdin=_packed(texts, files))
    stack = names.data_stack(site.layout.project)
    watch = watch_for(look(site, stack), stack, {})
    up_from(site, folder, stack, step)
    settle(site, watch, step)
    site.run("swarm-stands.sh", root, NEXT, record.id)


def _packed(texts: Mapping[str, str], files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text in texts.items():
            add_text(archive, name, text, SECRET_MODE)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), SECRET_MODE
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
