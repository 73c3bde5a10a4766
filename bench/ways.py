"""Ways to release to a cluster: Windlass, and plain `docker stack deploy` of the same documents."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.nodes import Lab
from tests.project import Project, eventually

LOOK_S = 0.5
PATIENCE_S = 150.0
"""How long somebody waits for a plain update before giving up."""
BROKEN = ["sh", "-c", "echo no such setting; exit 3"]


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
