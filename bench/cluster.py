"""A reference stack on a cluster of three nodes, updated under load, against plain `docker stack deploy`.

    .venv/bin/python -m bench.cluster [--updates 10] [--rate 120] [--only ours,default,start-first]

ProcGenie, its API and its page twice each, with requests to all nodes at once: reads and writes, on kept and on fresh
connections. Updates go to and fro between two versions, so that nothing is built while one is measured. A node is
frozen, and another time killed, one second after an update has begun to roll, and comes back when that has ended.
Plain is the very document that Windlass deploys, behind the same edge, with what it says of updates taken out: as
Docker does by itself (stop-first), and with `order: start-first`. Who deploys it polls until every service says that
it is done, and takes a release that was given up back by deploying the document before.

Everything runs on one machine: nodes, load and the tool share its cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.failures import by_cause, told
from tests.lab.cluster import joined, services
from tests.lab.conftest import RemoteHost
from tests.load import Load, Request
from tests.project import Project, commit, copy_of_this_checkout, docker, eventually, swept, unique

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
LOST_AFTER_S = 1.0
LOOK_S = 0.5
AT_REST_S = 15.0
PATIENCE_S = 150.0
"""How long somebody waits for a plain update before giving up."""
MOST_S = 4 * 3600.0
BROKEN = ["sh", "-c", "echo no such setting; exit 3"]


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


class Ours:
    """Windlass."""

    name = "Windlass"

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._number = 0

    def update(self) -> None:
        """To the other of the two versions."""
        self._number += 1
        said = ('"1.0.0"', '"1.1.0"')
        edit(self._lab.project, "apps/procgenie/api/src/version.ts", said[1 - self._number % 2], said[self._number % 2])
        self._lab.project.inv("prod.deploy", "--yes")

    def fail(self) -> None:
        file = "compose/procgenie/prod.yaml"
        good, bad = "    init: true\n", f"    init: true\n    command: {json.dumps(BROKEN)}\n"
        edit(self._lab.project, file, good, bad)
        try:
            done = self._lab.project.inv("prod.deploy", "--yes", expect=1)
        finally:
            edit(self._lab.project, file, bad, good)
        assert "every service is as" in done.stderr, done.stderr

    def back(self) -> None:
        self._lab.project.inv("prod.rollback", "--yes")
        self._number += 1

    def backup(self) -> None:
        self._lab.project.inv("db.backup", "--env", "prod")

    def drill(self) -> None:
        self._lab.project.inv("db.drill", "--env", "prod")

    def await_return(self) -> None:
        eventually(lambda: self._lab.project.attempt("prod.status").returncode == 0, PATIENCE_S)


class Plain:
    """`docker stack deploy` of the documents of two releases, with Docker's own defaults or one change of them."""

    def __init__(self, lab: Lab, name: str, update: Mapping[str, Any]) -> None:
        self.name = name
        self._lab = lab
        self._number = 0
        folder = f"/opt/{lab.project.name}/releases"
        # the two newest, oldest first
        releases = lab.manager.sh(f"ls {folder} | tail -n 2").split()
        self._documents = [self._made(f"{folder}/{one}/swarm/app", update) for one in releases]
        self._deploy(self._documents[0])

    def _made(self, folder: str, update: Mapping[str, Any]) -> str:
        document = json.loads(self._lab.manager.sh(f"cat {folder}/stack.json"))
        for service in document["services"].values():
            deploy = service["deploy"]
            deploy.pop("update_config", None)
            deploy.pop("rollback_config", None)
            if update:
                deploy["update_config"] = dict(update)
        path = f"{folder}/plain-{self.name}.json"
        self._put(path, document)
        return path

    def _put(self, path: str, document: Mapping[str, Any]) -> None:
        words = ["docker", "exec", "--interactive", self._lab.manager.container, "sh", "-c", f"cat >{path}"]
        subprocess.run(words, input=json.dumps(document), text=True, check=True)

    def _deploy(self, path: str) -> None:
        self._lab.manager.run(
            *("docker", "stack", "deploy", "--prune", "--resolve-image", "never", "--detach=true"),
            *("--compose-file", path, self._lab.project.name),
        )
        time.sleep(LOOK_S * 4)  # until the cluster has begun
        eventually_at_most(lambda: self._lab.whole() or self._lab.given_up())

    def update(self) -> None:
        self._number += 1
        self._deploy(self._documents[self._number % 2])

    def fail(self) -> None:
        """And back again, once the update has been given up."""
        good = self._documents[self._number % 2]
        document = json.loads(self._lab.manager.sh(f"cat {good}"))
        document["services"]["api"]["command"] = BROKEN
        document["services"]["api"].pop("entrypoint", None)
        bad = good.replace("plain-", "broken-")
        self._put(bad, document)
        self._deploy(bad)
        self._deploy(good)

    def back(self) -> None:
        self.update()

    def await_return(self) -> None:
        eventually_at_most(self._lab.whole)


def eventually_at_most(what: Callable[[], bool]) -> None:
    """What somebody who waits does: look every second, and give up after a while."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with contextlib.suppress(AssertionError):
            if what():
                return
        time.sleep(1)


def edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.root / file
    text = path.read_text()
    assert old in text or new in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1) if new not in text else text)


def losing(lab: Lab, change: Callable[[], None], lose: Callable[[], object], give_back: Callable[[], object]) -> None:
    """A change, and a node that is lost a moment after the services have been told, and back when it has ended."""
    from threading import Thread

    before = lab.definitions()

    def meanwhile() -> None:
        while lab.definitions() == before:
            time.sleep(LOOK_S)
        time.sleep(LOST_AFTER_S)
        lose()

    watching = Thread(target=meanwhile)
    watching.start()
    try:
        change()
    finally:
        watching.join()
        give_back()


def story(lab: Lab, way: Ours | Plain, updates: int) -> Iterator[Row]:
    """Everything that happens to a stack, in order."""
    lost = lab.hosts[LOST]

    def nothing() -> None:
        pass

    def many() -> None:
        for number in range(updates):
            began = time.monotonic()
            way.update()
            print(f"    {way.name} update {number + 1}: {time.monotonic() - began:.1f} s", flush=True)

    def frozen() -> None:
        losing(lab, way.update, lambda: docker("pause", lost.container), lambda: docker("unpause", lost.container))

    def killed() -> None:
        losing(lab, way.update, lost.cut_power, lost.return_power)

    yield lab.measured("at rest", way.name, lambda: time.sleep(AT_REST_S), after=nothing)
    yield lab.measured(f"{updates} updates", way.name, many, after=nothing)
    yield lab.measured("a node lost, frozen", way.name, frozen, after=way.await_return)
    yield lab.measured("a node lost, killed", way.name, killed, after=way.await_return)
    yield lab.measured("a release that fails", way.name, way.fail, after=nothing)
    yield lab.measured("a rollback", way.name, way.back, after=nothing)
    if isinstance(way, Ours):
        yield lab.measured("a backup", way.name, way.backup, after=nothing)
        yield lab.measured("a drill", way.name, way.drill, after=nothing)


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


def compared(rows: Sequence[Row]) -> Iterator[str]:
    """For every part of the story, what the others lost against what we did."""
    ours = {row.kind: row for row in rows if row.way == Ours.name}
    for row in rows:
        if row.way == Ours.name or row.kind not in ours:
            continue
        own = ours[row.kind]
        ratio = f"{row.share / own.share:.1f} times the share" if own.failed else "against none"
        yield (
            f"  {row.kind:28} {row.way:12} {row.failed} of {row.sent} failed, Windlass {own.failed} of {own.sent} "
            f"({ratio}); Windlass takes {own.each_s / row.each_s:.2f} of its time"
        )


def main() -> None:
    """Print a table, and what it comes to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--plain-updates", type=int, default=3, help="the same of the other ways")
    parser.add_argument("--rate", type=float, default=120, help="requests a second, to all nodes together")
    parser.add_argument("--only", default="ours,default,start-first")
    words = parser.parse_args()
    rows: list[Row] = []
    with lab(words.rate) as found:
        ours = Ours(found)
        # both versions are built and everywhere before anything is measured
        ours.update()
        if "ours" in words.only:
            rows += story(found, ours, words.updates)
        for name, update in (("default", {}), ("start-first", {"order": "start-first"})):
            if name in words.only.split(","):
                rows += story(found, Plain(found, name, update), words.plain_updates)
    print()
    for row in rows:
        print(row)
    print()
    for line in compared(rows):
        print(line)


if __name__ == "__main__":
    main()
