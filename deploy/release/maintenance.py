"""Putting a project into maintenance and taking it out again."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.model.edge import Maintenance, maintenance_commands, render_maintenance
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Environment
from deploy.release.edge_files import maintenance_page
from deploy.release.prepare import whoami
from deploy.release.site import Site

NOT_RUNNING = 3


def maintain(environment: Environment, site: Site, *, on: bool, message: str = "") -> None:
    """Show users the maintenance page on every HTTP port, or the release again.

    Takes no lock: a deploy that is going on stays what it is, behind the page. Raises UsageError where nothing was
    deployed yet, and DeployError when the edge did not take it; the next start of the edge then will.
    """
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
            site.layout.edge_container,
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
