"""A deploy to several hosts: locked together, released wave by wave, returned when a wave fails."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from deploy.model.errors import DeployError, together
from deploy.model.plan import Plan
from deploy.model.waves import HostOutcome, HostResult, OnFailure, Wave, parted
from deploy.release.deploy import Deployed, deploy, finish, purpose, require_unchanged
from deploy.release.lock import Hold, locked
from deploy.release.parallel import Parallel
from deploy.release.prepare import Prepared
from deploy.release.rollback import choose, migrations_since, roll_back
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.ui import Console, Several
from deploy.ui.reports import seen
from deploy.ui.units import duration, size

K = TypeVar("K")
UNKNOWN = "unknown"
ASKED_AT_ONCE = 16
"""Hosts that are only asked something, at the same time."""


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
        self._at_once = at_once
        self._on_failure = on_failure
        self._holds: dict[Member, Hold] = {}
        self._serving: dict[str, str] = {}
        self.results = {
            member.spec: HostResult(member.spec, HostOutcome.NOT_BEGUN, member.plan.previous) for member in members
        }

    def run(self) -> None:
        """Release to every host, or as far as failures let it come; those are said as they happen, and kept.

        Raises DeployError when a host is locked, or is not as it was planned for: nothing was changed anywhere then.
        """
        with contextlib.ExitStack() as held:
            self._lock(held)
            for number, wave in enumerate(self._waves, 1):
                names = ", ".join(member.spec for member in wave)
                self._console.say(f"Wave {number} of {len(self._waves)}: {names}")
                if self._release(wave) or self._on_failure == OnFailure.CONTINUE:
                    continue
                if self._on_failure == OnFailure.RETURN:
                    self._return(wave)
                break

    def _lock(self, held: contextlib.ExitStack) -> None:
        """Take every lock before anything changes, in an order that all runs share: of two, one gets all of them."""
        with self._console.step(f"Lock {len(self._members)} hosts") as step:
            try:
                for member in sorted(self._members, key=lambda one: one.machine):
                    step.show(member.spec)
                    lock = locked(member.site, purpose(member.plan), datetime.now(UTC), self._console)
                    self._holds[member] = held.enter_context(lock)
                    require_unchanged(self._holds[member].facts, member.plan)
            except DeployError as error:
                raise DeployError(
                    f"{error.message}; nothing was changed on any host", error.remedy, details=error.details
                ) from error

    def _release(self, wave: Sequence[Member]) -> bool:
        """Whether every host of the wave serves the new release."""
        work = Parallel(self._deploy, at_once=self._at_once, heed_failures=self._on_failure != OnFailure.CONTINUE)
        try:
            with self._several:
                work.run(wave)
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
        for member in serving:
            if not member.plan.previous:
                self._console.note(f"{member.spec} keeps {member.plan.release}: there is none before to return to")
        back = [member for member in serving if member.plan.previous]
        if not back:
            return
        self._console.say(f"Back to the release before: {', '.join(member.spec for member in back)}")
        work = Parallel(self._roll_back, at_once=self._at_once)
        try:
            with self._several:
                work.run(back)
        finally:
            for member, done in work.done.items():
                before = self.results[member.spec]
                self.results[member.spec] = before.became(
                    HostOutcome.RETURNED, serves=done.release, seconds=before.seconds + done.seconds, probes=done.probes
                )
            self._keep(work, HostOutcome.NOT_RETURNED)

    def _deploy(self, member: Member) -> Deployed:
        console = self._several.of(member.spec)
        with self._told(member, console):
            hold = self._holds[member]
            if member.plan.changes:
                done = deploy(member.prepared, member.plan, member.site, self._local, console, under=hold)
            else:
                done = finish(member.prepared, member.plan, member.site, console, under=hold)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        _say(console, done, f"{done.release} is live after {duration(done.seconds)}{sent}{seen(done.probes)}.")
        return done

    def _roll_back(self, member: Member) -> Deployed:
        console = self._several.of(member.spec)
        with self._told(member, console):
            hold = self._holds[member]
            facts = hold.look_again()
            target = choose(facts, member.plan.previous)
            for migrated in migrations_since(facts, target):
                console.warn(f"{migrated} changed the schema, and going back does not change it back")
            done = roll_back(member.prepared.environment, member.site, facts, target, console, under=hold)
        _say(console, done, f"{done.release} is live again after {duration(done.seconds)}{seen(done.probes)}.")
        return done

    @contextlib.contextmanager
    def _told(self, member: Member, console: Console) -> Iterator[None]:
        """Say at once what goes wrong in the block, and find out what users get then."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, DeployError):
                if error.details:
                    console.say(re.sub(r"(?m)^", "  ", error.details.rstrip()))
                console.error(error.message)
                if error.remedy:
                    console.say(f"→ {error.remedy}")
            self._serving[member.spec] = UNKNOWN
            with contextlib.suppress(DeployError):
                live = member.site.facts().live
                self._serving[member.spec] = live.id if live else ""
            raise

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
