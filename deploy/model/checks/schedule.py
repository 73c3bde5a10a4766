"""The schedule that a host is to keep by itself, beside the one that it keeps."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts
from deploy.model.scheduled import Installed
from deploy.model.settings import Environment


def check_schedule(facts: Facts, environment: Environment, definition: str) -> Iterator[Problem]:
    """Whether a host that has a release keeps another schedule than it should; `definition` is that one's digest."""
    if environment.schedule is None or facts.live is None:
        return
    there = Installed.from_json(facts.schedule)
    if there is None or there.definition != definition:
        what = "is not as invoke.yaml and this version of Windlass make it" if there else "is not installed"
        yield Problem(
            f"the schedule of {facts.host} {what}",
            f"inv db.schedule --env {environment.name} --host {facts.host}",
            fatal=False,
        )
