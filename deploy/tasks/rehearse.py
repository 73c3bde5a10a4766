"""`prod.rehearse`: the next release's migrations on a copy of the data, without a deploy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from invoke.tasks import Task

from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, task
from deploy.tasks.plans import plan_of
from deploy.tasks.swarm.reach import changing, require_home
from deploy.ui.rehearsal import report_lines
from deploy.ui.units import duration

if TYPE_CHECKING:
    from deploy.release.site import Site
    from deploy.tasks.swarm.reach import Reach


def rehearse_task(name: str) -> Task[Any]:
    """For one environment."""

    @task(
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "backup": "its id, a part of it, 'latest', or 'fresh' to take one; "
            "without it the newest of the last day, or a fresh one",
        },
    )
    def rehearse(app: App, host: list[str], backup: str = "") -> None:
        """Run the next release's migrations on a copy of the data, and say what they did; production is not touched.

        Images are built and pushed as for a deploy. A backup is restored on the host into a server that nobody else
        reaches; how long the migrations took there, what they locked and what they changed is reported, and all of it
        is removed. Ends with status 1 when they fail. Example: inv prod.rehearse --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            app.require_engine(yes=False)
            with changing(app, environment, host) as (members, lead):
                require_home(environment, members, lead, f"{name}.rehearse")
                _rehearse(app, environment, lead.site, lead.spec, backup, (members, lead))
            return
        specs = app.hosts(environment, host)
        app.require_engine(yes=False)
        for spec in specs:
            with app.site(environment, spec) as site:
                _rehearse(app, environment, site, spec, backup)

    return rehearse


def _rehearse(
    app: App, environment: Environment, site: Site, spec: str, backup: str, reach: Reach | None = None
) -> None:
    from deploy.release.deploy import rehearse

    prepared = app.prepare(environment, site, datetime.now(UTC))
    with app.console.step(f"Look at {spec}"):
        plan = plan_of(app, prepared, site, reach)
    report = rehearse(prepared, plan, site, app.shell(), app.console, backup=backup)
    if report is None:
        return
    for line in report_lines(report):
        app.console.data(line)
    app.console.good(
        f"The migrations run through on the data of {report.backup}, in {duration(report.took_s)}; "
        f"nothing of production on {spec} was touched."
    )
    app.console.say(f"Next: inv {environment.name}.deploy --host {spec} runs them there, after a backup.")
