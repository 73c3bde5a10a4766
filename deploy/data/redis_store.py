"""Redis as a store: the dump that the server sends a replica, and a restore that its append-only file agrees with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from deploy.data.repository import Writing
from deploy.data.store import Prepared, Restoring, Store, wrong
from deploy.model.backup import Content, Part, StoreKind, difference, file_name
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.packaged import packaged
from deploy.ui import Step

KEYS = "keys"
"""Those without an expiry: others may go while nobody looks."""


@dataclass(frozen=True)
class Rest:
    """What is stopped while a server's files are replaced, and what it keeps then."""

    container: str
    swarm_service: str = ""
    """Its service's name on a cluster, which would start another container in the place of one that we stop."""
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Volumes and folders that outlive it, by where they are in the container."""

    def keeps(self, folder: str) -> bool:
        """Whether what is in a folder of the container is there for the next one."""
        return any(PurePosixPath(folder).is_relative_to(target) for target in self.mounts)


class RedisStore(Store):
    """One Redis server."""

    def __init__(self, shell: Shell, rest: Rest, service: str, image: str) -> None:
        self.title = service
        self._shell = shell
        self._rest = rest
        self._container = rest.container
        self._service = service
        self._image = image

    def expected_bytes(self) -> int:
        # a dump is smaller than what it is of in memory
        lines = self._ask("INFO", "memory").splitlines()
        return next((int(line.partition(":")[2]) for line in lines if line.startswith("used_memory:")), 0)

    def back_up(self, writing: Writing) -> Iterator[Part]:
        file = file_name(self._service, "", ".rdb")
        dump = packaged("data", "in-redis.sh", self._container, "--rdb", "-")
        written = writing.take(file, dump, what=self.title, magic="REDIS")
        writing.step.show(f"{self.title}: reading it back")
        check = packaged("data", "redis-scratch.sh", "check", self._image)
        contents = _counted(self._shell.run(writing.feed(file, check)).stdout)
        facts = {"image": self._image, "server_version": self._version()}
        yield Part(StoreKind.REDIS, self._service, "", file, written.size_bytes, written.sha256, contents, facts)

    def holds(self, part: Part) -> bool:
        return part.kind == StoreKind.REDIS and part.service == self._service

    def check(self, part: Part) -> None:  # noqa: ARG002  # others look at it
        if self._setting("dbfilename") != "dump.rdb" or self._setting("appenddirname") not in {"", "appendonlydir"}:
            raise DeployError(
                f"{self.title} keeps its data under names of its own", "restore it by hand, as its manifest says"
            )
        folder = self._setting("dir")
        if not self._rest.keeps(folder):
            named = " with a name: on a cluster each of its containers begins empty" if self._rest.swarm_service else ""
            raise DeployError(
                f"{self.title} keeps its data in {folder}, which is in no volume{named}",
                f"mount a named volume there, deploy, then restore; --only leaves {self.title} out",
            )

        if name := self._rest.swarm_service:
            told = self._shell.run(Command("docker", "service", "inspect", "--format", "{{.ID}}", name), check=False)
            if not told.ok:
                raise DeployError(
                    f"{self.title} cannot be stopped from {self._shell.name}, which does not manage the cluster",
                    f"make it a manager: docker node promote, on one; --only leaves {self.title} out",
                    details=told.stderr,
                )

    def contents(self, part: Part) -> Mapping[str, Content]:  # noqa: ARG002  # it has one only
        keys = expires = 0
        for line in self._ask("INFO", "keyspace").splitlines():
            if line.startswith("db"):
                numbers = dict(pair.split("=") for pair in line.strip().partition(":")[2].split(","))
                keys += int(numbers["keys"])
                expires += int(numbers["expires"])
        return {KEYS: Content(keys - expires)}

    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        """Load it into a server of its own; the live one is given the same file when it is swapped."""
        restoring.step.show(f"{part.title}: loading beside")
        prove_loads(self._shell, self._image, part, restoring)
        folder, appends = self._setting("dir"), self._setting("appendonly")

        def swap(step: Step) -> str:
            step.show(f"{part.title}: replacing what is there")
            rest = self._rest
            mounts = (f"{source}:{target}" for target, source in rest.mounts.items())
            stopped = (rest.container, rest.swarm_service)
            replace = packaged("data", "redis-replace.sh", self._image, *stopped, folder, appends, *mounts)
            self._shell.run(restoring.feed(part, replace))
            return ""

        return Prepared(part, swap, lambda: None)

    def _version(self) -> str:
        lines = self._ask("INFO", "server").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("redis_version:")), "")

    def _setting(self, name: str) -> str:
        lines = self._ask("CONFIG", "GET", name).splitlines()
        return lines[1].strip() if len(lines) > 1 else ""

    def _ask(self, *words: str) -> str:
        return self._shell.run(packaged("data", "in-redis.sh", self._container, *words)).stdout


def prove_loads(shell: Shell, image: str, part: Part, restoring: Restoring) -> None:
    """Load a dump into a server of its own and compare what is there. Raises DeployError."""
    load = packaged("data", "redis-scratch.sh", "load", image, restoring.backup.project)
    try:
        found = _counted(shell.run(restoring.feed(part, load)).stdout)
    except CommandError as error:
        raise DeployError(f"{part.title} cannot be loaded", details=error.stderr) from error
    if problems := difference(part.contents, found):
        raise wrong(part, problems)


def _counted(said: str) -> Mapping[str, Content]:
    keys, expires = (int(word) for word in said.split()[-2:])
    return {KEYS: Content(keys - expires)}
