"""A deploy to several hosts: locked together, released wave by wave, returned when a wave fails."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from deploy.model.errors import MOST_TOLD, DeployError, together
from deploy.model.plan import Plan
from deploy.model.waves import MANY, HostOutcome, HostResult, OnFailure, Wave, parted
from deploy.push.packing import Packing
from deploy.release.deploy import Deployed, deploy, finish, purpose, require_unchanged
from deploy.release.lock import Hold, locked
from deploy.release.parallel import Parallel
from deploy.release.prepare import Prepared
from deploy.release.rollback import choose, migrations_since, roll_back
from deploy.release.site import Site
from deploy.release.turns import Turns
from deploy.shell import LocalShell
from deploy.ui import Console, Several
from deploy.ui.reports import seen
from deploy.ui.units import count, duration, names_of, size

K = TypeVar("K")
UNKNOWN = "unknown"
ASKED_AT_ONCE = 16
"""Hosts that are only asked something, at the same time."""
FEW = 8
"""Of very many hosts so many are still named."""
MOST_FAILURES, MOST_DETAILS = 10, 3
"""Of very many hosts those whose failure is told, and those of which the last lines of what failed are shown."""


@dataclass(frozen=True, eq=False)
class Member:
    """One host of a run: connected, looked at, and with something to do. Equal to nothing but itself."""

    spec: str
    machine: str
    """The same for the same machine, by whatever name it was given."""
    site: Site
    prepared: Prepared
    plan: Plan


class Rollout:
    """One run. `results` tells at every moment what has come of each host."""

    def __init__(
        self,
        members: Sequence[Member],
        waves: Sequence[Wave],
        local: LocalShell,
        console: Console,
        *,
        at_once: int,
        on_failure: OnFailure,
    ) -> None:
        self._members = members
        self._waves = [*parted(members, waves)]
        self._local = local
        self._console = console
        self._several = Several(console, [member.spec for member in members])
        self._many = len(members) > MANY
        self._failures = itertools.count(1)
        self._at_once = at_once
        self._on_failure = on_failure
        self._holds: dict[Member, Hold] = {}
        self._locks: list[AbstractContextManager[Hold]] = []
        self._serving: dict[str, str] = {}
        self.results = {
            member.spec: HostResult(member.spec, HostOutcome.NOT_BEGUN, member.plan.previous) for member in members
        }

    def run(self) -> None:
        """Release to every host, or as far as failures let it come; those are said as they happen, and kept.

        Raises DeployError when a host is locked, or is not as it was planned for: nothing was changed anywhere then.
        """
        with contextlib.ExitStack() as held:
            self._packing = held.enter_context(Packing(self._local, for_several=True))
            held.callback(self._unlock)
            self._lock()
            for number, wave in enumerate(self._waves, 1):
                title = f"Wave {number} of {len(self._waves)}: {self._names(wave)}"
                if self._release(wave, title) or self._on_failure == OnFailure.CONTINUE:
                    continue
                if self._on_failure == OnFailure.RETURN:
                    self._return(wave)
                break

    def _lock(self) -> None:
        """Take every lock before anything changes, in an order that all runs share: of two, one gets all of them.

        A host is locked when the one before it is, and looked at under its lock meanwhile.
        """
        ordered = sorted(self._members, key=lambda one: one.machine)
        turns = Turns(ordered)

        def take(member: Member) -> bool:
            if not turns.wait(member):
                return False
            try:
                lock = locked(
                    member.site,
                    purpose(member.plan),
                    datetime.now(UTC),
                    self._console,
                    on_taken=lambda: turns.passed(member),
                )
                hold = lock.__enter__()
                self._locks.append(lock)
                self._holds[member] = hold
                require_unchanged(hold.facts, member.plan)
            except BaseException:
                turns.end()
                raise
            turns.passed(member)
            return True

        with self._console.step(f"Lock {len(self._members)} hosts") as step:
            work = Parallel(take, at_once=ASKED_AT_ONCE, heed_failures=True)
            work.run(ordered, lambda: step.show(f"{len(work.done)} locked"))
            for error in (work.failed[member] for member in ordered if member in work.failed):
                if not isinstance(error, DeployError):
                    raise error
                raise DeployError(
                    f"{error.message}; nothing was changed on any host", error.remedy, details=error.details
                ) from error

    def _unlock(self) -> None:
        """Let go of every lock that was taken."""
        letting_go = Parallel[AbstractContextManager[Hold], object](
            lambda lock: lock.__exit__(None, None, None), at_once=ASKED_AT_ONCE
        )
        letting_go.run(self._locks)
        for error in letting_go.failed.values():
            raise error

    def _release(self, wave: Sequence[Member], title: str) -> bool:
        """Whether every host of the wave serves the new release."""
        work = Parallel(self._deploy, at_once=self._at_once, heed_failures=self._on_failure != OnFailure.CONTINUE)
        try:
            self._run(work, wave, title)
        finally:
            for member, done in work.done.items():
                self.results[member.spec] = HostResult(
                    member.spec, HostOutcome.DEPLOYED, done.release, done.seconds, done.bytes_sent, done.probes
                )
            self._keep(work, HostOutcome.FAILED)
        return len(work.done) == len(wave)

    def _return(self, wave: Sequence[Member]) -> None:
        """Bring the hosts of a failed wave that serve the new release back to the one before."""
        serving = [one for one in wave if self.results[one.spec].outcome == HostOutcome.DEPLOYED and one.plan.changes]
        if first := [member for member in serving if not member.plan.previous]:
            keep = "keep" if len(first) > 1 else "keeps"
            self._console.note(
                f"{self._names(first)} {keep} {first[0].plan.release}: there is none before to return to"
            )
        back = [member for member in serving if member.plan.previous]
        if not back:
            return
        work = Parallel(self._roll_back, at_once=self._at_once)
        try:
            self._run(work, back, f"Back to the release before: {self._names(back)}")
        finally:
            for member, done in work.done.items():
                before = self.results[member.spec]
                self.results[member.spec] = before.became(
                    HostOutcome.RETURNED, serves=done.release, seconds=before.seconds + done.seconds, probes=done.probes
                )
            self._keep(work, HostOutcome.NOT_RETURNED)

    def _run(self, work: Parallel[Member, Deployed], members: Sequence[Member], title: str) -> None:
        """Work on some hosts, each telling what it is at, or where they are very many, how many have ended."""
        if not self._many:
            self._console.say(title)
            with self._several:
                work.run(members)
            return

        def show() -> None:
            step.show(f"{len(work.done) + len(work.failed)} ended, {len(work.failed)} of them failed")

        try:
            with self._console.step(title) as step:
                work.run(members, show)
                step.result = f"{len(work.done)} done" + (f", {len(work.failed)} failed" if work.failed else "")
        finally:
            kept = [*self._several.kept().items()]
            for warning, hosts in kept[:MOST_TOLD]:
                self._console.warn(f"{names_of(hosts, 1)}: {warning}")
            if len(kept) > MOST_TOLD:
                self._console.warn(f"and {count(len(kept) - MOST_TOLD, 'more warning')} of this wave")

    def _names(self, members: Sequence[Member]) -> str:
        """For a line that also says how far they are: by their names, or how many of very many."""
        names = [member.spec for member in members]
        return ", ".join(names) if len(names) <= FEW or not self._many else count(len(names), "host")

    def _console_of(self, member: Member) -> Console:
        return self._several.quiet(member.spec) if self._many else self._several.of(member.spec)

    def _deploy(self, member: Member) -> Deployed:
        console = self._console_of(member)
        with self._told(member):
            hold = self._holds[member]
            if member.plan.changes:
                done = deploy(
                    member.prepared, member.plan, member.site, self._local, console, under=hold, packing=self._packing
                )
            else:
                done = finish(member.prepared, member.plan, member.site, console, under=hold)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        _say(console, done, f"{done.release} is live after {duration(done.seconds)}{sent}{seen(done.probes)}.")
        return done

    def _roll_back(self, member: Member) -> Deployed:
        console = self._console_of(member)
        with self._told(member):
            hold = self._holds[member]
            facts = hold.look_again()
            target = choose(facts, member.plan.previous)
            for migrated in migrations_since(facts, target):
                console.warn(f"{migrated} changed the schema, and going back does not change it back")
            done = roll_back(member.prepared.environment, member.site, facts, target, console, under=hold)
        _say(console, done, f"{done.release} is live again after {duration(done.seconds)}{seen(done.probes)}.")
        return done

    @contextlib.contextmanager
    def _told(self, member: Member) -> Iterator[None]:
        """Say at once what goes wrong in the block, and find out what users get then."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, DeployError):
                self._tell(member, error)
            self._serving[member.spec] = UNKNOWN
            with contextlib.suppress(DeployError):
                live = member.site.facts().live
                self._serving[member.spec] = live.id if live else ""
            raise

    def _tell(self, member: Member, error: DeployError) -> None:
        """In whole, unless it is one of very many: that host's journal knows why, too."""
        console, number = self._several.of(member.spec), next(self._failures)
        if self._many and number > MOST_FAILURES:
            return
        whole = not self._many or number <= MOST_DETAILS
        if error.details and whole:
            console.say(re.sub(r"(?m)^", "  ", error.details.rstrip()))
        console.error(error.message)
        if error.remedy and whole:
            console.say(f"→ {error.remedy}")
        if self._many and number == MOST_FAILURES:
            self._console.warn("of hosts that fail from here on, only the number is told; prod.releases knows why")

    def _keep(self, work: Parallel[Member, Deployed], bad: HostOutcome) -> None:
        """Note the hosts of a wave that did not end well. Raises what is no failure of a host but one of ours."""
        ends = dict.fromkeys(work.left, HostOutcome.INTERRUPTED)
        for member, error in work.failed.items():
            ends[member] = HostOutcome.INTERRUPTED if isinstance(error, KeyboardInterrupt) else bad
        for member, outcome in ends.items():
            serves = self._serving.get(member.spec, UNKNOWN)
            self.results[member.spec] = self.results[member.spec].became(outcome, serves=serves)
        for error in work.failed.values():
            if not isinstance(error, DeployError | KeyboardInterrupt):
                raise error


def _say(console: Console, done: Deployed, text: str) -> None:
    for note in done.notes:
        console.warn(note)
    console.good(text)


def require_all(failed: Mapping[K, BaseException], what: str) -> None:
    """Raises what was raised for each host, as one."""
    for error in failed.values():
        if not isinstance(error, DeployError):
            raise error
    if failed:
        raise together([error for error in failed.values() if isinstance(error, DeployError)], what)
