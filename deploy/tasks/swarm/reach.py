"""Reaching a cluster: through the first of its managers that answers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deploy.model.errors import DeployError, UnreachableError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App

if TYPE_CHECKING:
    from deploy.release.site import Site


def is_swarm(app: App, name: str) -> bool:
    """Whether an environment's engine is a cluster."""
    return app.settings.environment(name).engine == Engine.SWARM


@contextlib.contextmanager
def manager(app: App, environment: Environment, given: list[str]) -> Iterator[tuple[Site, str]]:
    """The first of the hosts that can be reached and manages a cluster, connected, and what it was called by.

    Raises DeployError when none does.
    """
    from deploy.release.swarm.cluster import membership

    said = []
    for spec in app.hosts(environment, given):
        with contextlib.ExitStack() as opened:
            try:
                site = opened.enter_context(app.site(environment, spec))
                one = membership(site)
            except UnreachableError as error:
                said.append(f"{spec}: {error.message}")
                continue
            if not one.manager:
                said.append(f"{spec} does not manage a cluster ({one.state or 'no engine'})")
                continue
            for text in said:
                app.console.warn(f"{text}; working through {spec}")
            yield site, spec
            return
    raise DeployError(
        "no manager of a cluster can be worked through", "inv host.setup --swarm makes one", details="\n".join(said)
    )


def refuse(environment: Environment, what: str, remedy: str = "leave it out") -> None:
    """Raises UsageError for what has no meaning on a cluster."""
    raise UsageError(f"{what}: '{environment.name}' runs on a cluster (engine: swarm), which has no such thing", remedy)


def refuse_on(environment: Environment, what: str, remedy: str = "it works where engine: is compose") -> None:
    """Raises UsageError for what is not there yet where an environment's engine is a cluster."""
    if environment.engine == Engine.SWARM:
        refuse(environment, what, remedy)
