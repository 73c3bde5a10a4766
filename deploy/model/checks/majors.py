"""Whether PostgreSQL servers are of the version that their data was written by: others refuse it when they start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deploy.model.checks.problem import Problem
from deploy.model.clusters import Majors


def check_majors(found: Iterable[Majors], words: str) -> Iterator[Problem]:
    """Every server that would not start. `words` name the place on a command line, with a leading space."""
    for one in found:
        if one.fit or one.data is None or one.image is None:
            continue
        back = f"or put the image of PostgreSQL {one.data} back into the compose file"
        upgrade = f"inv db.upgrade{words} --service {one.service} brings the data to {one.image}, {back}"
        if one.image < one.data:
            upgrade = (
                f"put the image of PostgreSQL {one.data} back into the compose file: no server reads newer data; "
                f"inv db.upgrade --back{words} takes an upgrade back"
            )
        yield Problem(
            f"{one.service}: the data is PostgreSQL {one.data}'s and the image is PostgreSQL {one.image}, which would "
            "not start on it",
            upgrade,
            path=("services", one.service, "image"),
        )
