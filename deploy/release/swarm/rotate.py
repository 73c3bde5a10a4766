"""Rotating a database's password on a cluster, where services of both releases are started anew, not of one only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from deploy.model.errors import DeployError
from deploy.model.initial import Login
from deploy.model.swarm import names
from deploy.release.rotate import another_password
from deploy.release.site import Site
from deploy.release.swarm.change import look
from deploy.release.swarm.data_services import container_of
from deploy.ui import Console

LONGEST_S = 3600
"""A rolling update takes longer than a switch: container by container, on every node."""


@contextlib.contextmanager
def another_password_on_cluster(
    site: Site, login: Login, kept: str, services: Sequence[str], release: str, console: Console
) -> Iterator[Callable[[], None]]:
    """The role has another password from here on, and containers of `services` that know the one before work on.

    Yields what must be done before services of the release before are started anew, where the new one fails: they know
    the password before only, and those of the new one serve until they have ended.
    """
    waiting = _tasks(site, services)
    container = container_of(site, login.service)
    password = another_password(site, login, kept, waiting, release, console, container=container, longest_s=LONGEST_S)
    with password as rotated:

        def before_return() -> None:
            try:
                rotated.turn_back(_tasks(site, services))
            except DeployError as error:
                console.warn(f"{login.role} of {login.service} may have its new password still: {error.message}")

        yield before_return


def _tasks(site: Site, services: Sequence[str]) -> tuple[str, ...]:
    """Containers of the project's rolling services that run or are about to, as `let-in.sh` takes them."""
    stack = names.app_stack(site.layout.project)
    cluster = look(site, stack)
    return tuple(
        f"task:{task.id}"
        for service in cluster.of(stack)
        if service.name in services
        for task in cluster.tasks_of(service)
        if task.running or task.desired == "running"
    )
