"""Putting a project into maintenance and taking it out again."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.model.edge import Maintenance, maintenance_commands, render_maintenance
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.release.edge_files import maintenance_page
from deploy.release.prepare import whoami
from deploy.release.site import Site
from deploy.release.swarm.edge import await_edges
from deploy.ui import Step
from deploy.ui.units import count

NOT_RUNNING = 3


def maintain(environment: Environment, site: Site, *, on: bool, message: str = "") -> str:
    """Show users the maintenance page on every HTTP port, or the release again; who does so now.

    Takes no lock: a deploy that is going on stays what it is, behind the page. Raises UsageError where nothing was
    deployed yet, and DeployError when an edge did not take it; the next start of the edge then will.
    """
    swarm = environment.engine == Engine.SWARM
    if site.facts().edge is None:
        raise UsageError(
            f"{site.shell.name}: there is no edge: nothing with a public port was deployed", "deploy first"
        )
    since = datetime.now(UTC).isoformat(timespec="minutes")
    maintenance = Maintenance(whoami(), since, message) if on else None
    page = maintenance_page(environment)
    note = maintenance.to_json() if maintenance else ""
    done = site.shell.run(
        site.bare(
            "maintenance.sh",
            str(site.layout.root),
            "" if swarm else site.layout.edge_container,
            render_maintenance(maintenance),
            "; ".join(maintenance_commands(maintenance)),
            note,
        ),
        stdin=page.encode(),
        check=False,
    )
    if done.exit_code == NOT_RUNNING:
        raise DeployError(
            f"{site.shell.name}: the edge does not run; it will start {'in' if on else 'out of'} maintenance",
            f"inv {environment.name}.status shows more",
        )
    if done.exit_code:
        raise DeployError(
            f"{site.shell.name}: the edge did not take it",
            f"it may be from an older version: inv {environment.name}.deploy renews it",
            details=done.stderr,
        )
    return _every_node(site) if swarm else site.shell.name


def _every_node(site: Site) -> str:
    on, behind = await_edges(site, Step("Maintenance"))
    if behind:
        raise DeployError(
            f"{site.shell.name}: {count(len(on), 'node')} took it, and not {', '.join(behind)}",
            "they do when they reach the manager again; inv ENVIRONMENT.status says more",
            details="\n".join(f"{node}: {why}" for node, why in behind.items()),
        )
    return f"the edge of {count(len(on), 'node')}"
