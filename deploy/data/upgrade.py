"""A major upgrade of a PostgreSQL server: everything is made and compared on a new server beside the old one, and only
then is its data put in the old one's place.

What is begun is always ended by one of two: the new server on the new data, or the old one as it was. A process on the
machine sees to that, which lives as long as we do (see `quiet.sh`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.data.clusters import EVERYTHING, missing_extensions, not_the_same, require_same, server_wide, to_carry
from deploy.data.new_server import DUMPS, OLD_SOCKET, NewServer
from deploy.data.postgres import Postgres, contents_of
from deploy.data.quiet import Quiet, quieted
from deploy.data.servers import Names, Old, Wanted
from deploy.model.backup import Content
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Shell
from deploy.shell.packaged import packaged, script_text
from deploy.ui import Console, Step
from deploy.ui.units import count, size

KB = 1024
MOST_JOBS = 4
_KEPT_ENVIRONMENT = ("PGDATA", "POSTGRES_USER", "POSTGRES_USER_FILE", "POSTGRES_DB", "POSTGRES_DB_FILE")
_INSPECT = (
    '{"image":{{json .Image}},"user":{{json .Config.User}},"command":{{json .Config.Cmd}},"env":{{json .Config.Env}},'
    '"shm":{{json .HostConfig.ShmSize}},"reference":{{json .Config.Image}}}'
)


def put_back(shell: Shell, image: str, kept: str, live: str) -> None:
    """Make a volume hold what is kept in another one."""
    shell.run(packaged("data", "cluster.sh", "put", image, kept, live))


class Upgrade:
    """One server's way to another version."""

    def __init__(self, shell: Shell, project: str, old: Old, wanted: Wanted) -> None:
        self.old = old
        self._shell = shell
        self._project = project
        self._label = f"windlass.scratch={project}"
        self._wanted = wanted
        self._names = Names.fresh()
        self.new = NewServer(shell, self._label, old, wanted, self._names)
        self._alone = Postgres(shell, self._names.old)
        """The old server, which nobody else reaches."""
        self._quiet: Quiet | None = None
        self._databases = old.facts.databases
        """Those that are copied."""

    def require_room(self) -> int:
        """The bytes of the data. Raises DeployError where there is no room for what is made beside it."""
        room = self._run(packaged("data", "cluster.sh", "room", self.old.image, self.old.volume))
        used, free = (int(word) * KB for word in room.split())
        # the new server's, a dump of the largest database, and then the old data's and the new data's copies
        needed = 3 * used
        if free < needed:
            raise DeployError(
                f"{self._shell.name}: {size(free)} are free, about {size(needed)} are needed to upgrade {size(used)}",
                "free some, or give the engine a larger disk; nothing was changed",
            )
        return used

    @contextlib.contextmanager
    def beside(self, step: Step) -> Iterator[None]:
        """The new server runs while the block does, on no network; everything that was made for it is gone afterwards.

        It is made as the old one was, with its settings and all of its schema: what the new version cannot take shows
        while nobody has to wait for it. Raises DeployError then.
        """
        try:
            step.show("starting the new server")
            self.new.start()
            new = self.new.major()
            if new <= self.old.facts.major:
                raise DeployError(
                    f"{self._wanted.image} is PostgreSQL {new}, and {self.old.facts.version} runs already"
                )
            if lacking := missing_extensions(self.old.facts, self.new.server):
                raise DeployError(
                    f"{self._wanted.image} lacks extensions that are in use: {', '.join(lacking)}",
                    "name an image that has them in the compose file, or drop them; nothing was changed",
                )
            self._databases = to_carry(self.old.server, self.new.server, self.old.facts.databases)
            unknown = self.new.take_settings()
            step.show("trying the schema")
            self.new.try_schema(self._databases, step)
            step.result = f"PostgreSQL {new} takes the schema of {count(len(self._databases), 'database')}" + (
                f"; settings it does not know are left out: {', '.join(unknown)}" if unknown else ""
            )
            yield
        finally:
            self._discard()

    @contextlib.contextmanager
    def alone(self, apps: Sequence[str], console: Console) -> Iterator[None]:
        """Nobody reaches the old server while the block runs; left before `stand`, everything is what it was."""
        old, names, facts = self.old, self._names, self._inspected()
        put = script_text("data", "cluster.sh")
        run = Command("docker", "run", "--detach", "--name", names.old, "--label", self._label, "--network", "none")
        run = run.then(
            "--volume", f"{old.volume}:{old.data.target}", "--volume", f"{names.sockets}:/var/run/postgresql"
        )
        run = run.each("--volume", (one.as_option for one in old.mounts))
        run = run.then("--shm-size", facts["shm"]).option("--user", facts["user"] or None)
        run = run.each("--env", _kept(facts["env"])).then(facts["image"], *(facts["command"] or ()))
        words = (self._project, names.old, old.kept_by, old.volume, old.kept, names.data, facts["image"])
        command = packaged("data", "quiet.sh", *words, " ".join(apps), put, *run)
        with quieted(self._shell, command, console) as self._quiet:
            yield

    def copy(self, step: Step) -> Mapping[str, Mapping[str, Content]]:
        """Everything of the old server into the new one, compared row by row. What each database holds.

        Raises DeployError for anything that is not the same.
        """
        old, new, names = self._alone, self.new.server, self._databases
        try:
            step.show("roles")
            self._run(new.program(*packaged("data", "roles.sh", OLD_SOCKET)))
            jobs = min(MOST_JOBS, int(self._run(new.program("nproc"))))
            contents: dict[str, Mapping[str, Content]] = {}
            for number, name in enumerate(names):
                with old.asking(EVERYTHING, name) as held:
                    self.new.take(name, f"{DUMPS}/{number}", jobs, step)
                    step.show(f"{name}: comparing")
                    found = contents_of(new.query(EVERYTHING, name))
                    contents[name] = contents_of(held())
                require_same(contents[name], found, name)
            step.show("gathering statistics")
            self._run(new.program("vacuumdb", "--all", "--analyze-only", "--no-password", "--quiet", "--jobs", jobs))
            if differing := not_the_same(server_wide(old), server_wide(new)):
                raise DeployError("the new server is not like the old one", details="\n".join(differing))
            self.new.stop()
        except CommandError as error:
            raise DeployError(
                "the new server did not take everything: the old one goes on",
                "change what is named above in the old database, then run this again",
                details=error.stderr,
            ) from error
        tables = sum(is_table(what) for found in contents.values() for what in found)
        rows = sum(one.count for found in contents.values() for what, one in found.items() if is_table(what))
        step.result = f"{count(rows, 'row')} in {count(tables, 'table')} are equal"
        return contents

    def switch(self) -> None:
        """Put the new data in the place of the old, which is kept in a volume of its own."""
        if self._quiet is None:
            raise RuntimeError("nobody has been kept from the old server")
        self._quiet.switch()

    def stand(self) -> None:
        """Say that the new server stays, whatever becomes of us."""
        if self._quiet:
            self._quiet.tell("stand")

    def _run(self, command: Command) -> str:
        return self._shell.run(command).stdout.strip()

    def _inspected(self) -> dict[str, Any]:
        look = Command("docker", "container", "inspect", "--format", _INSPECT, self.old.server.container)
        found: dict[str, Any] = json.loads(self._run(look))
        return found

    def _discard(self) -> None:
        names = self._names
        containers = Command("docker", "rm", "--force", "--volumes", names.new, names.old)
        self._shell.run(containers, check=False)
        self._shell.run(Command("docker", "volume", "rm", "--force", names.data, names.sockets), check=False)


def _kept(environment: object) -> Iterator[str]:
    for word in environment if isinstance(environment, list) else ():
        if str(word).partition("=")[0] in _KEPT_ENVIRONMENT:
            yield str(word)


def is_table(name: str) -> bool:
    """Whether it is a table that a content is of, and not something else of a database."""
    return not name.startswith(("sequence ", "view ", "large objects"))
