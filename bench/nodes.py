"""Three nodes with a reference stack on them, the users of all three, and what a change came to for these."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.failures import by_cause, told
from tests.lab.cluster import joined, services
from tests.lab.conftest import RemoteHost
from tests.load import Load, Request
from tests.project import Project, commit, copy_of_this_checkout, swept, unique

STACK = "procgenie"
NODES = ("m1", "w1", "w2")
LOST = "w2"
API = "/api/v1"
SETTINGS = f"""\
deploy:
  stack: {STACK}
  environments:
    prod:
      engine: swarm
      hosts: [sandbox-m1]
      nodes: [sandbox-w1, sandbox-w2]
"""
CLIENTS = 6
"""For each node: three kinds of requests, each on kept and on fresh connections."""
MOST_S = 4 * 3600.0


@dataclass(frozen=True)
class Row:
    """What one part of a story came to."""

    what: str
    way: str
    seconds: float
    """Of the change itself."""
    sent: int
    elsewhere: Counter[str]
    """Failed requests by cause, at nodes that were up."""
    lost: Counter[str]
    """The same, sent to the node that was lost."""
    slowest_s: float
    reasons: Counter[str]
    """Why requests to the other nodes failed, in full."""

    @property
    def failed(self) -> int:
        return self.elsewhere.total() + self.lost.total()

    @property
    def kind(self) -> str:
        """The same for different numbers of updates."""
        return self.what.lstrip("0123456789 ")

    @property
    def share(self) -> float:
        return self.failed / self.sent

    @property
    def each_s(self) -> float:
        """Seconds of one change."""
        return self.seconds / int(self.what.split()[0]) if self.what[0].isdecimal() else self.seconds

    def __str__(self) -> str:
        whys = [
            *([told(self.elsewhere.most_common())] if self.elsewhere else []),
            *([f"at the lost node: {told(self.lost.most_common())}"] if self.lost else []),
        ]
        return (
            f"  {self.what:28} {self.way:12} {self.seconds:6.1f} s {self.sent:7} sent {self.failed:6} failed  "
            f"slowest {self.slowest_s:6.2f} s  {'; '.join(whys)}"
        )


def new_request(number: int) -> str:
    return json.dumps({"title": f"desk {number}", "department": "Office", "amountCents": 49900})


REQUESTS = (Request("/"), Request(f"{API}/requests"), Request(f"{API}/requests", new_request))


class Lab:
    """Three nodes with the stack on them."""

    def __init__(self, project: Project, hosts: Mapping[str, RemoteHost], rate: float) -> None:
        self.project = project
        self.hosts = hosts
        self._pause_s = CLIENTS * len(hosts) / rate

    @property
    def manager(self) -> RemoteHost:
        return self.hosts["m1"]

    @contextlib.contextmanager
    def users(self) -> Iterator[dict[str, Load]]:
        """Requests to every node while the block runs."""
        loads = {
            name: Load(host.address, 80, REQUESTS, CLIENTS, self._pause_s, most_s=MOST_S)
            for name, host in self.hosts.items()
        }
        with contextlib.ExitStack() as running:
            for load in loads.values():
                running.enter_context(load)
            yield loads

    def measured(self, what: str, way: str, change: Callable[[], None], *, after: Callable[[], None]) -> Row:
        """A change under load, and what follows it until all is as it should be again."""
        with self.users() as loads:
            began = time.monotonic()
            change()
            seconds = time.monotonic() - began
            after()
        lost = by_cause(loads[LOST].failed) if "lost" in what else Counter[str]()
        rest = [load for name, load in loads.items() if not lost or name != LOST]
        reasons = sum((load.failed for load in rest), Counter[str]())
        row = Row(
            what,
            way,
            seconds,
            sum(load.sent for load in loads.values()),
            by_cause(reasons),
            lost,
            max(load.slowest_s for load in loads.values()),
            reasons,
        )
        print(row, flush=True)
        for reason, number in reasons.most_common(4):
            print(f"      {number} {reason[:160]!r}", flush=True)
        return row

    def definitions(self) -> str:
        """Changes when services are told to be something else."""
        return str(services(self.manager, self.project.name))

    def whole(self) -> bool:
        """Whether every service runs as often as it should, and no update goes on."""
        lines = self.manager.run("docker", "service", "ls", "--format", "{{.Name}} {{.Replicas}}").splitlines()
        counts = [line.split()[1].split("/") for line in lines]
        updates = self._updates()
        return all(now == wanted for now, wanted in counts) and not {"updating", "rollback_started"} & updates

    def given_up(self) -> bool:
        return "paused" in self._updates()

    def _updates(self) -> set[str]:
        ids = self.manager.run("docker", "service", "ls", "--quiet").split()
        form = "{{with .UpdateStatus}}{{.State}}{{end}}"
        return {*self.manager.run("docker", "service", "inspect", "--format", form, *ids).split()}


@contextlib.contextmanager
def lab(rate: float) -> Iterator[Lab]:
    """Three new nodes with the stack released to them twice; all are gone afterwards."""
    name = unique("cluster")
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as folder, swept(name):
        project = Project(copy_of_this_checkout(Path(folder) / "project"), name)
        (project.root / "invoke.yaml").write_text(SETTINGS)
        commit(project.root, "On a cluster")
        found = Lab(project, joined(project, tuple(f"{one}" for one in NODES)), rate)
        project.inv("prod.deploy", "--yes")
        yield found
