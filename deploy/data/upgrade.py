"""A major upgrade of a PostgreSQL server: everything is made and compared on a new server beside the old one, and only
then is its data put in the old one's place.

What is begun is always ended by one of two: the new server on the new data, or the old one as it was. A process on the
machine sees to that, which lives as long as we do (see `quiet.sh`).
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.data.clusters import (
    EVERYTHING,
    TEMPLATE,
    ClusterFacts,
    missing_extensions,
    not_the_same,
    require_same,
    server_wide,
    settings_to_carry,
    to_carry,
)
from deploy.data.find import Mount, Running
from deploy.data.postgres import SERVERS_OWN, Postgres, compression, contents_of
from deploy.data.repository import BEAT_S
from deploy.model.backup import Content, major_version
from deploy.model.clusters import data_mount, volume_of
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.stack import Service, unescaped
from deploy.shell import Process, Shell
from deploy.shell.base import CHUNK_BYTES
from deploy.shell.packaged import packaged, script_text
from deploy.ui import Console, Step
from deploy.ui.units import count, size

KB = 1024
MOST_JOBS = 4
OLD_SOCKET = "/windlass-old"
DUMPS = "/windlass-dumps"
INIT_SCRIPTS = "/docker-entrypoint-initdb.d"
_KEPT_ENVIRONMENT = ("PGDATA", "POSTGRES_USER", "POSTGRES_USER_FILE", "POSTGRES_DB", "POSTGRES_DB_FILE")
_INSPECT = (
    '{"image":{{json .Image}},"user":{{json .Config.User}},"command":{{json .Config.Cmd}},"env":{{json .Config.Env}},'
    '"shm":{{json .HostConfig.ShmSize}},"reference":{{json .Config.Image}}}'
)
_HASTE = ("-c", "fsync=off", "-c", "archive_mode=off", "-c", "autovacuum=off", "-c", "max_wal_size=4GB")
"""For a server that is thrown away when anything goes wrong: its files are written out when they are copied."""


@dataclass(frozen=True)
class Wanted:
    """The server that a service is to have, as the compose file says."""

    service: str
    image: str
    """What the machine calls it."""
    command: tuple[str, ...]
    """Empty for the image's own."""
    environment: Mapping[str, str]
    """Of it what says where data is."""
    target: str
    """Where the volume is mounted."""


@dataclass(frozen=True)
class Old:
    """The server that runs."""

    server: Postgres
    image: str
    """Its id."""
    volume: str
    mounts: tuple[Mount, ...]
    """What else is mounted."""
    facts: ClusterFacts

    @property
    def kept(self) -> str:
        """The volume that its data is kept in."""
        return kept_volume(self.volume, self.facts.major)


def kept_volume(volume: str, major: int) -> str:
    return f"{volume}_pg{major}"


@dataclass(frozen=True)
class Names:
    """Of what is made for one upgrade, and gone afterwards."""

    new: str
    old: str
    data: str
    sockets: str

    @classmethod
    def fresh(cls) -> Names:
        word = f"windlass-scratch-{secrets.token_hex(4)}"
        return cls(f"{word}-new", f"{word}-old", f"{word}-data", f"{word}-sockets")


def require_place(local: Shell, service: Service, document: Mapping[str, Any], image: str, running: Running) -> Mount:
    """What the running server's data is mounted from. Raises UsageError where the new one's would be elsewhere."""
    name, mount = volume_of(service, document), data_mount(service)
    found = next((one for one in running.mounts if one.volume and one.source == name), None)
    if not name or mount is None or found is None:
        raise UsageError(
            f"{service.name}: its data is in no volume with a name, or the compose file names another one",
            "db.upgrade works on named volumes; elsewhere: inv db.backup, a new volume, inv db.restore",
        )
    look = Command("docker", "image", "inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", image)
    environment = dict(line.partition("=")[::2] for line in local.run(look).stdout.splitlines())
    folder = str(service.environment.get("PGDATA") or environment.get("PGDATA") or mount["target"])
    if not f"{folder}/".startswith(f"{str(mount['target']).rstrip('/')}/"):
        raise UsageError(
            f"{image} keeps its data in {folder}, where the volume at {mount['target']} is not",
            f"mount it at a folder above that, as images of PostgreSQL 18 and newer want it: {mount['source']}:"
            "/var/lib/postgresql, then run this again",
        )
    return found


def wanted_server(service: Service, image: str) -> Wanted:
    """What the compose file says of a server, `image` being its image on the machine."""
    mount, own = data_mount(service), service.environment.get("PGDATA")
    command = tuple(unescaped(str(word)) for word in service.definition.get("command") or ())
    environment = {"PGDATA": unescaped(own)} if own else {}
    return Wanted(service.name, image, command, environment, str((mount or {}).get("target", "")))


def put_back(shell: Shell, image: str, kept: str, live: str) -> None:
    """Make a volume hold what is kept in another one."""
    shell.run(packaged("data", "cluster.sh", "put", image, kept, live))


class Upgrade:
    """One server's way to another version."""

    def __init__(self, shell: Shell, project: str, old: Old, wanted: Wanted) -> None:
        self.old = old
        self._shell = shell
        self._project = project
        self._wanted = wanted
        self._names = Names.fresh()
        self.new = Postgres(shell, self._names.new)
        self._quiet = Postgres(shell, self._names.old)
        self._holder: Process | None = None
        self._telling = threading.Lock()
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
            self._start_new()
            new = self._version()
            if new <= self.old.facts.major:
                raise DeployError(
                    f"{self._wanted.image} is PostgreSQL {new}, and {self.old.facts.version} runs already"
                )
            if lacking := missing_extensions(self.old.facts, self.new):
                raise DeployError(
                    f"{self._wanted.image} lacks extensions that are in use: {', '.join(lacking)}",
                    "name an image that has them in the compose file, or drop them; nothing was changed",
                )
            self._databases = to_carry(self.old.server, self.new, self.old.facts.databases)
            unknown = self._settings()
            step.show("trying the schema")
            self._rehearse(step)
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
        run = run.then("--volumes-from", old.server.container, "--volume", f"{names.sockets}:/var/run/postgresql")
        run = run.then("--shm-size", facts["shm"]).option("--user", facts["user"] or None)
        run = run.each("--env", _kept(facts["env"])).then(facts["image"], *(facts["command"] or ()))
        words = (self._project, names.old, old.server.container, old.volume, old.kept, names.data, facts["image"])
        with self._shell.start(packaged("data", "quiet.sh", *words, " ".join(apps), put, *run)) as holder:
            ended = threading.Event()

            def beat() -> None:
                with contextlib.suppress(BrokenPipeError):
                    while not ended.wait(BEAT_S):
                        self._tell(holder, "beat")

            beating = threading.Thread(target=beat, daemon=True)
            beating.start()
            try:
                with console.step("Let nobody reach the old server any more"):
                    self._hear(holder, "quiet")
                self._holder = holder
                yield
            except BaseException:
                with console.step("Make everything what it was"):
                    _end(holder)
                raise
            finally:
                ended.set()
                beating.join()
                _end(holder)

    def copy(self, step: Step) -> Mapping[str, Mapping[str, Content]]:
        """Everything of the old server into the new one, compared row by row. What each database holds.

        Raises DeployError for anything that is not the same.
        """
        old, new, names = self._quiet, self.new, self._databases
        try:
            step.show("roles")
            self._run(new.program(*packaged("data", "roles.sh", OLD_SOCKET)))
            jobs = min(MOST_JOBS, int(self._run(new.program("nproc"))))
            contents: dict[str, Mapping[str, Content]] = {}
            for number, name in enumerate(names):
                with old.asking(EVERYTHING, name) as held:
                    self._copy(name, f"{DUMPS}/{number}", jobs, step)
                    step.show(f"{name}: comparing")
                    found = contents_of(new.query(EVERYTHING, name))
                    contents[name] = contents_of(held())
                require_same(contents[name], found, name)
            step.show("gathering statistics")
            self._run(new.program("vacuumdb", "--all", "--analyze-only", "--no-password", "--quiet", "--jobs", jobs))
            if differing := not_the_same(server_wide(old), server_wide(new)):
                raise DeployError("the new server is not like the old one", details="\n".join(differing))
            self._run(Command("docker", "stop", "--time", "300", new.container))
            ended = self._run(
                Command("docker", "container", "inspect", "--format", "{{.State.ExitCode}}", new.container)
            )
            if ended != "0":
                raise DeployError(f"the new server ended with status {ended}: the old one goes on")
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
        if self._holder is None:
            raise RuntimeError("nobody has been kept from the old server")
        self._tell(self._holder, "switch")
        self._hear(self._holder, "switched")

    def stand(self) -> None:
        """Say that the new server stays, whatever becomes of us."""
        if self._holder:
            self._tell(self._holder, "stand")

    @property
    def _label(self) -> str:
        return f"windlass.scratch={self._project}"

    def _run(self, command: Command) -> str:
        return self._shell.run(command).stdout.strip()

    def _version(self) -> int:
        return major_version(self.new.query("SHOW server_version", SERVERS_OWN)[0][0])

    def _tell(self, holder: Process, word: str) -> None:
        with self._telling:
            holder.write(f"{word}\n".encode())

    def _hear(self, holder: Process, word: str) -> None:
        if holder.read_line() != word:
            said = holder.read_stderr(1 << 14).decode(errors="replace")
            raise DeployError(f"{self._shell.name}: the old server could not be put aside", details=said)

    def _inspected(self) -> dict[str, Any]:
        look = Command("docker", "container", "inspect", "--format", _INSPECT, self.old.server.container)
        found: dict[str, Any] = json.loads(self._run(look))
        return found

    def _start_new(self) -> None:
        names, wanted, old = self._names, self._wanted, self.old
        for volume in (names.data, names.sockets):
            self._run(Command("docker", "volume", "create", "--label", self._label, volume))
        environment = {
            **wanted.environment,
            "POSTGRES_USER": old.facts.superuser,
            "POSTGRES_DB": SERVERS_OWN,
            "POSTGRES_HOST_AUTH_METHOD": "trust",
            "POSTGRES_INITDB_ARGS": " ".join(old.facts.initdb),
        }
        run = Command("docker", "run", "--detach", "--name", names.new, "--label", self._label, "--network", "none")
        run = run.then("--shm-size", "256m", "--tmpfs", INIT_SCRIPTS, "--volume", DUMPS)
        run = run.then("--volume", f"{names.data}:{wanted.target}", "--volume", f"{names.sockets}:{OLD_SOCKET}")
        # what fills a new server would fill this one, too
        others = [one for one in old.mounts if not f"{one.target}/".startswith(f"{INIT_SCRIPTS}/")]
        run = run.each("--volume", (f"{one.source}:{one.target}:ro" for one in others))
        run = run.each("--env", (f"{name}={value}" for name, value in environment.items()))
        command = wanted.command or ("postgres",)
        haste = _HASTE if command[0] == "postgres" or command[0].startswith("-") else ()
        self._shell.run(run.then(wanted.image, *command, *haste))
        done = self._shell.run(packaged("data", "scratch.sh", "await", "postgres", names.new), check=False)
        if not done.ok:
            raise DeployError(
                f"a new server of {wanted.image} cannot be made like the old one; nothing was changed",
                details=done.stderr,
            )

    def _settings(self) -> tuple[str, ...]:
        """Give the new server what the old one's files say; the names of settings that it does not know."""
        old, new = self.old.server, self.new
        lines, unknown = settings_to_carry(old, new)
        carry = packaged("data", "settings.sh", old.container, new.container)
        self._shell.run(carry, stdin=lines.encode())
        done = self._shell.run(packaged("data", "scratch.sh", "await", "postgres", new.container), check=False)
        if not done.ok:
            raise DeployError(
                "the new server does not start with the old one's settings; nothing was changed", details=done.stderr
            )
        return unknown

    def _rehearse(self, step: Step) -> None:
        old, new = self.old.server, self.new
        try:
            # without passwords: these go from server to server only
            self._pass(old.roles(), new.program("psql", "--quiet", "--no-psqlrc", "--dbname", SERVERS_OWN))
            for name in self._databases:
                step.show(f"trying the schema: {name}")
                dump = old.program(
                    "pg_dump", "--no-password", "--format=custom", "--schema-only", "--create", "--dbname", name
                )
                self._pass(dump, self._restore(name))
        except CommandError as error:
            raise DeployError(
                f"{self._wanted.image} does not take the schema; nothing was changed",
                "change what it names in the old database, then run this again",
                details=error.stderr,
            ) from error

    def _restore(self, name: str, *words: str | int) -> Command:
        """Makes a database anew, whatever there is of that name, with its encoding, locale, settings and grants."""
        other = TEMPLATE if name == SERVERS_OWN else SERVERS_OWN
        options = ("--exit-on-error", "--clean", "--if-exists", "--create", "--no-password", "--dbname", other)
        return self.new.program("pg_restore", *options, *words)

    def _copy(self, name: str, folder: str, jobs: int, step: Step) -> None:
        new = self.new
        step.show(f"{name}: dumping")
        packed = compression(new.query("SHOW server_version", SERVERS_OWN)[0][0])
        options = ("--no-password", "--format=directory", packed, "--jobs", jobs, "--file", folder)
        self._run(new.program("pg_dump", "--host", OLD_SOCKET, *options, "--dbname", name))
        step.show(f"{name}: restoring")
        self._run(self._restore(name, "--jobs", jobs, folder))
        self._run(new.program("rm", "-rf", folder))

    def _pass(self, source: Command, sink: Command) -> None:
        """What one command prints to another one's standard input: schemas, which are small."""
        with self._shell.start(source) as giver, self._shell.start(sink) as taker:
            errors: list[bytes] = []
            listening = [_listen(giver, errors), _listen(taker, errors)]
            with contextlib.suppress(BrokenPipeError):
                while chunk := giver.read(CHUNK_BYTES):
                    taker.write(chunk)
            taker.close_stdin()
            statuses = (giver.wait(), taker.wait())
            for thread in listening:
                thread.join()
        if any(statuses):
            raise CommandError("a command failed", exit_code=1, stderr=b"".join(errors).decode(errors="replace"))

    def _discard(self) -> None:
        names = self._names
        containers = Command("docker", "rm", "--force", "--volumes", names.new, names.old)
        self._shell.run(containers, check=False)
        self._shell.run(Command("docker", "volume", "rm", "--force", names.data, names.sockets), check=False)


def _listen(process: Process, errors: list[bytes]) -> threading.Thread:
    def collect() -> None:
        while chunk := process.read_stderr(CHUNK_BYTES):
            errors.append(chunk)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    return thread


def _kept(environment: object) -> Iterator[str]:
    for word in environment if isinstance(environment, list) else ():
        if str(word).partition("=")[0] in _KEPT_ENVIRONMENT:
            yield str(word)


def is_table(name: str) -> bool:
    """Whether it is a table that a content is of, and not something else of a database."""
    return not name.startswith(("sequence ", "view ", "large objects"))


def _end(holder: Process) -> None:
    """Let the process on the machine end what it has to, however often we are interrupted meanwhile."""
    holder.close_stdin()
    while True:
        try:
            holder.wait()
        except KeyboardInterrupt:
            continue
        return
