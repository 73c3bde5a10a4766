"""A cluster's database whose server becomes another major version."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Self

from deploy.data.find import Mount, Running
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.stack import Service
from deploy.model.swarm.differing import mounted_in
from deploy.model.swarm.render import Subject, render_data
from deploy.release.lock import Hold
from deploy.release.swarm import data_services
from deploy.release.swarm.change import look
from deploy.release.swarm.lock import cluster_locked
from deploy.release.swarm.members import Member, Members
from deploy.release.swarm.records import Records, records_kept
from deploy.release.swarm.registry import into_registry
from deploy.release.swarm.stage import mounted_files
from deploy.release.upgrade import Definition, There
from deploy.ui import Step

SERVICE = "service:"
AWAY = "windlass.away"


class InCluster(There):
    """A release on a cluster, whose data services are on the manager that is worked through.

    What uses a database is left running while that is away, and finds it again by itself: a cluster replaces what has
    ended meanwhile.
    """

    meanwhile = "without it"
    _pulled: Mapping[str, str] = {}
    _files: Mapping[str, bytes] = {}

    def reached_by(self, members: Members, lead: Member) -> Self:
        """Itself, with the cluster whose lock it takes, and whose managers get the records."""
        self._members, self._lead = members, lead
        return self

    @contextlib.contextmanager
    def _locked(self, purpose: str) -> Iterator[Hold]:
        notes: list[str] = []
        with cluster_locked(self._lead, self._members, purpose, self._console) as hold:
            records = Records(self._lead, self._members)
            with records_kept(records, self._live.id, notes, self._console):
                yield hold
        for note in notes:
            self._console.warn(note)

    def container(self, service: str) -> Running | None:
        """With the files that it has as configs and secrets, as the folders of the manager that they were made from."""
        found = super().container(service)
        if found is None:
            return None
        data = self._site.layout.data
        given = (
            Mount(volume=False, source=str(data / file), target=target, writable=False)
            for file, target in mounted_in(self._defined().document, service)
        )
        return dataclasses.replace(found, mounts=(*found.mounts, *given))

    def server_of(self, running: Running) -> str:
        return f"{SERVICE}{data_services.name_of(self._site, running.service)}"

    def replaced(self, kept_by: str) -> bool:
        # `quiet.sh` has labelled it, and a stack that is deployed takes labels away that it does not have
        form = f'{{{{index .Spec.Labels "{AWAY}"}}}}'
        words = Command("docker", "service", "inspect", "--format", form, kept_by.removeprefix(SERVICE))
        return not self.shell.run(words).stdout.strip()

    def stop(self, service: str) -> None:
        data_services.stop(self._site, service)

    def resume(self, service: str) -> None:
        data_services.scale(self._site, service, 1)

    def bring(self, image: str, step: Step) -> None:
        super().bring(image, step)
        sent = step.result
        self._pulled = into_registry(self._site, [image], step)
        step.result = f"{sent}, and the registry"

    def apps(self) -> tuple[str, ...]:
        return ()

    def start_apps(self, apps: Sequence[str], step: Step) -> None:
        del apps  # none was stopped
        data_services.await_data(self._site, step)
        data_services.await_app(self._site, step)
        step.result = "all services are well"

    @property
    def _document_path(self) -> PurePosixPath:
        return self._site.layout.data / "stack.json"

    def _wanted(self, parts: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
        del parts  # a cluster's services carry none
        prepared, site = self._prepared, self._site
        images = {name: self._pulled.get(one.image, one.image) for name, one in prepared.record.services.items()}
        cluster = look(site)
        made = render_data(
            Subject(
                prepared.stack,
                site.layout,
                prepared.places,
                self._live.id,
                images,
                mounted_files(prepared),
                cluster.endpoint,
                cluster.held,
            )
        )
        self._files = made.files
        return made.document

    def _bring_up(self, definition: Definition, service: Service, step: Step) -> None:
        site = self._site
        try:
            data_services.define(site, definition.document, self._files, definition.state, definition.record, step)
        except DeployError as error:
            raise DeployError(
                f"{site.shell.name}: {service.name} is not healthy", details=f"{error.message}\n{error.details}"
            ) from error
