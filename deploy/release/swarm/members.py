"""The machines of a cluster that are known here, each connected when it is first needed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.model.errors import DeployError, UnreachableError
from deploy.model.swarm import names
from deploy.model.swarm.found import Node
from deploy.model.swarm.node import Membership, parse_membership
from deploy.release.site import Site

SILENT_S = 4.0
"""A host that has not answered for so long is overtaken by the next: where its kernel lives and no program does, SSH
gives up only after 15 s."""
ASKED_S = 30.0
"""How long an engine may take to say how its machine stands to the cluster."""
LOOK_UP_S = 0.2


@dataclass(frozen=True, eq=False)
class Member:
    """A host, connected, and how it stands to the cluster."""

    spec: str
    site: Site
    membership: Membership

    @property
    def node(self) -> str:
        """Its id in the cluster."""
        return self.membership.node


def membership(site: Site, *, label: str = "") -> Membership:
    """How a machine stands to a cluster now; a manager tells besides which nodes have a label."""
    return parse_membership(site.shell.run(site.bare("swarm-node.sh", label), timeout_s=ASKED_S).stdout)


class Members:
    """Managers and other nodes by the names they are reached by. What is connected stays so to the end of the block."""

    def __init__(
        self,
        connect: Callable[[str], AbstractContextManager[Site]],
        managers: Sequence[str],
        nodes: Sequence[str],
    ) -> None:
        self._connect = connect
        self.managers = tuple(dict.fromkeys(managers))
        self.every = tuple(dict.fromkeys((*managers, *nodes)))
        self._found: dict[str, Future[Member]] = {}
        self._since: dict[str, float] = {}
        self._open: list[AbstractContextManager[Site]] = []
        self._guard = threading.Lock()
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._over = True
        with contextlib.ExitStack() as closing:
            for context in self._open:
                closing.push(context)

    def answering(self, specs: Iterable[str]) -> Iterator[Member]:
        """Those that can be reached, in their order; whoever is silent for long comes when it answers."""
        rest, waiting = deque(specs), list[str]()
        while rest or waiting:
            ended = next((spec for spec in waiting if self._found[spec].done()), None)
            if ended is not None:
                waiting.remove(ended)
                if self._found[ended].exception() is None:
                    yield self._found[ended].result()
                else:
                    self._raise_others(ended)
                continue
            now = time.monotonic()
            if rest and all(now - self._since[spec] > SILENT_S for spec in waiting):
                waiting.append(rest.popleft())
                self._begin(waiting[-1])
            wait([self._found[spec] for spec in waiting], LOOK_UP_S, return_when="FIRST_COMPLETED")

    def all_of(self, specs: Iterable[str]) -> tuple[Member, ...]:
        """All that can be reached, connected at once; `why_not` says what is wrong with the others."""
        wanted = tuple(specs)
        for spec in wanted:
            self._begin(spec)
        while not all(self._found[spec].done() for spec in wanted):
            wait([self._found[spec] for spec in wanted], LOOK_UP_S)
        for spec in wanted:
            self._raise_others(spec)
        return tuple(self._found[spec].result() for spec in wanted if self._found[spec].exception() is None)

    def why_not(self, spec: str) -> str:
        """Why a host cannot be worked with; empty where it can, or nobody has tried."""
        found = self._found.get(spec)
        if found is None:
            return ""
        if not found.done():
            return f"{spec} does not answer"
        error = found.exception()
        return getattr(error, "message", str(error)) if error else ""

    def node(self, wanted: Node) -> Member | None:
        """The host that is a node of the cluster, among all that are known here; nothing where none is it."""
        likely = [spec for spec in self.every if _name_in(spec) in {wanted.hostname, wanted.address}]
        rest = [spec for spec in self.every if spec not in likely]
        for some in (likely, [spec for spec in rest if spec in self._found], rest):
            for member in self.all_of(some):
                if member.node == wanted.id:
                    return member
        return None

    def again(self, member: Member, project: str) -> Member:
        """The same, asked once more."""
        return Member(member.spec, member.site, membership(member.site, label=names.records_label(project)))

    def _begin(self, spec: str) -> None:
        if spec in self._found:
            return
        self._since[spec] = time.monotonic()
        found = self._found[spec] = Future[Member]()

        def run() -> None:
            try:
                found.set_result(self._reach(spec))
            except BaseException as error:  # noqa: BLE001  # heard by whoever waits
                found.set_exception(error)

        threading.Thread(target=run, daemon=True).start()

    def _reach(self, spec: str) -> Member:
        context = self._connect(spec)
        site = context.__enter__()
        try:
            label = names.records_label(site.layout.project)
            found = Member(spec, site, membership(site, label=label))
        except BaseException:
            context.__exit__(None, None, None)
            raise
        with self._guard:
            if not self._over:
                self._open.append(context)
                return found
        context.__exit__(None, None, None)  # nobody waits for it any more
        raise UnreachableError(f"{spec}: it answered too late")

    def _raise_others(self, spec: str) -> None:
        """Raise what is no failure of a host but one of ours."""
        error = self._found[spec].exception()
        if error is not None and not isinstance(error, DeployError):
            raise error


def _name_in(spec: str) -> str:
    """The machine's name in how somebody wrote it: `user@name:port`."""
    name = spec.rpartition("@")[2]
    return name.partition(":")[0] if name.count(":") == 1 else name
