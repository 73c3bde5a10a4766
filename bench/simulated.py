"""A deploy to many hosts without Docker and without SSH: how time, memory, threads and output grow with their number.

    .venv/bin/python -m bench.fleet --simulate [--hosts 1,10,100,1000]

What `prod.deploy --on-failure continue --skip-unreachable` runs is the real code: connecting, looking, plans from
facts, the one question, waves, the table. Doubles are what a host does by itself: to answer, to be locked, to deploy.
Of a hundred hosts three run the release already, two cannot be reached, one fails, and five run an older release.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from deploy.model.errors import DeployError, UnreachableError
from deploy.model.facts import Facts
from deploy.model.plan import Plan, Wanted, make_plan
from deploy.model.release import ReleaseRecord
from deploy.model.settings import Environment, parse_settings
from deploy.model.waves import CANARY, OnFailure, Wave
from deploy.release.deploy import Deployed
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.tasks.app import App
from deploy.tasks.rollout import Wanted as Asked
from deploy.tasks.rollout import deploy_to
from deploy.ui import Console
from deploy.ui.units import size
from tests.unit.examples import LAYOUT, facts, record

OLD, BEFORE, NEW = "20261119-110000-0000000", "20261120-110000-0000001", "20261121-120000-1a2b3c4"
STEPS = ("Push 2 images", "Stage the release", "Start the release", "Switch", "Hand over the workers", "Drain")
STEP_S = 0.0005
AT_ONCE = 4
NO_STACK: Any = SimpleNamespace(services={})


@dataclass
class Seen:
    """What the doubles saw. Counts are by what was done; `most` is how many did it at the same time."""

    calls: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    threads: int = 0
    _now: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        with self._lock:
            self.calls[what] += 1
            self._now[what] += 1
            self.most[what] = max(self.most[what], self._now[what])
            self.threads = max(self.threads, threading.active_count())
        try:
            yield
        finally:
            with self._lock:
                self._now[what] -= 1


@dataclass(frozen=True)
class Simulated:
    """How a run over some hosts went."""

    hosts: int
    seconds: float
    cpu_seconds: float
    seen: Seen
    said: Sequence[str]
    """The lines of its output."""
    peak_bytes: int
    """Most memory that Python held for it; 0 where that was not asked for."""


class SimulatedSite(Site):
    """A host that answers at once."""

    seen: Seen

    def facts(self) -> Facts:
        with self.seen.doing("look"):
            time.sleep(STEP_S)
            number = _number(self.shell.name)
            live = {3: BEFORE, 20: NEW, 40: NEW, 60: NEW}.get(number % 100, BEFORE)
            live = OLD if number % 100 in {11, 31, 51, 71, 91} else live
            return facts(_release(live), host=self.shell.name)


class SimulatedApp(App):
    """The task's own start, without settings, files and SSH."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.config: Any = SimpleNamespace(run=SimpleNamespace(dry=False, echo=False))
        self.console = Console()

    @contextlib.contextmanager
    def site(self, environment: Environment, spec: str, **_: Any) -> Iterator[Site]:  # noqa: ARG002
        with self.seen.doing("connect"):
            time.sleep(STEP_S)
            if _number(spec) % 100 in {25, 75}:
                raise UnreachableError(f"{spec}: cannot connect to {spec} port 22: Connection refused", "check it")
        shell: Any = SimpleNamespace(name=spec)
        site = SimulatedSite(shell, LAYOUT, spec)
        object.__setattr__(site, "seen", self.seen)
        yield site

    def release(self, *_: Any, **__: Any) -> Any:
        with self.seen.doing("prepare"):
            return SimpleNamespace(
                record=_release(NEW), stack=NO_STACK, sources={}, environment=None
            )  # equal for every host

    def require_env_file(self, *_: Any, **__: Any) -> None:
        """It is there."""

    def shell(self, **_: str) -> LocalShell:
        return LocalShell()


def simulate(hosts: int, *, waves: Sequence[Wave] = CANARY, memory: bool = False) -> Simulated:
    """One run. With `memory` it is slower, since every allocation is watched."""
    seen = Seen()
    app = SimulatedApp(seen)
    names = [f"app{number}" for number in range(1, hosts + 1)]
    wanted = Asked(
        yes=True,
        rebuild=False,
        waves=tuple(waves),
        at_once=AT_ONCE,
        on_failure=OnFailure.CONTINUE,
        skip=True,
        no_proof="",
    )
    environment = parse_settings({}, folder="shop").environment("prod")
    with _doubles(seen), contextlib.redirect_stderr(io.StringIO()) as said:
        if memory:
            tracemalloc.start()
        began, began_cpu = time.monotonic(), time.process_time()
        try:
            deploy_to(app, environment, names, wanted)
        except DeployError as error:
            app.console.error(str(error))
        seconds, cpu = time.monotonic() - began, time.process_time() - began_cpu
        peak = tracemalloc.get_traced_memory()[1] if memory else 0
        tracemalloc.stop()
    return Simulated(hosts, seconds, cpu, seen, said.getvalue().splitlines(), peak)


@contextlib.contextmanager
def _doubles(seen: Seen) -> Iterator[None]:
    def plan_deploy(prepared: Any, site: Site, *_: Any, **__: Any) -> tuple[Plan, Facts]:
        with seen.doing("plan"):
            plan = make_plan(Wanted(prepared.record, frozenset(), 0, ()), site.first_look, LAYOUT)
            return dataclasses.replace(plan, build=()), site.first_look

    @contextlib.contextmanager
    def locked(site: Site, *_: Any, on_taken: Callable[[], None]) -> Iterator[Any]:
        with seen.doing("lock"):
            time.sleep(STEP_S)
            on_taken()
            time.sleep(STEP_S)
        yield SimpleNamespace(facts=site.first_look)

    def deploy(_: Any, plan: Plan, __: Any, ___: Any, console: Console, **____: Any) -> Deployed:
        with seen.doing("deploy"):
            for title in STEPS:
                with console.step(title) as step:
                    time.sleep(STEP_S)
                    step.result = "done"
            if _number(plan.host) % 100 == 50:  # noqa: PLR2004
                lines = "\n".join(f"backend-1  | line {number}" for number in range(20))
                raise DeployError(f"{plan.host}: backend is unhealthy", "look at its log", details=lines)
            return Deployed(NEW, plan.previous, 3, 19_400, None, ("the host has no zstd: more was sent instead",))

    with (
        mock.patch("deploy.release.deploy.plan_deploy", plan_deploy),
        mock.patch("deploy.release.deploy.obtain_and_build", return_value={}),
        mock.patch("deploy.release.schedule.outdated", return_value=()),
        mock.patch("deploy.release.fleet.locked", locked),
        mock.patch("deploy.release.fleet.deploy", deploy),
        mock.patch("deploy.release.deploy.deploy", deploy),
    ):
        yield


def _number(spec: str) -> int:
    return int(spec.removeprefix("app"))


def _release(release_id: str) -> ReleaseRecord:
    """Another release has another image, and nothing else that differs."""
    backend = dataclasses.replace(
        record().services["backend"], image=f"shop/backend:{release_id}", parts={"image": release_id}
    )
    return record(release_id, services={"backend": backend}, public=())


def print_curve(counts: Sequence[int]) -> None:
    """For every number of hosts what a run takes, and how it has grown since the number before: 1.00 is linear."""
    before: tuple[Simulated, Simulated] | None = None
    for hosts in counts:
        timed, watched = simulate(hosts), simulate(hosts, memory=True)
        since = before or (timed, watched)
        more = hosts / since[0].hosts
        print(
            f"{hosts:5} hosts  {timed.seconds:6.2f} s, {timed.cpu_seconds:5.2f} s of CPU, "
            f"{timed.cpu_seconds / hosts * 1000:4.1f} ms each, grown by "
            f"{timed.cpu_seconds / since[0].cpu_seconds / more:.2f} of linear; {size(watched.peak_bytes):>8}, "
            f"{size(watched.peak_bytes / hosts):>7} each, {watched.peak_bytes / since[1].peak_bytes / more:.2f} of "
            f"linear; {timed.seen.threads} threads at most"
        )
        print(f"             {len(timed.said)} lines, the longest of {max(map(len, timed.said))} characters")
        calls = (f"{what} {number} (at once {timed.seen.most[what]})" for what, number in timed.seen.calls.items())
        print(f"             {', '.join(calls)}", flush=True)
        before = timed, watched
