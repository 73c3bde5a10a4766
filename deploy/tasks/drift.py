"""The task that compares a host with what was put there: drift."""

from __future__ import annotations

from typing import Any

from invoke.tasks import Task

from deploy.model.errors import DeployError, UsageError
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, task
from deploy.ui.units import count


def drift_task(name: str) -> Task[Any]:
    """For one environment."""

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def drift(app: App, host: list[str], json: bool = False) -> None:
        """Show what was changed on each host by hand since the last release; ends with status 1 when anything was.

        Files, containers, images, networks, the edge's configuration on disk and in memory. Changes nothing.
        Example: inv prod.drift --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        swarm.refuse_on(environment, f"{name}.drift")
        documents = []
        found = 0
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                if facts.live is None:
                    raise UsageError(f"{spec}: no release is live there", "deploy one first")
                drifted = site.drift(facts, facts.live, f"inv {name}")
            found += len(drifted)
            documents.append({"host": spec, "live": facts.live.id, "drift": [one.to_json() for one in drifted]})
            if json:
                continue
            for one in drifted:
                app.console.data(f"{spec}: {one}")
                app.console.say(f"  → {one.remedy}")
            if not drifted:
                app.console.good(f"{spec} is as {facts.live.id} was put there.")
        if json:
            app.console.json(documents)
        if found:
            raise DeployError(f"{count(found, 'change')} by hand found")

    return drift
