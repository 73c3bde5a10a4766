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
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from bench.nodes import LOST, Lab, Row, lab
from bench.ways import LOOK_S, Ours, Plain
from tests.project import docker

LOST_AFTER_S = 1.0
AT_REST_S = 15.0


def losing(lab: Lab, change: Callable[[], None], lose: Callable[[], object], give_back: Callable[[], object]) -> None:
    """A change, and a node that is lost a moment after the services have been told, and back when it has ended."""
    before, ended = lab.definitions(), threading.Event()

    def meanwhile() -> None:
        while lab.definitions() == before:
            if ended.wait(LOOK_S):
                return
        time.sleep(LOST_AFTER_S)
        lose()

    watching = threading.Thread(target=meanwhile)
    watching.start()
    try:
        change()
    finally:
        ended.set()
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
