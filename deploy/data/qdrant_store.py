"""Qdrant as a store: a snapshot of each collection, taken and brought back through its own REST API."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from deploy.data.repository import Writing
from deploy.data.store import Prepared, Restoring, Store, wrong
from deploy.model.backup import Content, Part, StoreKind, difference, file_name
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step

POINTS = "points"


class Qdrant:
    """A server in a container."""

    def __init__(self, shell: Shell, container: str) -> None:
        self.shell = shell
        self.container = container

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The result of a call. Raises CommandError with Qdrant's own words when it is refused."""
        words = (method, path, *([json.dumps(body)] if body is not None else []))
        done = self.shell.run(packaged("data", "in-qdrant.sh", self.container, "call", *words))
        return json.loads(done.stdout)["result"]

    def collections(self) -> tuple[str, ...]:
        return tuple(sorted(one["name"] for one in self.call("GET", "/collections")["collections"]))

    def points(self, collection: str) -> Mapping[str, Content]:
        """How many points a collection has, exactly."""
        counted = self.call("POST", f"{path_of(collection)}/points/count", {"exact": True})
        return {POINTS: Content(int(counted["count"]))}

    def recover(self, collection: str, part: Part, restoring: Restoring) -> None:
        """Make a collection what a part of a backup says, whether it is there or not."""
        path = f"{path_of(collection)}/snapshots/upload?priority=snapshot"
        upload = packaged("data", "in-qdrant.sh", self.container, "upload", path, part.size_bytes)
        self.shell.run(restoring.feed(part, upload))

    def drop(self, collection: str) -> None:
        self.call("DELETE", path_of(collection))


class QdrantStore(Store):
    """Every collection of one server."""

    def __init__(self, shell: Shell, container: str, service: str, image: str) -> None:
        self.title = service
        self.server = Qdrant(shell, container)
        self._service = service
        self._image = image

    def expected_bytes(self) -> int:
        """Unknown: it says how many points there are, not how large."""
        return 0

    def back_up(self, writing: Writing) -> Iterator[Part]:
        for collection in self.server.collections():
            snapshots = f"{path_of(collection)}/snapshots"
            writing.step.show(f"{self.title}/{collection}: a snapshot")
            contents = self.server.points(collection)
            made = self.server.call("POST", snapshots)
            snapshot = f"{snapshots}/{quote(made['name'], safe='')}"
            file = file_name(self._service, collection, ".snapshot")
            download = packaged("data", "in-qdrant.sh", self.server.container, "download", snapshot)
            try:
                written = writing.take(file, download, what=f"{self.title}/{collection}", of_bytes=made["size"])
            finally:
                self.server.call("DELETE", snapshot)
            if written.size_bytes != made["size"] or made.get("checksum") not in {None, written.sha256}:
                raise DeployError(f"{self.title}/{collection}: not the whole snapshot arrived")
            yield Part(
                StoreKind.QDRANT,
                self._service,
                collection,
                file,
                written.size_bytes,
                written.sha256,
                contents,
                {"image": self._image},
            )

    def holds(self, part: Part) -> bool:
        return part.kind == StoreKind.QDRANT and part.service == self._service

    def check(self, part: Part) -> None:
        """A server refuses what it cannot read by itself, beside what is live."""

    def contents(self, part: Part) -> Mapping[str, Content]:
        return self.server.points(part.name) if part.name in self.server.collections() else {}

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        """Recover it as a collection beside the live one, which then is given the same snapshot."""
        beside = f"{part.name}_restore_{restoring.mark}"
        prove_recovers(self.server, beside, part, restoring)

        def swap(step: Step) -> str:
            step.show(f"{part.title}: replacing what is there")
            self.server.recover(part.name, part, restoring)
            self.server.drop(beside)
            return ""

        return Prepared(part, swap, lambda: self.server.drop(beside))


def prove_recovers(server: Qdrant, collection: str, part: Part, restoring: Restoring) -> None:
    """Recover a part as a collection and count its points. Raises DeployError; the collection is gone then."""
    restoring.step.show(f"{part.title}: recovering")
    try:
        server.recover(collection, part, restoring)
        if problems := difference(part.contents, server.points(collection)):
            raise wrong(part, problems)
    except (CommandError, DeployError) as error:
        if collection in server.collections():
            server.drop(collection)
        if isinstance(error, CommandError):
            raise DeployError(f"{part.title} cannot be recovered", details=error.stderr) from error
        raise


@contextmanager
def scratch_qdrant(shell: Shell, project: str, image: str, step: Step) -> Iterator[Qdrant]:
    """A server of an image, on no network, that is gone afterwards with its data."""
    name = f"windlass-scratch-{secrets.token_hex(4)}"
    step.show("starting a server of its own")
    try:
        done = shell.run(packaged("data", "scratch.sh", "qdrant", project, name, image), check=False)
        if not done.ok:
            raise DeployError("no server could be started to restore into", details=done.stderr)
        yield Qdrant(shell, name)
    finally:
        shell.run(packaged("data", "scratch.sh", "remove", name))


def path_of(collection: str) -> str:
    return f"/collections/{quote(collection, safe='')}"
