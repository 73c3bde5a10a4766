"""A project on a host: its layout, and the scripts that work on it."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field

from deploy.model.command import Command, script
from deploy.model.drift import Drift, find_drift
from deploy.model.errors import DeployError
from deploy.model.facts import Facts, parse_facts
from deploy.model.layout import HostLayout
from deploy.model.release import ReleaseRecord
from deploy.model.usage import Usage, parse_usage
from deploy.shell import Completed, OnLine, Shell
from deploy.shell.packaged import packaged

COMPOSE = Command("docker", "compose", "--ansi", "never")
# A step that changes things holds this lock for its own time, on the host: a client that was killed may have left one
# running, and the next deploy must wait for it rather than work beside it. And one that was sent but had not begun when
# its client gave up, or when another took over, must never begin: it carries a token that is no longer the host's.
_GUARD = """\
mkdir -p "$1" && exec 8>>"$1/busy" && { flock -w 300 8 || exit 76; }
if [ -n "$2" ] && [ "$2" != "$(cat "$1/fence" 2>/dev/null)" ]; then
    printf 'this step came too late: its change was given up, or another has taken over\\n' >&2
    exit 77
fi
if [ -n "$3" ] && ! docker config inspect "$3" >/dev/null 2>&1; then
    printf 'this step came too late: its change has lost its lock in the cluster, or the engine does not answer\\n' >&2
    exit 77
fi
shift 3
exec "$@"
"""


@dataclass
class Fence:
    """What keeps a step of ours from beginning too late (a fencing token).

    The host's own is replaced by whoever takes the lock or begins to undo: steps sent before then find another.
    """

    token: str = ""
    """Empty for a step that may begin at any time."""
    cluster: str = ""
    """Id of the change's lock in the cluster's own store, where it has one: no step begins when that is gone."""


@dataclass(frozen=True)
class Site:
    """One project on one host."""

    shell: Shell
    layout: HostLayout
    address: str
    """The host as users reach it."""
    host_address: str = ""
    """The host itself, where it is known by another address too."""
    direct: bool = True
    """Whether this machine reaches that address itself, and not through another host."""
    fence: Fence = field(default_factory=Fence)
    _looking: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _seen: list[Facts] = field(default_factory=list, repr=False, compare=False)

    @property
    def first_look(self) -> Facts:
        """What was there when this was first asked for."""
        # no cached_property: before Python 3.12 all hosts share its lock, and would be looked at one after another
        with self._looking:
            if not self._seen:
                self._seen.append(self.facts())
            return self._seen[0]

    @property
    def look(self) -> Command:
        """The command that prints the facts of the host."""
        return packaged("remote", "facts.sh", str(self.layout.root), self.layout.project)

    def facts(self) -> Facts:
        """What is there now; one round trip.

        Raises DeployError for a project's folder that we cannot look into: a host that has releases would look empty.
        """
        found = parse_facts(self.shell.run(self.look).stdout, self.shell.name)
        if found.closed_by:
            raise DeployError(
                f"{self.shell.name}: {self.layout.root} is of user {found.closed_by}, and user {found.user} cannot "
                "look into it",
                f"work as {found.closed_by} there, or hand it over: inv host.setup --host {self.shell.name} "
                f"--user {found.user}",
            )
        return found

    def usage(self) -> Usage:
        """What the project takes of the disk."""
        return parse_usage(self.shell.run(self.bare("usage.sh", str(self.layout.root), self.layout.project)).stdout)

    def drift(self, facts: Facts, live: ReleaseRecord, verbs: str) -> tuple[Drift, ...]:
        """What was changed there by hand; one round trip."""
        script = self.bare("drift.sh", str(self.layout.root), self.layout.project, live.id)
        return find_drift(facts, live, self.layout, self.shell.run(script).stdout, verbs)

    def script(self, name: str, *arguments: str | int) -> Command:
        """One of the scripts of `release/scripts` that change something, guarded against a leftover of another run."""
        return self.guarded(self.bare(name, *arguments))

    def bare(self, name: str, *arguments: str | int) -> Command:
        """A script without the guard: one that only waits or reads."""
        return packaged("release", name, *arguments)

    def guarded(self, command: Command) -> Command:
        """A command that waits for any other guarded one on the host to end, and only begins while its change is on."""
        return script(_GUARD, command.title, str(self.layout.root), self.fence.token, self.fence.cluster, *command)

    def raise_fence(self) -> None:
        """Let no step begin that was sent until now. Raises CommandError when another change has taken over."""
        token = secrets.token_hex(8)
        self.shell.run(self.bare("fence.sh", str(self.layout.root), token, self.fence.token))
        self.fence.token = token

    def run(
        self,
        name: str,
        *arguments: str | int,
        stdin: bytes = b"",
        check: bool = True,
        on_line: OnLine | None = None,
    ) -> Completed:
        """Run one of our scripts to its end."""
        return self.shell.run(self.script(name, *arguments), stdin=stdin, check=check, on_line=on_line)

    def compose(self, release_id: str) -> Command:
        """`docker compose` for a release."""
        return COMPOSE.then("--file", f"{self.layout.release(release_id)}/compose.yaml")

    @property
    def compose_data(self) -> Command:
        """`docker compose` for the data services."""
        return COMPOSE.then("--file", f"{self.layout.data}/compose.yaml")

    @property
    def compose_edge(self) -> Command:
        """`docker compose` for the edge."""
        return COMPOSE.then("--file", f"{self.layout.edge}/compose.yaml")
