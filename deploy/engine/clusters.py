"""Looking at the data of PostgreSQL services, and at the images that are to run on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from deploy.model.clusters import Majors, data_mount, parse_majors, runs_postgres, tag_major, volume_of
from deploy.model.stack import Service, Stack
from deploy.shell import Shell
from deploy.shell.packaged import packaged


def majors(shell: Shell, projects: Sequence[str], stack: Stack, services: Iterable[Service]) -> tuple[Majors, ...]:
    """The version of each PostgreSQL service's data on a machine, and of the image that it is to run.

    One round trip where there is any, else none. An image that the machine lacks is told by its tag, if at all.
    """
    wanted = [one for one in services if runs_postgres(one)]
    if not wanted:
        return ()
    words = (word for one in wanted for word in (one.name, volume_of(one, stack.document), _target(one), one.runs))
    found = _looked(shell, ",".join(projects), *words)
    return tuple(
        dataclasses.replace(found[one.name], image=found[one.name].image or tag_major(one.runs)) for one in wanted
    )


def image_major(shell: Shell, image: str) -> int | None:
    """The version of the server in an image; None where the machine lacks it, or it cannot be told."""
    return _looked(shell, "", "", "", "", image)[""].image


def _target(service: Service) -> str:
    return str((data_mount(service) or {}).get("target", ""))


def _looked(shell: Shell, *words: str) -> Mapping[str, Majors]:
    return parse_majors(shell.run(packaged("engine", "majors.sh", *words)).stdout)
