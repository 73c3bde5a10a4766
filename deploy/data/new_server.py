"""The new server of an upgrade, while nobody reaches it: made like the old one, tried, and filled from it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence

from deploy.data.clusters import TEMPLATE, settings_to_carry
from deploy.data.postgres import SERVERS_OWN, Postgres, compression, connection
from deploy.data.servers import Names, Old, Wanted
from deploy.model.backup import major_version
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.shell import Process, Shell
from deploy.shell.base import CHUNK_BYTES
from deploy.shell.packaged import packaged
from deploy.ui import Step

OLD_SOCKET = "/windlass-old"
DUMPS = "/windlass-dumps"
INIT_SCRIPTS = "/docker-entrypoint-initdb.d"
_HASTE = ("-c", "fsync=off", "-c", "archive_mode=off", "-c", "autovacuum=off", "-c", "max_wal_size=4GB")
"""For a server that is thrown away when anything goes wrong: its files are written out when they are copied."""


class NewServer:
    """A server of the wanted version, in a container that is on no network."""

    def __init__(self, shell: Shell, label: str, old: Old, wanted: Wanted, names: Names) -> None:
        self.server = Postgres(shell, names.new)
        self._shell = shell
        self._label = label
        self._old = old
        self._wanted = wanted
        self._names = names

    def start(self) -> None:
        """Make it as the old one was. Raises DeployError where it cannot be."""
        names, wanted, old = self._names, self._wanted, self._old
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

    def major(self) -> int:
        return major_version(self.server.query("SHOW server_version", SERVERS_OWN)[0][0])

    def take_settings(self) -> tuple[str, ...]:
        """Give it what the old one's files say; the names of settings that it does not know."""
        old, new = self._old.server, self.server
        lines, unknown = settings_to_carry(old, new)
        carry = packaged("data", "settings.sh", old.container, new.container)
        self._shell.run(carry, stdin=lines.encode())
        done = self._shell.run(packaged("data", "scratch.sh", "await", "postgres", new.container), check=False)
        if not done.ok:
            raise DeployError(
                "the new server does not start with the old one's settings; nothing was changed", details=done.stderr
            )
        return unknown

    def try_schema(self, databases: Sequence[str], step: Step) -> None:
        """See that it takes the schema of every database. Raises DeployError naming what it does not take."""
        old, new = self._old.server, self.server
        try:
            # without passwords: these go from server to server only
            self._pass(old.roles(), new.program("psql", "--quiet", "--no-psqlrc", "--dbname", SERVERS_OWN))
            for name in databases:
                step.show(f"trying the schema: {name}")
                dump = old.program(
                    "pg_dump",
                    "--no-password",
                    "--format=custom",
                    "--schema-only",
                    "--create",
                    "--dbname",
                    connection(name),
                )
                self._pass(dump, self._restore(name))
        except CommandError as error:
            raise DeployError(
                f"{self._wanted.image} does not take the schema; nothing was changed",
                "change what it names in the old database, then run this again",
                details=error.stderr,
            ) from error

    def take(self, name: str, folder: str, jobs: int, step: Step) -> None:
        """A database of the old server, by way of a folder of its dump."""
        new = self.server
        step.show(f"{name}: dumping")
        packed = compression(new.query("SHOW server_version", SERVERS_OWN)[0][0])
        options = ("--no-password", "--format=directory", packed, "--jobs", jobs, "--file", folder)
        self._run(new.program("pg_dump", "--host", OLD_SOCKET, *options, "--dbname", connection(name)))
        step.show(f"{name}: restoring")
        self._run(self._restore(name, "--jobs", jobs, folder))
        self._run(new.program("rm", "-rf", folder))

    def stop(self) -> None:
        """Let it write out what it has. Raises DeployError where it did not end as it should."""
        container = self.server.container
        self._run(Command("docker", "stop", "--time", "300", container))
        ended = self._run(Command("docker", "container", "inspect", "--format", "{{.State.ExitCode}}", container))
        if ended != "0":
            raise DeployError(f"the new server ended with status {ended}: the old one goes on")

    def _run(self, command: Command) -> str:
        return self._shell.run(command).stdout.strip()

    def _restore(self, name: str, *words: str | int) -> Command:
        """Makes a database anew, whatever there is of that name, with its encoding, locale, settings and grants."""
        other = TEMPLATE if name == SERVERS_OWN else SERVERS_OWN
        options = ("--exit-on-error", "--clean", "--if-exists", "--create", "--no-password", "--dbname", other)
        return self.server.program("pg_restore", *options, *words)

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


def _listen(process: Process, errors: list[bytes]) -> threading.Thread:
    def collect() -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile, by Ctrl-C
            while chunk := process.read_stderr(CHUNK_BYTES):
                errors.append(chunk)

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    return thread
